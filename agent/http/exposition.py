"""What stands on `/metrics`? Families made from the samples' declarations and from the snapshot.

Names are `nodewright_KIND_FIELD` in base units. Labels say core, resource, port, service, slot, role, thread class, and
model (at most 32 of a service, in families of their own, so that a sum counts nothing twice): as many values as do not
grow with time. A pid is never one of them: what belongs to no service is left out.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from advisor.documents import ProfilingStatus, ServiceStatus, Snapshot
from advisor.finding import Finding
from agent.http.deps import Latest
from collectors.sample import FieldSpec, Sample, fields_of

if TYPE_CHECKING:
    from prometheus_client import Metric

PREFIX = "nodewright"
MODEL = "model:"
"""How the entities of a service's models begin."""
_UNITLESS = frozenset(("", "1", "flag"))
Labels = tuple[tuple[str, str], ...]


class Labeller:
    """Bounded labels of what samples are about, by the form of the entity's name."""

    def __init__(self, snapshot: Snapshot, service_cgroups: Mapping[str, str]) -> None:
        self._workers: dict[str, Labels] = {
            f"worker:{one.pid}:{one.started}": (("service", one.service), ("slot", str(one.slot)), ("role", one.role))
            for one in snapshot.workers
        }
        self._services = {f"service:{one.id}": one.name for one in snapshot.services}
        self._services |= {cgroup: name for name, cgroup in service_cgroups.items()}
        self._gpu_processes: dict[str, Labels] = {
            f"gpu-process:{gpu.uuid}/{one.pid}": (("gpu", gpu.uuid), ("service", one.service), ("slot", str(one.slot)))
            for gpu in snapshot.node.gpus
            for one in gpu.processes
            if one.service is not None
        }
        self._ports = {str(one.port): one.name for one in snapshot.services if one.port is not None}

    def labels(self, entity: str) -> Labels | None:
        """None: it is not to be exposed."""
        kind, _, rest = entity.partition(":")
        match kind:
            case "node" if not rest:
                return ()
            case "gpu":
                return (("gpu", rest),)
            case "gpu-process":
                return self._gpu_processes.get(entity)
            case "core" | "pressure":
                return ((("core" if kind == "core" else "resource"), rest),)
            case "listen":  # other programs' ports come and go, and their numbers would add up to many series
                service = self._ports.get(rest)
                return None if service is None else (("service", service), ("port", rest))
            case "worker":
                key, _, thread_class = rest.partition(":")[2].partition(":")
                known = self._workers.get(f"worker:{rest.partition(':')[0]}:{key}")
                return known if known is None or not thread_class else (*known, ("thread_class", thread_class))
            case "model":
                own_id, _, model = rest.partition("/")
                service = self._services.get(f"service:{own_id}")
                return None if service is None else (("service", service), ("model", model))
            case _:
                service = self._services.get(entity)
                return None if service is None else (("service", service),)


class Exposition:
    """A collector for prometheus-client's encoders, of one moment."""

    def __init__(self, snapshot: Snapshot, latest: Latest, service_cgroups: Mapping[str, str]) -> None:
        self._snapshot = snapshot
        self._latest = latest
        self._labeller = Labeller(snapshot, service_cgroups)

    def collect(self) -> Iterator["Metric"]:
        for kind, samples in sorted(self._latest.items()):
            models = {entity: one for entity, one in samples.items() if entity.startswith(MODEL)}
            yield from self._of_kind(
                kind, {e: one for e, one in samples.items() if e not in models} if models else samples
            )
            yield from self._of_kind(f"model_{kind}", models)
        yield from _of_services(self._snapshot.services)
        yield from _of_gpus(self._snapshot)
        yield from _of_self(self._snapshot)
        yield _of_findings(self._snapshot)

    def _of_kind(self, kind: str, samples: Mapping[str, Sample]) -> Iterator["Metric"]:
        labelled = _latest_by_labels(samples.values(), self._labeller)
        if not labelled:
            return
        for spec in fields_of(type(labelled[0][1])):
            values = {
                labels: round(value * spec.scale, 9)
                for labels, sample in labelled
                if not spec.text and (value := getattr(sample, spec.name)) is not None
            }
            if values:
                yield _family(sample_metric_name(kind, spec), spec.help, spec.counter, values)


def sample_metric_name(kind: str, spec: FieldSpec) -> str:
    """`nodewright_core_user_seconds`: without `_total`, with the unit at a gauge's end."""
    name = f"{PREFIX}_{kind}_{spec.metric_name}"
    if spec.counter or spec.unit in _UNITLESS or name.endswith(f"_{spec.unit}"):
        return name
    return f"{name}_{spec.unit}"


def _latest_by_labels(samples: Iterable[Sample], labeller: Labeller) -> list[tuple[Labels, Sample]]:
    """One sample per set of labels: the youngest of two processes in one slot, of other things the last by name."""
    found: dict[Labels, Sample] = {}
    for sample in sorted(samples, key=_age):
        labels = labeller.labels(sample.entity)
        if labels is not None:
            found[labels] = sample
    return list(found.items())


def _age(sample: Sample) -> tuple[int, str]:
    parts = sample.entity.split(":")
    started = parts[2] if parts[0] == "worker" and len(parts) > 2 else ""
    return (int(started) if started.isdigit() else 0, sample.entity)


def _family(name: str, text: str, counter: bool, values: Mapping[Labels, float]) -> "Metric":
    from prometheus_client import Metric

    family = Metric(name, text.rstrip("."), "counter" if counter else "gauge")
    full = f"{name}_total" if counter else name
    for labels, value in values.items():
        family.add_sample(full, {key: _encodable(text) for key, text in labels}, value)
    return family


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


_OF_SERVICE: tuple[tuple[str, str, Callable[[ServiceStatus], float | None]], ...] = (
    ("used_cores", "Cores' worth of time used over 15 s.", lambda one: one.cores_used),
    ("waiting_cores", "Cores' worth of time that threads waited to run over 15 s.", lambda one: one.waiting_cores),
    ("usable_cores", "Cores that mask and quota allow.", lambda one: one.usable_cores),
    ("resident_bytes", "Resident memory of all its processes.", lambda one: one.resident_bytes),
    ("accept_queue_connections", "Connections that wait for accept().", lambda one: one.accept_queue),
    ("requests_per_second", "Requests answered, as its metrics page says.", lambda one: one.requests_per_second),
    ("latency_seconds", "Mean latency, as its metrics page says.", lambda one: one.latency_seconds),
    ("gpu_memory_bytes", "GPU memory of its processes, where it is known of all.", lambda one: one.gpu_memory_bytes),
    ("gpu_sm_ratio", "Shares of GPU time of its processes, added up.", lambda one: one.gpu_sm_ratio),
    ("gpu_contexts", "Its processes on GPUs.", lambda one: one.gpu_contexts),
    ("worker_processes", "Processes that run models.", lambda one: one.workers),
    ("loaded_ratio", "1 while it is under load, else 0.", lambda one: float(one.state == "loaded")),
)


def _of_services(services: Iterable[ServiceStatus]) -> Iterator["Metric"]:
    """Two services of one name (the same application under two owners) add up; of their latencies the longer stands."""
    for field, text, read in _OF_SERVICE:
        values: dict[Labels, float] = {}
        for service in services:
            value = read(service)
            if value is None:
                continue
            labels = (("service", service.name),)
            both = (values.get(labels, 0.0), value)
            values[labels] = max(both) if field in {"latency_seconds", "loaded_ratio"} else sum(both)
        if values:
            yield _family(f"{PREFIX}_service_{field}", text, False, values)


def _of_gpus(snapshot: Snapshot) -> Iterator["Metric"]:
    """What each GPU is, as labels to join with, and how the processes are that read them."""
    known: dict[Labels, float] = {}
    for gpu in snapshot.node.gpus:
        index = "" if gpu.index is None else str(gpu.index)
        parts = (("gpu", gpu.uuid), ("index", index), ("name", gpu.name), ("vendor", gpu.vendor))
        known[(*parts, ("architecture", gpu.architecture or ""), ("driver", gpu.driver or ""))] = 1.0
    if known:
        yield _family(f"{PREFIX}_gpu_info", "What the GPU is.", False, known)
    readers = [reader for reader in snapshot.node.gpu_readers if reader.state != "absent"]
    states: dict[Labels, float] = {(("reader", one.name), ("state", one.state)): 1.0 for one in readers}
    if states:
        yield _family(f"{PREFIX}_gpu_reader_state", "1 for the state in which the reader is.", False, states)
    cpu: dict[Labels, float] = {
        (("reader", one.name),): one.cpu_seconds for one in readers if one.cpu_seconds is not None
    }
    if cpu:
        yield _family(f"{PREFIX}_gpu_reader_cpu_seconds", "CPU time of the reader process.", True, cpu)
    held: dict[Labels, float] = {
        (("reader", one.name),): float(one.resident_bytes) for one in readers if one.resident_bytes is not None
    }
    if held:
        text = "Resident memory of the reader process."
        yield _family(f"{PREFIX}_gpu_reader_resident_memory_bytes", text, False, held)


def _of_self(snapshot: Snapshot) -> Iterator["Metric"]:
    own = snapshot.self_status
    durations: dict[Labels, float] = {(("collector", one.name),): one.duration_seconds for one in own.collectors}
    yield _family(f"{PREFIX}_build_info", "The version that runs.", False, {(("version", own.version),): 1.0})
    if durations:
        yield _family(f"{PREFIX}_collector_duration_seconds", "How long the last run took.", False, durations)
    readable: dict[Labels, float] = {(("collector", one.name),): float(one.status == "ok") for one in own.collectors}
    if readable:
        yield _family(f"{PREFIX}_collector_success_ratio", "1 if the last run could read, else 0.", False, readable)
    yield _family(f"{PREFIX}_self_cpu_seconds", "CPU time used by the agent.", True, {(): own.cpu_seconds})
    if own.resident_bytes is not None:
        text = "Resident memory of the agent."
        yield _family(f"{PREFIX}_self_resident_memory_bytes", text, False, {(): float(own.resident_bytes)})
    yield from _of_profiling(own.profiling)
    yield _family(f"{PREFIX}_self_ticks", "Rounds of sampling.", True, {(): float(own.ticks)})
    yield _family(f"{PREFIX}_self_late_ticks", "Rounds that began late.", True, {(): float(own.late_ticks)})


def _of_profiling(status: ProfilingStatus | None) -> Iterator["Metric"]:
    if status is None:
        return
    cpu = "CPU time of the profilers, which all counts as taken from the workers."
    yield _family(f"{PREFIX}_profiling_cpu_seconds", cpu, True, {(): status.cpu_seconds})
    stopped = "How long workers were held still for blocking profiles."
    yield _family(f"{PREFIX}_profiling_stopped_seconds", stopped, True, {(): status.stopped_seconds})
    steady = "Share of one core over the last ten minutes of what nobody asked for."
    yield _family(f"{PREFIX}_profiling_steady_ratio", steady, False, {(): status.steady_ratio})
    taken: dict[Labels, float] = {
        (("kind", "burst"),): float(status.bursts), (("kind", "probe"),): float(status.probes),
    }  # fmt: skip
    yield _family(f"{PREFIX}_profiling_profiles", "Profiles taken.", True, taken)
    yield _family(f"{PREFIX}_profiling_failures", "Profiles that could not be taken.", True, {(): float(status.failed)})
    early = "Profiles that ended as their service got slower meanwhile."
    yield _family(f"{PREFIX}_profiling_stopped_early", early, True, {(): float(status.stopped_early)})


def _of_findings(snapshot: Snapshot) -> "Metric":
    values: dict[Labels, float] = {
        (("rule", one.rule), ("service", _service_of(one, snapshot)), ("severity", one.severity)): 1.0
        for one in snapshot.advice.findings
        if one.state == "open"
    }
    return _family(f"{PREFIX}_finding", "1 while a finding is open.", False, values)


def _service_of(finding: Finding, snapshot: Snapshot) -> str:
    """The service that a finding is about; empty for one about the node or a device."""
    subject = finding.subject
    if subject.kind == "service":
        return subject.name
    pids = frozenset(subject.pids)
    return next((one.name for one in snapshot.services if not pids.isdisjoint(one.pids)), "")
