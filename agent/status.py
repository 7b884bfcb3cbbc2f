"""Builds the documents about the node, its services and workers from what was read and judged."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from advisor.board import timestamp
from advisor.capacity import capacity_of
from advisor.costs import cost_of
from advisor.documents import (
    CollectorStatus,
    CoreStatus,
    LimitsStatus,
    ModelStatus,
    NodeStatus,
    ReaderStatus,
    ServiceStatus,
    ThreadStatus,
    WorkerStatus,
)
from advisor.execution import execution_of
from advisor.facts import ServiceFacts
from advisor.gpu.view import GpuView
from advisor.measured import MeasuredCapacity
from advisor.prices import NodePrice
from advisor.serving_rates import ServingRates
from advisor.tracks import delta
from advisor.view import CgroupView, ThreadView, View
from agent.gpu_status import gpu_statuses, of_service, of_worker
from agent.judging import state_of
from collectors.cpulist import format_cpulist
from collectors.entities import Service, Worker
from collectors.reading import Instant, Unsupported
from collectors.redaction import redact_argv
from collectors.sample import Sample
from collectors.sources.cpu import CoreSample
from collectors.sources.memory import MemorySample
from collectors.sources.pressure import PressureSample
from collectors.topology import Topology

Samples = Mapping[str, Mapping[str, Sample]]
SHOWN_THREADS = 8
_SERVING = ServingRates.__struct_fields__


class NodePicture:
    """Keeps the previous counters of cores and pressure, so that each picture shows the time since they were read before. Where
    they were not read anew since the last picture, as when a recording ends with a judgement, it shows what that one did."""

    def __init__(self, node: str, topology: Topology) -> None:
        self._node = node
        self._topology = {cpu.cpu: cpu for cpu in topology.cpus}
        self._cores: Mapping[str, Sample] = {}
        self._pressure: Mapping[str, Sample] = {}
        self._at: Instant | None = None
        """Of the pressure."""
        self._runs: dict[str, int | None] = {}
        self._busy: tuple[CoreStatus, ...] = ()
        self._stalls: tuple[float | None, float | None, float | None] = (None, None, None)

    def take(
        self,
        samples: Samples,
        collectors: Sequence[CollectorStatus],
        now: Instant,
        gpus: Sequence[GpuView] = (),
        services: Sequence[Service] = (),
        readers: tuple[ReaderStatus, ...] = (),
        price: NodePrice | None = None,
    ) -> NodeStatus:
        runs = {one.name: one.runs for one in collectors}
        if runs.get("cpu") != self._runs.get("cpu"):
            self._take_cores(samples.get("core", {}))
        if runs.get("pressure") != self._runs.get("pressure"):
            self._take_pressure(samples.get("pressure", {}), now)
        self._runs = runs
        memory = samples.get("memory", {}).get("node")
        known = memory if isinstance(memory, MemorySample) else None
        cpu, memory_stalls, io = self._stalls
        return NodeStatus(
            node=self._node,
            at=timestamp(now),
            cores=self._busy,
            memory_total_bytes=_bytes(known.total_kib if known else None),
            memory_available_bytes=_bytes(known.available_kib if known else None),
            swap_used_bytes=_swap(known),
            pressure_cpu_ratio=cpu,
            pressure_memory_ratio=memory_stalls,
            pressure_io_ratio=io,
            collectors=tuple(collectors),
            gpus=gpu_statuses(gpus, samples.get("gpu_info", {}), services),
            gpu_readers=readers,
            price=price,
        )

    def _take_cores(self, cores: Mapping[str, Sample]) -> None:
        self._busy = tuple(self._core(entity, sample) for entity, sample in cores.items())
        self._cores = cores

    def _take_pressure(self, pressure: Mapping[str, Sample], now: Instant) -> None:
        seconds = None if self._at is None else (now.mono_ns - self._at.mono_ns) * 1e-9
        cpu, memory, io = (self._stalled(name, pressure, seconds) for name in ("cpu", "memory", "io"))
        self._stalls, self._pressure, self._at = (cpu, memory, io), pressure, now

    def _core(self, entity: str, sample: Sample) -> CoreStatus:
        number = int(entity.partition(":")[2])
        place = self._topology.get(number)
        before = self._cores.get(entity)
        busy = steal = waits = None
        if isinstance(sample, CoreSample) and isinstance(before, CoreSample):
            names = ("user_ticks", "system_ticks", "irq_ticks", "steal_ticks", "iowait_ticks", "idle_ticks")
            moved = {name: delta(getattr(sample, name), getattr(before, name)) for name in names}
            if total := sum(moved.values()):
                busy = (moved["user_ticks"] + moved["system_ticks"] + moved["irq_ticks"]) / total
                steal, waits = moved["steal_ticks"] / total, moved["iowait_ticks"] / total
        return CoreStatus(
            cpu=number,
            node=place.node if place else None,
            sibling_of=min(place.siblings, default=number) if place else None,
            busy_ratio=busy,
            steal_ratio=steal,
            iowait_ratio=waits,
        )

    def _stalled(self, resource: str, pressure: Mapping[str, Sample], seconds: float | None) -> float | None:
        now, before = pressure.get(f"pressure:{resource}"), self._pressure.get(f"pressure:{resource}")
        if not isinstance(now, PressureSample) or not isinstance(before, PressureSample) or not seconds:
            return None
        return min(1.0, delta(now.some_us, before.some_us) * 1e-6 / seconds)


def service_status(
    service: Service,
    view: View | None,
    facts: ServiceFacts,
    verdict: str,
    generation: int = 0,
    measured: MeasuredCapacity | None = None,
) -> ServiceStatus:
    queue = view.accept_queue if view else ()
    serving: dict[str, Any] = {name: getattr(view, name, None) for name in _SERVING}
    capacity = capacity_of(view, msgspec.structs.replace(facts, measured=measured)) if view else None
    return ServiceStatus(
        id=service.id,
        name=service.name,
        framework=service.framework,
        application=service.application,
        owner=service.owner,
        manager=service.manager,
        port=service.port,
        state=state_of(view),
        verdict=verdict,
        workers=len(service.serving),
        pids=service.pids,
        cores_used=_round(view.cores_used) if view and view.samples else None,
        waiting_cores=_round(view.waiting_cores) if view and view.samples and view.delay_readable else None,
        usable_cores=_round(view.effective_cores) if view and view.cores else None,
        resident_bytes=view.resident_bytes if view else None,
        accept_queue=sum(queue) / len(queue) if queue else None,
        settings=facts.settings,
        chains=service.chains,
        pod=service.container.pod if service.container else None,
        namespace=service.container.namespace if service.container else None,
        container=service.container.name if service.container else None,
        orphaned=service.orphaned,
        metrics_age_seconds=view.metrics_age_seconds if view else None,
        capacity=capacity,
        cost=cost_of(view, facts.price, capacity) if view else None,
        generation=generation,
        measured=measured,
        limits=limits_status(view.cgroup) if view else None,
        **of_service(view.gpus if view else ()),
        **serving,
    )


def limits_status(cgroup: CgroupView | None) -> LimitsStatus | None:
    if cgroup is None:
        return None
    return LimitsStatus(
        cpu_quota_cores=cgroup.quota_cores,
        throttled_ratio=cgroup.throttled_ratio if cgroup.quota_cores is not None else None,
        cpus=format_cpulist(cgroup.cpus) if cgroup.cpus else None,
        memory_limit_bytes=cgroup.memory_limit_bytes,
        memory_used_bytes=cgroup.memory_current_bytes,
    )


def worker_status(worker: Worker, view: View | None, facts: ServiceFacts) -> WorkerStatus:
    seen = next((w for w in view.workers if w.key == worker.key), None) if view else None
    known = view is not None and view.samples > 0 and seen is not None
    return WorkerStatus(
        pid=worker.pid,
        started=worker.key.started,
        service=worker.service,
        role=worker.role,
        slot=worker.slot,
        command=command_line(worker.process.argv),
        cores_used=_round(seen.cores_used) if known and seen else None,
        waiting_cores=_round(seen.waiting_cores) if known and seen and seen.waiting_cores is not None else None,
        resident_bytes=seen.resident_bytes if seen else None,
        threads=seen.thread_count if seen else None,
        active_threads=len(seen.active_threads) if known and seen else None,
        allowed_cpus=format_cpulist(seen.allowed) if seen and seen.allowed else None,
        missing=missing_of(worker, facts),
        busiest=tuple(thread_status(t) for t in seen.threads[:SHOWN_THREADS]) if seen else (),
        proportional_bytes=seen.proportional_bytes if seen else None,
        major_faults_per_second=seen.major_faults_per_second if known and seen else None,
        state=next((t.state for t in seen.threads if t.tid == worker.pid), None) if seen else None,
        **of_worker(view.gpus if view else (), worker),
    )


def thread_status(thread: ThreadView) -> ThreadStatus:
    return ThreadStatus(
        tid=thread.tid,
        name=thread.name,
        thread_class=thread.thread_class,
        state=thread.state,
        cores_used=_round(thread.cores_used),
        waiting_cores=_round(thread.waiting_cores),
        last_cpu=thread.last_cpu,
        allowed_cpus=format_cpulist(thread.allowed) if thread.allowed else None,
        cpus_seen=tuple((cpu, _round(share)) for cpu, share in sorted(thread.cpus_seen.items())),
    )


def threads_of(view: View | None) -> dict[int, tuple[ThreadView, ...]]:
    """All threads of each process of a service, by its pid."""
    return {worker.key.pid: worker.threads for worker in view.workers} if view else {}


def missing_of(worker: Worker, facts: ServiceFacts) -> tuple[str, ...]:
    """What could not be read inside a worker, each with its hint."""
    known = facts.processes.get(worker.key)
    if known is None:
        return ("not looked into yet",)
    parts = {
        "environment": known.environ,
        "libraries": known.libraries,
        "folder": known.cwd,
        "sockets": known.listening,
    }
    return tuple(f"{name}: {p.reason} ({p.hint})" for name, p in parts.items() if isinstance(p, Unsupported))


def model_statuses(service: Service, view: View | None) -> list[ModelStatus]:
    """The models of one service, with what its window says of how they are executed."""
    execution = execution_of(view, len(service.models) > 1)
    return [
        ModelStatus(
            name=model.name,
            version=model.version,
            runtime=model.runtime,
            path=model.path,
            service=service.name,
            format=model.format or next((one.format for one in model.files), None),
            size_bytes=model.size_bytes,
            parameters=model.parameters,
            files=model.files,
            execution=execution,
        )
        for model in service.models
    ]


@lru_cache(maxsize=1024)
def command_line(argv: tuple[str, ...]) -> str:
    """The redacted command line, without bytes that are not text."""
    return " ".join(redact_argv(argv)).encode("utf-8", "replace").decode("utf-8", "replace")


def _round(value: float) -> float:
    return round(value, 3)


def _bytes(kib: int | None) -> int | None:
    return None if kib is None else kib * 1024


def _swap(memory: MemorySample | None) -> int | None:
    if memory is None or memory.swap_total_kib is None or memory.swap_free_kib is None:
        return None
    return (memory.swap_total_kib - memory.swap_free_kib) * 1024
