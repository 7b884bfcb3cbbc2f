"""What do the generated pages say? `make docs` writes docs/reference.md, docs/frameworks.md, docs/rules/ and the table in
docs/kubernetes.md; `--check` fails if they are out of date.

Every table comes from the declaration that the program itself runs on: nothing here is written twice.
"""

import argparse
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from docs import frameworks as frameworks_page  # noqa: E402
from docs import rules as rules_pages  # noqa: E402
from docs import values as values_table  # noqa: E402
from docs.tables import section, table  # noqa: E402

if TYPE_CHECKING:
    from collectors.sample import FieldSpec, Sample

FOLDER = ROOT / "docs"
HEAD = "# Reference\n\nMade from the code by `make docs`; do not edit.\n"


def page() -> str:
    parts = (rules(), collectors(), samples(), frameworks(), metrics(), settings(), devices(), routes())
    return "\n".join((HEAD, *parts))


def rules() -> str:
    from advisor.catalogue import pages

    rows = [(f"[`{one.id}`](rules/{one.id}.md)", one.title, one.proven or "experimental") for one in pages()]
    text = "`nodewright explain RULE` prints a rule's page: what it looks for, why it matters, what to do, when it is wrong."
    return section("Rules", text, ("rule", "finds", "proven"), rows)


def collectors() -> str:
    from collectors.collector import all_collectors

    rows = [
        (
            one.name,
            f"{one.cadence_seconds:g} s",
            ", ".join(f"`{kind.kind}`" for kind in one.samples),
            one.cost,
            one.needs,
        )
        for one in all_collectors()
    ]
    text = "Each is one file in `collectors/sources/`."
    return section("Collectors", text, ("collector", "every", "samples", "one run costs", "needs"), rows)


def samples() -> str:
    parts = ["## Samples\n\nValues are stored as read: a counter stays a counter. `NULL` means not readable here.\n"]
    for kind in sample_kinds():
        parts.append(f"### `{kind.kind}`\n\n{kind.doc}\n")
        parts.append(table(("field", "stored as", "kind", "meaning"), [field_row(field) for field in fields(kind)]))
    return "\n".join(parts)


def frameworks() -> str:
    from collectors.registry import all_frameworks, all_managers

    names = ", ".join(sorted(one.name for one in all_frameworks()))
    managers = ", ".join(one.name for one in all_managers())
    return f"## Serving frameworks\n\n{names}: see [frameworks.md](frameworks.md). Deployment managers: {managers}.\n"


def metrics() -> str:
    from agent.http.exposition import Exposition
    from agent.http.sample_families import sample_metric_name
    from bench.large_node import LargeNode
    from tests.snapshots import example_snapshot

    rows = [
        (f"`{sample_metric_name(kind.kind, field)}{'_total' if field.counter else ''}`", field.help)
        for kind in sample_kinds()
        for field in fields(kind)
        if not field.text
    ]
    large = LargeNode()
    pages = (Exposition(large.snapshot, {}, large.cgroups), Exposition(example_snapshot(), {}, {}))
    derived = [one for page in pages for one in page.collect()]
    rows += [(f"`{one.name}{'_total' if one.type == 'counter' else ''}`", f"{one.documentation}.") for one in derived]
    text = (
        "Labels are bounded: never a pid or a command line. A page holds at most `http.metrics_series` series: where samples "
        "are too many, families of least use are left out whole, and `nodewright_left_out_series` counts them by kind. "
        "`nodewright_service_capacity_*` stands where capacity is known, `*_price_*` and `*_node_share_ratio` where "
        "`[prices]` are set."
    )
    return section("`/metrics`", text, ("metric", "meaning"), list(dict.fromkeys(rows)))


def settings() -> str:
    from agent.config import NAMED_SECTIONS, PLAIN_SECTIONS
    from agent.settings import settings_of, show

    parts = [
        "## Settings\n\nFiles, then `NODEWRIGHT_SECTION_KEY`, then flags; `nodewright config show` says where each came from.\n"
    ]
    for name, kind in [*PLAIN_SECTIONS.items(), *((f'{name}."NAME"', kind) for name, kind in NAMED_SECTIONS.items())]:
        default = kind()
        rows = []
        for key, attribute, spec in settings_of(kind):
            shown = show(spec, getattr(default, attribute))
            rows.append((f"`{key}`", str(spec.kind), "" if shown is None else f"`{written(shown)}`", spec.doc))
        parts.append(f"### `[{name}]`\n")
        parts.append(table(("key", "kind", "default", "meaning"), rows))
    return "\n".join(parts)


def devices() -> str:
    from advisor.migration.devices import catalogue

    rows = []
    for one in catalogue():
        rates = [one.peak.get("fp16", one.peak.get("bf16")), one.peak.get("fp8"), one.peak.get("int8")]
        shown = ["" if number is None else f"{number:g}" for number in (one.memory, one.bandwidth, *rates, one.watts)]
        rows.append((one.name, *shown, "yes" if one.sparsity else "", "; ".join(one.sources)))
    header = ("device", "GiB", "GB/s", "16 bits", "FP8", "INT8", "W", "2:4", "from")
    text = (
        "What `nodewright migrate` knows without being told ([migration.md](migration.md)). Rates are 10^12 operations a "
        "second on dense matrices; `2:4` marks those that do twice as many with two zeros in each four."
    )
    return section("Devices", text, header, rows)


def routes() -> str:
    from agent.http.app import all_routes

    rows = [
        (route.method, f"`{route.path}`", ", ".join(one.name for one in route.query), route.doc)
        for route in all_routes("")
    ]
    text = "The shapes are in `/openapi.json`."
    return section("HTTP", text, ("method", "path", "query", "answers"), rows)


def written(value: object) -> str:
    """A default as TOML has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def sample_kinds() -> "list[type[Sample]]":
    from collectors.collector import all_collectors

    return [kind for collector in all_collectors() for kind in collector.samples]


def fields(kind: "type[Sample]") -> "Sequence[FieldSpec]":
    from collectors.sample import fields_of

    return fields_of(kind)


def field_row(field: "FieldSpec") -> tuple[str, ...]:
    """`user_ticks`, stored in steps of 0.01 seconds."""
    if field.text:
        return (f"`{field.name}`", "text", "", field.help)
    step = "" if field.scale == 1 else f"{field.scale:g} "
    return (f"`{field.name}`", f"{step}{field.unit}" or "number", "counter" if field.counter else "gauge", field.help)


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the generated pages from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a page would change")
    check = parser.parse_args().check
    stale = False
    made_pages = {"reference.md": page(), "frameworks.md": frameworks_page.page(), **rules_pages.pages()}
    made_pages["kubernetes.md"] = values_table.page((FOLDER / "kubernetes.md").read_text("utf-8"))
    for gone in sorted({f"rules/{one.name}" for one in (FOLDER / "rules").glob("*.md")} - made_pages.keys()):
        stale |= check
        if not check:
            (FOLDER / gone).unlink()
        print(f"nodewright: docs: docs/{gone} is of no rule", file=sys.stderr)
    for name, made in made_pages.items():
        file = FOLDER / name
        file.parent.mkdir(exist_ok=True)
        kept = file.read_text("utf-8") if file.exists() else ""
        if not check:
            file.write_text(made, "utf-8")
        elif made != kept:
            stale = True
            lines = difflib.unified_diff(kept.splitlines(True), made.splitlines(True), "kept", "made", n=0)
            sys.stderr.writelines(lines)
            print(f"nodewright: docs: docs/{name} is out of date (make docs)", file=sys.stderr)
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
