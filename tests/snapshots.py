"""What does a node look like through the agent? One constructed snapshot that tests of HTTP and screens share.

Two services: one oversubscribed, one healthy; findings of every severity; one rule without a conclusion.
"""

from typing import Any, Literal

import msgspec

from advisor.documents import (
    AdviceDocument,
    CollectorStatus,
    CoreStatus,
    FindingEvent,
    GpuProcessStatus,
    GpuStatus,
    LimitsStatus,
    ModelStatus,
    NodeStatus,
    ReaderStatus,
    SelfStatus,
    ServiceStatus,
    ServiceVerdict,
    Snapshot,
    ThreadStatus,
    Turn,
    WorkerStatus,
)
from advisor.finding import (
    Acknowledgement,
    Change,
    Evidence,
    Finding,
    Gain,
    Inconclusive,
    Need,
    Rejected,
    Severity,
    Subject,
    finding_id,
)
from advisor.migration.result import MigrationEstimate
from advisor.view import ThreadView
from collectors.cpulist import parse_cpulist
from collectors.gpu.states import GpuState
from collectors.levers import Lever, Place, Setting

NOW = "2026-11-20T10:00:00Z"
EARLIER = "2026-11-20T09:45:00Z"
LATER = "2026-11-27T09:45:00Z"
LOADED = "gunicorn/app:8000"
HEALTHY = "mlserver/iris:8080"
LOADED_ID = "a1b2c3d4e5f6"
HEALTHY_ID = "0f1e2d3c4b5a"
FindingState = Literal["open", "acknowledged", "snoozed", "resolved", "superseded"]
GIB = 1 << 30
H100, L40S, H200 = "GPU-7b1c4d5e", "GPU-40aa11bb", "GPU-99c0ffee"
MIG_SMALL, MIG_LARGE = "MIG-1111aaaa", "MIG-2222bbbb"
VERDICT = "2 workers × 2 BLAS threads share 2 cores: set one thread per worker"


def example_snapshot(generation: int = 1, **changes: object) -> Snapshot:
    """The example at `generation`; `changes` replace whole fields of the snapshot."""
    snapshot = Snapshot(
        generation=generation,
        node=_node(),
        services=(_loaded_service(), _healthy_service()),
        workers=_workers(),
        models=(
            ModelStatus(name="bert", version=None, runtime="onnxruntime", path="/srv/bert.onnx", service=LOADED),
            ModelStatus(name="iris", version="v1", runtime="sklearn", path="/srv/iris", service=HEALTHY),
        ),
        migrations=(
            MigrationEstimate(service=LOADED, needs=Need(kind="profile", text="a profile of its workers under load")),
            MigrationEstimate(service=HEALTHY, needs=Need(kind="load", text="requests that keep its workers busy")),
        ),
        self_status=_self_status(),
        advice=AdviceDocument(
            node="node-1",
            generated_at=NOW,
            services=(
                ServiceVerdict(name=LOADED, verdict=VERDICT, state="loaded"),
                ServiceVerdict(name=HEALTHY, verdict="nothing holds it back", state="idle"),
            ),
            findings=example_findings(),
            inconclusive=(
                Inconclusive(
                    rule="gil-bound-worker",
                    subject=Subject(kind="worker", name=f"{LOADED} worker 1", pids=(101,)),
                    needs=Need(kind="privilege", text="CAP_SYS_PTRACE for pid 101"),
                ),
            ),
        ),
        threads={pid: thread_views(pid) for pid in (101, 102)},
    )
    return msgspec.structs.replace(snapshot, **changes) if changes else snapshot


def empty_snapshot(generation: int = 1) -> Snapshot:
    """A node on which no model server runs."""
    example = example_snapshot(generation)
    advice = msgspec.structs.replace(example.advice, services=(), findings=(), inconclusive=())
    return msgspec.structs.replace(example, services=(), workers=(), models=(), advice=advice)


def gpu_snapshot(generation: int = 1) -> Snapshot:
    """The example on a node with GPUs: one that counts its activity, one that does not, one divided, one lost. The loaded
    service is on the first, the healthy one on the second; a reader of another vendor may not read."""
    example = example_snapshot(generation)
    loaded, healthy = example.services
    loaded = msgspec.structs.replace(loaded, gpus=(H100,), gpu_memory_bytes=21 * GIB, gpu_sm_ratio=0.66, gpu_contexts=2)
    healthy = msgspec.structs.replace(healthy, gpus=(L40S,), gpu_contexts=1)
    front, first, second, other = example.workers
    workers = (
        front,
        msgspec.structs.replace(first, gpu_memory_bytes=12 * GIB, gpu_sm_ratio=0.35),
        msgspec.structs.replace(second, gpu_memory_bytes=9 * GIB, gpu_sm_ratio=0.31),
        other,
    )
    readers = (_reader("nvidia", "ok", ""), _reader("amd", "permission", "/dev/kfd: add the agent to group render"))
    node = msgspec.structs.replace(example.node, gpus=example_gpus(), gpu_readers=readers)
    return msgspec.structs.replace(example, node=node, services=(loaded, healthy), workers=workers)


def closed_snapshot() -> Snapshot:
    """The example where nobody may look inside the processes, and a lever may be set where nobody could look."""
    example = example_snapshot()
    reason = "environment: no permission (grant CAP_SYS_PTRACE, or run nodewright sidecar as root)"
    workers = tuple(
        msgspec.structs.replace(one, missing=(reason,), proportional_bytes=None, waiting_cores=None)
        for one in example.workers
    )
    setting = Setting(lever=Lever.COMPUTE_THREADS, value=None, origin="environment not readable")
    services = tuple(
        msgspec.structs.replace(one, settings=(*one.settings[:1], setting), limits=None) for one in example.services
    )
    return msgspec.structs.replace(example, workers=workers, services=services)


def unreadable_gpu_snapshot(state: GpuState = "driver mismatch") -> Snapshot:
    """The example on a node whose NVIDIA reader is in this state, so that nothing is known of its GPUs."""
    hint = "the driver's libraries were updated but the old kernel module is loaded: reboot, or reload it"
    example = example_snapshot()
    reader = _reader("nvidia", state, hint, heartbeat=0.4, restarts=4)
    node = msgspec.structs.replace(example.node, gpu_readers=(reader, _reader("amd", "absent", "")))
    return msgspec.structs.replace(example, node=node)


def gpuless_snapshot() -> Snapshot:
    """The example on a node on which two readers found nothing."""
    example = example_snapshot()
    absent = (_reader("nvidia", "absent", ""), _reader("amd", "absent", ""))
    return msgspec.structs.replace(example, node=msgspec.structs.replace(example.node, gpu_readers=absent))


def example_history() -> tuple[FindingEvent, ...]:
    """Of the loaded service's first finding: seen, put off, there again and worse."""
    first = example_findings()[0]

    def event(
        at: str, turn: Turn, severity: Severity, owner: str | None = None, note: str | None = None
    ) -> FindingEvent:
        return FindingEvent(
            at=at, finding=first.id, event=turn, rule=first.rule, subject=LOADED, severity=severity, title=first.title,
            owner=owner, note=note,
        )  # fmt: skip

    return (
        event("2026-11-20T09:50:00Z", "severity-changed", Severity.HIGH, note="was medium"),
        event(EARLIER, "opened", Severity.MEDIUM),
        event("2026-11-18T17:20:00Z", "resolved", Severity.MEDIUM),
        event("2026-11-18T09:00:00Z", "expired", Severity.MEDIUM, "ada", "after the release"),
        event(
            "2026-11-16T09:00:00Z", "snoozed", Severity.MEDIUM, "ada", "after the release (until 2026-11-18T09:00:00Z)"
        ),
        event("2026-11-16T08:12:00Z", "opened", Severity.MEDIUM),
    )


def example_gpus() -> tuple[GpuStatus, ...]:
    return (
        _h100(),
        _l40s(),
        _gpu(
            H200, 2, "NVIDIA H200", mig=True, memory_total_bytes=150 * GIB, memory_used_bytes=41 * GIB, power_watts=210.0,
            temperature_celsius=44.0, unsupported=("Gpm",),
        ),
        _gpu(
            MIG_SMALL, 2, "NVIDIA H200 MIG 1g.18gb", parent=H200, memory_total_bytes=16 * GIB, memory_used_bytes=GIB,
            memory_free_bytes=15 * GIB, sm_active_ratio=0.0, compute_mode="default", unknown_processes=0,
        ),
        _gpu(MIG_LARGE, 2, "NVIDIA H200 MIG 3g.71gb", parent=H200),
        _gpu("lost-3", 3, "NVIDIA H100 80GB HBM3", state="lost"),
    )  # fmt: skip


def _h100() -> GpuStatus:
    """Everything is readable. Its memory: 21 GiB of two workers, 2 GiB of a process elsewhere, 1 GiB of nobody known."""
    return _gpu(
        H100, 0, "NVIDIA H100 80GB HBM3", architecture="hopper", compute_capability="9.0", numa_node=0, cpus="0-23",
        pci="0000:83:00.0", mps=True, compute_mode="exclusive-process", memory_total_bytes=85_520_809_984,
        memory_reserved_bytes=503_316_480, memory_used_bytes=24 * GIB, memory_free_bytes=55 * GIB,
        memory_unknown_bytes=GIB, busy_ratio=0.97, memory_busy_ratio=0.3, sm_active_ratio=0.63, sm_occupancy_ratio=0.41,
        tensor_active_ratio=0.22, dram_active_ratio=0.004, pcie_tx_bytes_per_second=float(GIB),
        pcie_rx_bytes_per_second=3.5 * GIB, pcie_generation=5, pcie_generation_max=5, pcie_width=8, pcie_width_max=16,
        sm_clock_hertz=1755e6, sm_clock_max_hertz=1980e6, power_watts=698.0, power_limit_watts=700.0,
        temperature_celsius=71.0, power_cap_ratio=0.12, software_thermal_ratio=0.0, hardware_thermal_ratio=0.0,
        power_brake_ratio=0.0, xid_events=1, last_xid=43, ecc_uncorrected=0, remap_pending=False, remap_failed=False,
        unknown_processes=1, other_readers=("nv-hostengine",),
        processes=(
            _on_gpu(101, LOADED, 1, 12 * GIB, 0.35), _on_gpu(102, LOADED, 2, 9 * GIB, 0.31),
            GpuProcessStatus(
                pid=31337, service=None, slot=None, contexts=("compute",), memory_bytes=2 * GIB, sm_ratio=None, joined=False
            ),
            _on_gpu(777, None, None, None, 0.0),
        ),
    )  # fmt: skip


def _l40s() -> GpuStatus:
    """It counts no activity; its driver names a process and tells nothing of it."""
    return _gpu(
        L40S, 1, "NVIDIA L40S", architecture="ada", compute_capability="8.9", memory_total_bytes=45 * GIB,
        memory_used_bytes=5 * GIB, memory_free_bytes=40 * GIB, busy_ratio=0.98, pcie_tx_bytes_per_second=1e6,
        pcie_rx_bytes_per_second=2e6, pcie_sampled=True, pcie_generation=4, pcie_generation_max=4, pcie_width=16,
        pcie_width_max=16, power_watts=88.0, power_limit_watts=350.0, temperature_celsius=39.0, unknown_processes=0,
        processes=(_on_gpu(201, HEALTHY, 0, None, None),),
        unsupported=("GpmSupport", "ClocksEventReasonCounters", "ProcessUtilization"),
    )  # fmt: skip


def _gpu(uuid: str, index: int, name: str, **known: Any) -> GpuStatus:
    """A device of which only `known` is readable."""
    fields: dict[str, Any] = dict.fromkeys(GpuStatus.__struct_fields__)
    told = {"processes": (), "other_readers": (), "unsupported": (), "pcie_sampled": False}
    flags = {"mig": False, "unified_memory": False, "state": "ok", "vendor": "nvidia"}
    of_node = {"driver": "590.48.01", "cuda": "13.1", "uuid": uuid, "index": index, "name": name}
    return GpuStatus(**fields | told | flags | of_node | known)


def _on_gpu(pid: int, service: str | None, slot: int | None, memory: int | None, sm: float | None) -> GpuProcessStatus:
    return GpuProcessStatus(
        pid=pid, service=service, slot=slot, contexts=("compute",), memory_bytes=memory, sm_ratio=sm, joined=True
    )


def _reader(name: str, state: GpuState, detail: str, heartbeat: float | None = None, restarts: int = 0) -> ReaderStatus:
    return ReaderStatus(
        name=name,
        state=state,
        detail=detail,
        since_seconds=180.0,
        heartbeat_seconds=heartbeat,
        restarts=restarts,
        cpu_seconds=None,
        resident_bytes=None,
    )


def example_findings() -> tuple[Finding, ...]:
    """One finding of each severity: four open (one a symptom, one of the node), one acknowledged."""
    cause = _oversubscribed()
    switches = _finding("context-switch-storm", LOADED, Severity.MEDIUM, 2, title="Threads preempt each other")
    return (
        cause,
        _finding("memory-pressure", None, Severity.CRITICAL, 1, title="Tasks stall on memory"),
        msgspec.structs.replace(switches, because_of=cause.id),
        _finding(
            "thread-default-ignores-quota",
            HEALTHY,
            Severity.LOW,
            1,
            title="Pool sized by the host",
            state="acknowledged",
            acknowledgement=Acknowledgement(
                state="acknowledged", reason="new node on Friday", owner="ada", at=EARLIER, until=LATER
            ),
        ),
        _finding("workers-idle-rightsizing", HEALTHY, Severity.INFO, 2, title="Two of four workers are never needed"),
    )


def _oversubscribed() -> Finding:
    return Finding(
        id=finding_id("cpu-oversubscribed-openmp", Subject(kind="service", name=LOADED), LOADED_ID),
        rank=1,
        rule="cpu-oversubscribed-openmp",
        severity=Severity.HIGH,
        confidence=0.86,
        state="open",
        subject=Subject(kind="service", name=LOADED, pids=(101, 102)),
        title="More compute threads than cores",
        summary="4 OpenBLAS threads of 2 workers wait 1.9 cores' worth of time for the 2 cores that they may use.",
        evidence=(
            Evidence(
                metric="waiting_cores", unit="cores", observed=1.9, threshold=0.5, window_seconds=15.0, samples=15
            ),
            Evidence(
                metric="usable_cores", unit="cores", observed=2.0, threshold=None, window_seconds=15.0, samples=15
            ),
        ),
        rejected=(Rejected("cgroup-cpu-throttled", "nr_throttled did not grow"),),
        changes=(
            Change(
                lever=Lever.COMPUTE_THREADS,
                current=2,
                proposed=1,
                how=(
                    Place(
                        kind="env",
                        target="gunicorn",
                        key="OMP_NUM_THREADS",
                        value="1",
                        effective=True,
                        because="no code sets the thread count",
                    ),
                    Place(
                        kind="systemd",
                        target="app.service",
                        key="Environment",
                        value="OMP_NUM_THREADS=1",
                        effective=True,
                        because=None,
                    ),
                ),
            ),
        ),
        gains=(
            Gain(metric="throughput_ratio", p10=2.1, p50=4.0, p90=9.0),
            Gain(metric="latency_p99_ratio", p10=0.03, p50=0.1, p90=0.4),
        ),
        because_of=None,
        first_seen=EARLIER,
        last_seen=NOW,
    )


def _finding(
    rule: str, service: str | None, severity: Severity, rank: int, *, title: str, state: FindingState = "open",
    acknowledgement: Acknowledgement | None = None,
) -> Finding:  # fmt: skip
    pids = {LOADED: (101, 102), HEALTHY: (201,)}
    subject = Subject(kind="node", name="node-1")
    if service is not None:
        subject = Subject(kind="service", name=service, pids=pids[service])
    identity = {LOADED: LOADED_ID, HEALTHY: HEALTHY_ID}
    return Finding(
        id=finding_id(rule, subject, identity.get(service) if service else None),
        rank=rank,
        rule=rule,
        severity=severity,
        confidence=0.7,
        state=state,
        subject=subject,
        title=title,
        summary=f"{title}: a constructed example.",
        evidence=(
            Evidence(metric="cores_used", unit="cores", observed=1.2, threshold=1.0, window_seconds=15.0, samples=15),
        ),
        rejected=(),
        changes=(),
        gains=(),
        because_of=None,
        first_seen=EARLIER,
        last_seen=NOW,
        acknowledgement=acknowledgement,
    )


def _node() -> NodeStatus:
    return NodeStatus(
        node="node-1",
        at=NOW,
        cores=(
            CoreStatus(cpu=0, node=0, sibling_of=0, busy_ratio=0.97, steal_ratio=0.0, iowait_ratio=0.0),
            CoreStatus(cpu=1, node=0, sibling_of=0, busy_ratio=0.93, steal_ratio=0.01, iowait_ratio=0.0),
            CoreStatus(cpu=2, node=0, sibling_of=2, busy_ratio=0.04, steal_ratio=0.0, iowait_ratio=0.02),
            CoreStatus(cpu=3, node=0, sibling_of=2, busy_ratio=None, steal_ratio=None, iowait_ratio=None),
        ),
        memory_total_bytes=8 << 30,
        memory_available_bytes=5 << 30,
        swap_used_bytes=0,
        pressure_cpu_ratio=0.41,
        pressure_memory_ratio=0.0,
        pressure_io_ratio=None,
        collectors=_collectors(),
    )


def _collectors() -> tuple[CollectorStatus, ...]:
    return (
        CollectorStatus(
            name="cpu", status="ok", reason=None, hint=None, duration_seconds=0.0001, late_seconds=0.0, runs=900
        ),
        CollectorStatus(
            name="pressure", status="unsupported", reason="no PSI", hint="boot with psi=1, kernel >= 4.20",
            duration_seconds=0.00002, late_seconds=0.0, runs=900,
        ),
        CollectorStatus(
            name="serving", status="failed", reason="ConnectionRefusedError: 127.0.0.1:8082", hint=None,
            duration_seconds=0.002, late_seconds=0.001, runs=180,
        ),
    )  # fmt: skip


def _loaded_service() -> ServiceStatus:
    return ServiceStatus(
        id=LOADED_ID,
        name=LOADED,
        framework="gunicorn",
        application="app",
        owner="app.service",
        manager="systemd",
        port=8000,
        state="loaded",
        verdict=VERDICT,
        workers=2,
        pids=(100, 101, 102),
        cores_used=1.94,
        waiting_cores=1.9,
        usable_cores=2.0,
        resident_bytes=512 << 20,
        requests_per_second=41.5,
        latency_seconds=0.21,
        accept_queue=7.0,
        settings=(
            Setting(lever=Lever.WORKERS, value=2, origin="argument"),
            Setting(lever=Lever.COMPUTE_THREADS, value=2, origin="default"),
        ),
        errors_per_second=0.3,
        latency_p50_seconds=0.18,
        latency_p99_seconds=0.62,
        in_flight=4.0,
        server_queue=5.0,
        metrics_age_seconds=4.0,
        limits=LimitsStatus(
            cpu_quota_cores=2.0, throttled_ratio=0.12, cpus="0-1", memory_limit_bytes=GIB, memory_used_bytes=600 << 20
        ),
    )


def _healthy_service() -> ServiceStatus:
    return ServiceStatus(
        id=HEALTHY_ID,
        name=HEALTHY,
        framework="mlserver",
        application="iris",
        owner=None,
        manager="bare",
        port=8080,
        state="idle",
        verdict="nothing holds it back",
        workers=1,
        pids=(201,),
        cores_used=0.02,
        waiting_cores=None,
        usable_cores=4.0,
        resident_bytes=180 << 20,
        requests_per_second=None,
        latency_seconds=None,
        accept_queue=0.0,
        settings=(Setting(lever=Lever.WORKERS, value=1, origin="file settings.json"),),
    )


def _workers() -> tuple[WorkerStatus, ...]:
    return (
        _worker(100, LOADED, "front-end", 0, 0.01, "gunicorn: master [app]"),
        _worker(101, LOADED, "worker", 1, 0.97, "gunicorn: worker [app]", busiest=_threads(101)),
        _worker(102, LOADED, "worker", 2, 0.96, "gunicorn: worker [app]", busiest=_threads(102)),
        _worker(201, HEALTHY, "front-end", 0, 0.02, "mlserver start /srv/iris --token=[redacted]"),
    )


def _worker(
    pid: int, service: str, role: str, slot: int, cores: float, command: str, busiest: tuple[ThreadStatus, ...] = ()
) -> WorkerStatus:
    return WorkerStatus(
        pid=pid,
        started=40000 + pid,
        service=service,
        role=role,
        slot=slot,
        command=command,
        cores_used=cores,
        waiting_cores=0.95 if busiest else None,
        resident_bytes=170 << 20,
        threads=4,
        active_threads=2 if busiest else 1,
        allowed_cpus="0-1" if service == LOADED else "0-3",
        missing=() if busiest else ("environment: needs CAP_SYS_PTRACE (nodewright sidecar)",),
        busiest=busiest,
        proportional_bytes=96 << 20 if busiest else None,
        major_faults_per_second=0.4 if busiest else 0.0,
        state="R" if busiest else "S",
    )


def _threads(pid: int) -> tuple[ThreadStatus, ...]:
    return tuple(
        ThreadStatus(
            tid=pid + offset,
            name="gunicorn",
            thread_class=thread_class,
            state="R",
            cores_used=0.48,
            waiting_cores=0.47,
            last_cpu=offset // 1000,
            allowed_cpus="0-1",
            cpus_seen=((0, 0.75), (1, 0.25)),
        )
        for offset, thread_class in ((0, "main"), (1000, "compute"))
    )


def example_threads(pid: int) -> tuple[ThreadStatus, ...]:
    """What `/v1/workers/PID/threads` answers of a worker of the loaded service: two that run, and two that sleep."""
    quiet = (("grpc_global_tim", "io"), ("Thread-1", "python"))
    return _threads(pid) + tuple(
        ThreadStatus(
            tid=pid + 2000 + number,
            name=name,
            thread_class=thread_class,
            state="S",
            cores_used=0.0,
            waiting_cores=0.0,
            last_cpu=number,
            allowed_cpus="0-1",
        )
        for number, (name, thread_class) in enumerate(quiet)
    )


def thread_views(pid: int) -> tuple[ThreadView, ...]:
    """The same as the agent has them."""
    return tuple(
        ThreadView(
            tid=one.tid, name=one.name, thread_class=one.thread_class, state=one.state,
            cores_used=one.cores_used or 0.0, waiting_cores=one.waiting_cores or 0.0, last_cpu=one.last_cpu,
            allowed=parse_cpulist(one.allowed_cpus or ""), cpus_seen=dict(one.cpus_seen),
        )
        for one in example_threads(pid)
    )  # fmt: skip


def _self_status() -> SelfStatus:
    return SelfStatus(
        version="0.1.0",
        uptime_seconds=900.0,
        cpu_seconds=4.2,
        resident_bytes=41 << 20,
        sidecar="running",
        sidecar_cpu_seconds=0.3,
        sidecar_resident_bytes=19 << 20,
        ticks=900,
        late_ticks=2,
        worst_late_seconds=0.12,
        interval_seconds=1.0,
        collectors=_collectors(),
        store_bytes=3 << 20,
        store_problem=None,
    )
