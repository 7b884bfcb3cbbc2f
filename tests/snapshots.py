"""What does a node look like through the agent? One constructed snapshot that tests of HTTP and screens share.

Two services: one oversubscribed, one healthy; findings of every severity; one rule without a conclusion.
"""

from typing import Literal

import msgspec

from advisor.documents import (
    AdviceDocument,
    CollectorStatus,
    CoreStatus,
    ModelStatus,
    NodeStatus,
    SelfStatus,
    ServiceStatus,
    ServiceVerdict,
    Snapshot,
    ThreadStatus,
    WorkerStatus,
)
from advisor.finding import Change, Evidence, Finding, Gain, Inconclusive, Need, Rejected, Severity, Subject, finding_id
from collectors.levers import Lever, Place, Setting

NOW = "2026-11-20T10:00:00Z"
EARLIER = "2026-11-20T09:45:00Z"
LOADED = "gunicorn/app:8000"
HEALTHY = "mlserver/iris:8080"
LOADED_ID = "a1b2c3d4e5f6"
HEALTHY_ID = "0f1e2d3c4b5a"
FindingState = Literal["open", "acknowledged", "snoozed", "resolved", "superseded"]
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
    )
    return msgspec.structs.replace(snapshot, **changes) if changes else snapshot


def empty_snapshot(generation: int = 1) -> Snapshot:
    """A node on which no model server runs."""
    example = example_snapshot(generation)
    advice = msgspec.structs.replace(example.advice, services=(), findings=(), inconclusive=())
    return msgspec.structs.replace(example, services=(), workers=(), models=(), advice=advice)


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
    rule: str, service: str | None, severity: Severity, rank: int, *, title: str, state: FindingState = "open"
) -> Finding:
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
        )
        for offset, thread_class in ((0, "main"), (1000, "compute"))
    )


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
