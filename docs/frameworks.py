"""What does nodewright know of each serving framework? The page docs/frameworks.md, from the frameworks' own files."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from docs.tables import section, table

if TYPE_CHECKING:
    from collectors.framework import Framework
    from collectors.knobs import Knob
    from collectors.metric_map import Distribution, Series

HEAD = """# Serving frameworks

Made from the code by `make docs`; do not edit.

*live*: proven against a real server in the tests. *captured*: on a recorded process tree and metrics page of a real server.
*documented*: from documentation and source only; what is concluded about such a service never has more than low confidence.

A server whose application decides what it publishes is not asked by itself. Where `[service."NAME"] metrics_url` names the
page, the series of the usual exporters are read: `http_requests_total`, `http_request_duration_seconds`, and those of
starlette_exporter and prometheus-flask-exporter.
"""
_SCALES = {1.0: "", 1e-3: " (milliseconds)", 1e-6: " (microseconds)"}


def page() -> str:
    from collectors.registry import all_frameworks

    every = sorted(all_frameworks(), key=lambda one: one.name)
    rows = [(f"[{f.name}](#{f.name})", f.evidence, f.versions, f.recognised_by, told(f)) for f in every]
    header = ("framework", "known from", "version", "its processes are told by", "its metrics tell")
    overview = section(
        "Overview", "Requests, latency and the rest are read only where the server itself publishes them.", header, rows
    )
    return "\n".join((HEAD, overview, *(part for one in every for part in details(one))))


def told(framework: "Framework") -> str:
    """The things that its metrics page tells, in words."""
    names = framework.metrics
    if names is None:
        return "nothing of its own"
    return ", ".join(sorted(name.replace("_", " ") for name in {**names.scalars, **names.distributions}))


def details(framework: "Framework") -> Iterator[str]:
    yield f"## {framework.name}\n"
    if framework.metrics is not None:
        rows = [(name.replace("_", " "), series_text(many)) for name, many in framework.metrics.scalars.items()]
        rows += [
            (name.replace("_", " "), distribution_text(one)) for name, one in framework.metrics.distributions.items()
        ]
        yield table(("measured", "from"), rows)
    if framework.knobs:
        header = ("knob", "set in, the first wins", "default", "restart", "turn it when")
        yield table(header, [knob_row(knob) for knob in framework.knobs])
    if framework.metrics is None and not framework.knobs:
        yield "Only what every server has: compute threads, CPU mask, quota and weight.\n"


def knob_row(knob: "Knob") -> tuple[str, ...]:
    places = ", ".join(f"{s.kind} `{s.names[0]}`" + (f" in {s.file}" if s.file else "") for s in knob.sources)
    default = knob.default_text or ("" if knob.default is None else f"`{knob.default}`")
    return (knob.lever.value.replace("_", " "), places, default, "yes" if knob.restart else "no", knob.advise)


def series_text(many: "tuple[Series, ...]") -> str:
    return ", ".join(f"`{one.name}`" + "".join(f" with {k} ~ `{v}`" for k, v in one.where) for one in many)


def distribution_text(one: "Distribution") -> str:
    scale = _SCALES.get(one.scale, f" × {one.scale:g}")
    if one.of:
        return series_text(one.of) + scale
    return f"{series_text(one.total)}{scale} ÷ {series_text(one.count)}"
