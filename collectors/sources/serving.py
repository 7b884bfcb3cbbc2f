"""How many requests does a server itself say that it has handled, how long did they take, and how many wait?

Only a page of this node is asked, within one second and 4 MiB; redirects are not followed. A server that hangs, floods
or answers something else gives no sample; `problems` says why, and the others are read all the same.
"""

from collections.abc import Iterable, Iterator, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Annotated, ClassVar

from collectors.collector import Collector
from collectors.entities import Service
from collectors.framework import MetricMap
from collectors.host import Host
from collectors.reading import Unreadable, Unsupported
from collectors.registry import framework_named
from collectors.sample import Sample, metric

if TYPE_CHECKING:
    from prometheus_client.samples import Sample as Series

Totals = dict[str, float]


class ServingSample(Sample, frozen=True, kw_only=True, gc=False):
    """What one service counts itself, over all its models."""

    kind: ClassVar[str] = "serving"
    doc: ClassVar[str] = "Requests, latency and queues as the server's own metrics page counts them."

    requests: Annotated[int | None, metric("requests", "Requests answered well.", counter=True)]
    errors: Annotated[int | None, metric("requests", "Requests that failed.", counter=True)]
    latency_sum_us: Annotated[int | None, metric("seconds", "Time spent in requests.", counter=True, scale=1e-6)]
    latency_count: Annotated[int | None, metric("requests", "Requests whose time is in the sum.", counter=True)]
    queue_sum: Annotated[int | None, metric("requests", "Queue lengths seen, added up.", counter=True)]
    queue_count: Annotated[int | None, metric("observations", "How often the queue was looked at.", counter=True)]
    batch_sum: Annotated[int | None, metric("requests", "Batch sizes seen, added up.", counter=True)]
    batch_count: Annotated[int | None, metric("batches", "How many batches were seen.", counter=True)]
    in_flight: Annotated[int | None, metric("requests", "Requests that are being handled now.")]


class ServingCollector(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (ServingSample,)
    cadence_seconds: ClassVar[float] = 10.0
    cost: ClassVar[str] = "one HTTP request per service that has a metrics page, about 1 ms for 20 kB"
    own_thread: ClassVar[bool] = True
    needs: ClassVar[str] = "a metrics page of the server on this node"

    def __init__(self) -> None:
        self.problems: dict[str, Unsupported] = {}
        """Id of a service -> why its page gave nothing the last time."""

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        from collectors.metrics_page import fetch

        found: list[Sample] = []
        problems: dict[str, Unsupported] = {}
        for service in services:
            framework = framework_named(service.framework)
            if service.metrics_url is None or framework is None:
                continue
            try:
                names = framework.metrics
                if names is None:
                    raise Unreadable(f"the metrics of {service.framework} are not known", "its page is not read")
                found.append(read_page(service, names, fetch(service.metrics_url)))
            except Unreadable as problem:
                problems[service.id] = Unsupported(problem.reason, problem.hint)
        self.problems = problems
        return found


def read_page(service: Service, names: MetricMap, page: str) -> ServingSample:
    """What a metrics page says of a service; None where it does not have a series. Raises Unreadable if it is no such
    page."""
    totals: Totals = {}
    for series in _series(page, names):
        if isfinite(series.value):
            name = series.name.removesuffix("_total")
            totals[name] = totals.get(name, 0.0) + series.value
    latency_us = names.latency_unit_seconds * 1e6
    return ServingSample(
        entity=f"service:{service.id}",
        requests=_total(totals, names.requests),
        errors=_total(totals, names.errors),
        latency_sum_us=_total(totals, names.latency, "_sum", latency_us),
        latency_count=_total(totals, names.latency, "_count"),
        queue_sum=_total(totals, names.queue, "_sum"),
        queue_count=_total(totals, names.queue, "_count"),
        batch_sum=_total(totals, names.batch, "_sum"),
        batch_count=_total(totals, names.batch, "_count"),
        in_flight=_total(totals, names.in_flight),
    )


def _total(totals: Totals, names: Sequence[str], suffix: str = "", scale: float = 1.0) -> int | None:
    keys = [name + suffix if suffix else name.removesuffix("_total") for name in names]
    found = [totals[key] for key in keys if key in totals]
    return round(sum(found) * scale) if found else None


def _series(page: str, names: MetricMap) -> "Iterator[Series]":
    """The wanted series of a page. Lines of others are left out before parsing, which is dear."""
    from prometheus_client.parser import text_string_to_metric_families

    every = (names.requests, names.errors, names.latency, names.queue, names.in_flight, names.batch)
    starts = tuple({name.removesuffix("_total") for group in every for name in group})
    types = tuple(f"# TYPE {start}" for start in starts)
    lines = page.splitlines()
    if not any(line.startswith("# TYPE ") for line in lines):
        raise Unreadable("the page holds no metrics", "check its address in the server's settings")
    wanted = [line for line in lines if line.startswith((*starts, *types)) and "_bucket{" not in line]
    try:
        for family in text_string_to_metric_families("\n".join(wanted) + "\n"):
            yield from family.samples
    except (ValueError, KeyError, IndexError) as error:
        raise Unreadable(f"the page is damaged: {str(error)[:120]}", "ask it by hand and look") from error
