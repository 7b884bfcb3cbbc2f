"""What stands on `/metrics`? Families made from the samples' declarations and from the snapshot.

Names are `nodewright_KIND_FIELD` in base units. A page holds at most so many series: what is said of the node, its services,
devices and findings is always there, and samples follow by use while they fit (`agent.http.sample_families`).
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from advisor.documents import ProfilingStatus, Snapshot
from advisor.finding import Finding
from agent.http.deps import MOST_SERIES, Latest
from agent.http.family import PREFIX, Family, metric_of
from agent.http.labels import Labeller, Labels
from agent.http.sample_families import sample_families
from agent.http.service_families import service_families

if TYPE_CHECKING:
    from prometheus_client import Metric


class Exposition:
    """The page of one moment, as families, or as a collector for prometheus-client's encoders."""

    def __init__(
        self, snapshot: Snapshot, latest: Latest, service_cgroups: Mapping[str, str], most_series: int = MOST_SERIES
    ) -> None:
        self._snapshot = snapshot
        self._latest = latest
        self._labeller = Labeller(snapshot, service_cgroups)
        self._most_series = most_series

    def families(self) -> Iterator[Family]:
        known = [*_of_node(self._snapshot), *service_families(self._snapshot.services), *_of_missing(self._snapshot)]
        known += [*_of_gpus(self._snapshot), *_of_self(self._snapshot), _of_findings(self._snapshot)]
        yield from known
        yield from sample_families(self._latest, self._labeller, self._most_series - sum(len(f.values) for f in known))

    def collect(self) -> "Iterator[Metric]":
        for family in self.families():
            yield metric_of(family)


def _of_node(snapshot: Snapshot) -> Iterator[Family]:
    node = snapshot.node
    yield Family(f"{PREFIX}_node_cores", "Cores of the node.", False, {(): float(len(node.cores))})
    busy = [core.busy_ratio for core in node.cores if core.busy_ratio is not None]
    if busy:
        yield Family(f"{PREFIX}_node_used_cores", "Cores' worth of time used on the node.", False, {(): sum(busy)})
    if node.price is not None:
        price: dict[Labels, float] = {(("currency", node.price.currency),): node.price.hourly}
        yield Family(
            f"{PREFIX}_node_price_per_hour", "What an hour of the node costs, as its owner says.", False, price
        )


def _of_missing(snapshot: Snapshot) -> Iterator[Family]:
    missing: dict[Labels, float] = {
        (("service", one.service), ("needs", one.needs.kind)): 1.0
        for one in snapshot.migrations
        if one.needs is not None
    }
    if missing:
        text = "1 while it cannot be told whether the service should move to a GPU, as something is missing."
        yield Family(f"{PREFIX}_service_migration_missing", text, False, missing)


def _of_gpus(snapshot: Snapshot) -> Iterator[Family]:
    """What each GPU is, as labels to join with, and how the processes are that read them."""
    known: dict[Labels, float] = {}
    for gpu in snapshot.node.gpus:
        index = "" if gpu.index is None else str(gpu.index)
        parts = (("gpu", gpu.uuid), ("index", index), ("name", gpu.name), ("vendor", gpu.vendor))
        known[(*parts, ("architecture", gpu.architecture or ""), ("driver", gpu.driver or ""))] = 1.0
    if known:
        yield Family(f"{PREFIX}_gpu_info", "What the GPU is.", False, known)
    readers = [reader for reader in snapshot.node.gpu_readers if reader.state != "absent"]
    states: dict[Labels, float] = {(("reader", one.name), ("state", one.state)): 1.0 for one in readers}
    if states:
        yield Family(f"{PREFIX}_gpu_reader_state", "1 for the state in which the reader is.", False, states)
    cpu: dict[Labels, float] = {
        (("reader", one.name),): one.cpu_seconds for one in readers if one.cpu_seconds is not None
    }
    if cpu:
        yield Family(f"{PREFIX}_gpu_reader_cpu_seconds", "CPU time of the reader process.", True, cpu)
    held: dict[Labels, float] = {
        (("reader", one.name),): float(one.resident_bytes) for one in readers if one.resident_bytes is not None
    }
    if held:
        text = "Resident memory of the reader process."
        yield Family(f"{PREFIX}_gpu_reader_resident_memory_bytes", text, False, held)


def _of_self(snapshot: Snapshot) -> Iterator[Family]:
    own = snapshot.self_status
    durations: dict[Labels, float] = {(("collector", one.name),): one.duration_seconds for one in own.collectors}
    yield Family(f"{PREFIX}_build_info", "The version that runs.", False, {(("version", own.version),): 1.0})
    if durations:
        yield Family(f"{PREFIX}_collector_duration_seconds", "How long the last run took.", False, durations)
    readable: dict[Labels, float] = {(("collector", one.name),): float(one.status == "ok") for one in own.collectors}
    if readable:
        yield Family(f"{PREFIX}_collector_success_ratio", "1 if the last run could read, else 0.", False, readable)
    yield from _counted(f"{PREFIX}_self_cpu_seconds", "CPU time used by the agent.", own.cpu_seconds)
    if own.resident_bytes is not None:
        text = "Resident memory of the agent."
        yield Family(f"{PREFIX}_self_resident_memory_bytes", text, False, {(): float(own.resident_bytes)})
    yield from _of_profiling(own.profiling)
    told: dict[Labels, float] = {
        (("notify", one.name), ("outcome", outcome)): float(count)
        for one in own.notify
        for outcome, count in (("sent", one.sent), ("dropped", one.dropped))
    }
    if told:
        yield Family(f"{PREFIX}_notifications", "Findings that were to be told, by what became of them.", True, told)
    yield from _counted(f"{PREFIX}_self_ticks", "Rounds of sampling.", own.ticks)
    yield from _counted(f"{PREFIX}_self_late_ticks", "Rounds that began late.", own.late_ticks)


def _counted(name: str, text: str, value: float | None) -> Iterator[Family]:
    if value is not None:
        yield Family(name, text, True, {(): float(value)})


def _of_profiling(status: ProfilingStatus | None) -> Iterator[Family]:
    if status is None:
        return
    cpu = "CPU time of the profilers, which all counts as taken from the workers."
    yield Family(f"{PREFIX}_profiling_cpu_seconds", cpu, True, {(): status.cpu_seconds})
    stopped = "How long workers were held still for blocking profiles."
    yield Family(f"{PREFIX}_profiling_stopped_seconds", stopped, True, {(): status.stopped_seconds})
    steady = "Share of one core over the last ten minutes of what nobody asked for."
    yield Family(f"{PREFIX}_profiling_steady_ratio", steady, False, {(): status.steady_ratio})
    taken: dict[Labels, float] = {
        (("kind", "burst"),): float(status.bursts), (("kind", "probe"),): float(status.probes),
    }  # fmt: skip
    yield Family(f"{PREFIX}_profiling_profiles", "Profiles taken.", True, taken)
    yield Family(f"{PREFIX}_profiling_failures", "Profiles that could not be taken.", True, {(): float(status.failed)})
    early = "Profiles that ended as their service got slower meanwhile."
    yield Family(f"{PREFIX}_profiling_stopped_early", early, True, {(): float(status.stopped_early)})


def _of_findings(snapshot: Snapshot) -> Family:
    values: dict[Labels, float] = {
        (("rule", one.rule), ("service", _service_of(one, snapshot)), ("severity", one.severity)): 1.0
        for one in snapshot.advice.findings
        if one.state == "open"
    }
    return Family(f"{PREFIX}_finding", "1 while a finding is open.", False, values)


def _service_of(finding: Finding, snapshot: Snapshot) -> str:
    """The service that a finding is about; empty for one about the node or a device."""
    subject = finding.subject
    if subject.kind == "service":
        return subject.name
    pids = frozenset(subject.pids)
    return next((one.name for one in snapshot.services if not pids.isdisjoint(one.pids)), "")
