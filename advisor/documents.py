"""The documents that the agent answers with and the screens read: one declaration for both sides.

Every HTTP body but `/metrics` is `{"data": <one of these>}` or `{"error": Problem}`.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from advisor.capacity import Capacity
from advisor.execution import Execution
from advisor.finding import Finding, Inconclusive, Severity
from advisor.ledger.outcome import Outcome
from advisor.ledger.scores import Score
from advisor.measured import MeasuredCapacity
from advisor.migration.result import MigrationEstimate
from advisor.plan import Plan
from advisor.prices import CostOf, NodePrice
from advisor.view import ThreadView
from collectors.gpu.states import GpuState
from collectors.levers import Setting
from collectors.model_file import ModelFile


class Problem(msgspec.Struct, frozen=True):
    """An error as data: a stable key, what happened, what to do."""

    key: str
    message: str
    hint: str


class CoreStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One CPU over the last second. Ratios 0..1; None = not known yet."""

    cpu: int
    node: int | None
    sibling_of: int | None
    """The lowest-numbered CPU of the same physical core, itself included."""
    busy_ratio: float | None
    steal_ratio: float | None
    iowait_ratio: float | None


class CollectorStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a collector fares. `status` is ok, unsupported or failed; reason and hint say why and what enables it."""

    name: str
    status: str
    reason: str | None
    hint: str | None
    duration_seconds: float
    late_seconds: float
    runs: int | None
    """Since the agent was started; None = not known, of a moment of the past."""


class ReaderStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How one reader process is. CPU and memory None: there is no process now."""

    name: str
    state: GpuState
    detail: str
    since_seconds: float
    """For how long it is in this state."""
    heartbeat_seconds: float | None
    """How long ago it answered last."""
    restarts: int
    cpu_seconds: float | None
    resident_bytes: int | None


class GpuProcessStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One process on a GPU. `service` None: of none that is known."""

    pid: int
    service: str | None
    slot: int | None
    contexts: tuple[str, ...]
    memory_bytes: int | None
    """None = the driver does not tell."""
    sm_ratio: float | None
    joined: bool
    """Whether a process of this PID namespace is meant."""


class GpuStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One GPU, MIG instance, TPU chip or Neuron device over the last 15 s. None = not readable on this device; `unsupported`
    names what it does not give.

    `busy_ratio` is the share of time in which anything ran on it: it says nothing of how much of it was used.
    """

    uuid: str
    index: int | None
    name: str
    vendor: str
    architecture: str | None
    compute_capability: str | None
    driver: str | None
    cuda: str | None
    pci: str | None
    numa_node: int | None
    cpus: str | None
    state: str
    parent: str | None
    mig: bool
    mps: bool | None
    unified_memory: bool
    compute_mode: str | None
    memory_total_bytes: int | None
    memory_reserved_bytes: int | None
    memory_used_bytes: int | None
    memory_free_bytes: int | None
    memory_unknown_bytes: int | None
    """Used, and of no process whose memory is known."""
    busy_ratio: float | None
    memory_busy_ratio: float | None
    sm_active_ratio: float | None
    sm_occupancy_ratio: float | None
    tensor_active_ratio: float | None
    dram_active_ratio: float | None
    pcie_tx_bytes_per_second: float | None
    pcie_rx_bytes_per_second: float | None
    pcie_sampled: bool
    """The two above are of a few stretches of 20 ms."""
    pcie_generation: int | None
    pcie_generation_max: int | None
    pcie_width: int | None
    pcie_width_max: int | None
    sm_clock_hertz: float | None
    sm_clock_max_hertz: float | None
    power_watts: float | None
    power_limit_watts: float | None
    temperature_celsius: float | None
    power_cap_ratio: float | None
    """Share of time in which the power limit held its clocks down; the next three likewise, for other reasons."""
    software_thermal_ratio: float | None
    hardware_thermal_ratio: float | None
    power_brake_ratio: float | None
    xid_events: int | None
    last_xid: int | None
    ecc_uncorrected: int | None
    remap_pending: bool | None
    remap_failed: bool | None
    unknown_processes: int | None
    processes: tuple[GpuProcessStatus, ...]
    other_readers: tuple[str, ...]
    unsupported: tuple[str, ...]


class PastStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a moment of the past comes to be known: what was sampled before it was judged again."""

    seen_seconds: float
    """How much of the time before it was gone through; the next: as much as any rule looks back on single samples."""
    wanted_seconds: float
    shorter: str | None
    """Why less was gone through; None = there was enough."""
    version: str
    """Of the agent that sampled."""
    rules_changed: tuple[str, ...]
    """Rules that are not those of then: what they say is what they say today."""
    missing: tuple[str, ...]
    """What is not known of that moment, each in a sentence."""


class NodeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The node at one moment. None = not readable here."""

    node: str
    at: str
    cores: tuple[CoreStatus, ...]
    memory_total_bytes: int | None
    memory_available_bytes: int | None
    swap_used_bytes: int | None
    pressure_cpu_ratio: float | None
    pressure_memory_ratio: float | None
    pressure_io_ratio: float | None
    collectors: tuple[CollectorStatus, ...]
    gpus: tuple[GpuStatus, ...] = ()
    gpu_readers: tuple[ReaderStatus, ...] = ()
    """Empty where no reader was started, and in a recording."""
    price: NodePrice | None = None
    """None = its owner has not said what it costs."""
    past: PastStatus | None = None
    """Of a moment that a running agent worked out from what it has stored, else None."""


class LimitsStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What a service's cgroup, or its container, may use at most. None = no limit, or not stated where one could look."""

    cpu_quota_cores: float | None = None
    throttled_ratio: float | None = None
    """Share of the quota's periods of the window in which it was used up; None also where nobody counts them."""
    cpus: str | None = None
    """CPUs that its cpuset allows."""
    memory_limit_bytes: int | None = None
    memory_used_bytes: int | None = None
    """Charged to it, page cache included."""


class ServiceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A service over the last 15 s. `state`: loaded, idle, starting."""

    id: str
    name: str
    framework: str
    application: str
    owner: str | None
    manager: str
    port: int | None
    state: str
    verdict: str
    workers: int
    pids: tuple[int, ...]
    cores_used: float | None
    waiting_cores: float | None
    usable_cores: float | None
    resident_bytes: int | None
    requests_per_second: float | None
    latency_seconds: float | None
    accept_queue: float | None
    settings: tuple[Setting, ...]
    errors_per_second: float | None = None
    latency_p50_seconds: float | None = None
    latency_p99_seconds: float | None = None
    in_flight: float | None = None
    server_queue: float | None = None
    """Requests that wait inside the server, beside `accept_queue`, which the kernel holds."""
    batch_size: float | None = None
    batches_per_second: float | None = None
    queue_seconds: float | None = None
    """Mean time that a request waited inside the server; a part of its latency."""
    tokens_in_per_second: float | None = None
    tokens_out_per_second: float | None = None
    first_token_seconds: float | None = None
    inter_token_seconds: float | None = None
    kv_cache_ratio: float | None = None
    preemptions_per_second: float | None = None
    """Running requests that lost their place in the KV cache and are computed again."""
    model_loads_per_second: float | None = None
    model_evictions_per_second: float | None = None
    """Models that were taken out of memory to make room for others."""
    model_bytes: float | None = None
    model_gpu_bytes: float | None = None
    """What of the models' memory is on GPUs, where the server splits models."""
    chains: tuple[tuple[str, ...], ...] = ()
    """Pipelines, each as the names of its models in order."""
    pod: str | None = None
    namespace: str | None = None
    container: str | None = None
    orphaned: bool = False
    """Its front-end is gone and its workers are still there."""
    metrics_age_seconds: float | None = None
    """How old the server's last metrics page is, from which the numbers above are; None = there was none."""
    gpus: tuple[str, ...] = ()
    """UUIDs of the devices on which its processes are."""
    gpu_memory_bytes: int | None = None
    """Memory of its processes on all of them; None = it has none there, or it is not known of one of them."""
    gpu_sm_ratio: float | None = None
    """Shares of time of its processes, added up per device, then over devices; None likewise."""
    gpu_contexts: int | None = None
    """Processes of it on devices; one that is on two counts twice. None = none is known."""
    capacity: Capacity | None = None
    """None = nothing was seen of it yet."""
    cost: CostOf | None = None
    """None = the owner has not said what the node costs, or the service does no work."""
    generation: int = 0
    """How often its configuration was seen to change."""
    measured: MeasuredCapacity | None = None
    """What a load test found in its present configuration."""
    limits: LimitsStatus | None = None
    """None = its cgroup could not be read."""


class ThreadStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A thread of a worker. `thread_class`: main, compute, python, io, kernel."""

    tid: int
    name: str
    thread_class: str
    state: str
    cores_used: float | None
    waiting_cores: float | None
    last_cpu: int | None
    allowed_cpus: str | None
    cpus_seen: tuple[tuple[int, float], ...] = ()
    """CPUs on which its busy seconds ended, each with its share of them."""


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A process of a service over the last 15 s."""

    pid: int
    started: int
    service: str
    role: str
    slot: int
    command: str
    """Command line, secrets redacted."""
    cores_used: float | None
    waiting_cores: float | None
    resident_bytes: int | None
    threads: int | None
    active_threads: int | None
    allowed_cpus: str | None
    missing: tuple[str, ...]
    """What could not be read of this worker, with its hint."""
    busiest: tuple[ThreadStatus, ...] = ()
    gpu_memory_bytes: int | None = None
    gpu_sm_ratio: float | None = None
    proportional_bytes: int | None = None
    """Resident memory with shared pages by their share (PSS), of the last look inside; None = nobody could look yet."""
    major_faults_per_second: float | None = None
    """Page faults that had to wait for a disk."""
    state: str | None = None
    """Of its main thread, as the kernel's letter: R, S, D, …"""


class ModelStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A model that a service holds. What the headers of its files say is None where none could be read."""

    name: str
    version: str | None
    runtime: str | None
    path: str | None
    service: str
    format: str | None = None
    size_bytes: int | None = None
    parameters: int | None = None
    files: tuple[ModelFile, ...] = ()
    execution: Execution | None = None
    """How its service executes it; None = not known yet."""


class ProfilingStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What profiling does and costs since the start. Ratios are of one core."""

    state: Literal["off", "ready", "profiling"]
    cpu_seconds: float
    """CPU time of the profilers."""
    stopped_seconds: float
    """How long workers were held still; 0 unless somebody asked for a blocking profile."""
    steady_ratio: float
    """Share of one core, over the last ten minutes, of what nobody asked for."""
    bursts: int
    probes: int
    failed: int
    stopped_early: int
    """Bursts that ended because the service got slower meanwhile."""
    resting: dict[str, str] = {}
    """Services that are left alone for now, and why."""
    problem: str | None = None
    """Why the last profile could not be taken, with what helps."""
    dropped: int = 0
    """Profiles that could not be stored, as the disk was full or too slow."""
    sent: int = 0
    """Profiles that a Pyroscope-compatible server took."""
    not_sent: int = 0
    """Profiles that it did not take."""
    sending_problem: str | None = None
    """Why the newest attempt failed."""


class NotifyStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One who is told of new findings, since the start. `dropped`: refused, tried in vain, or the queue was full. `problem`:
    why the newest attempt failed; None while all is well."""

    name: str
    sent: int
    dropped: int
    queued: int
    problem: str | None


class SelfStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What watching costs: this process and its sidecars since start. Of a moment of the past that was stored, None = it was
    not kept."""

    version: str
    uptime_seconds: float
    cpu_seconds: float | None
    resident_bytes: int | None
    sidecar: Literal["running", "off", "restarting", "missing"] | None
    sidecar_cpu_seconds: float | None
    sidecar_resident_bytes: int | None
    ticks: int | None
    late_ticks: int | None
    worst_late_seconds: float | None
    interval_seconds: float
    collectors: tuple[CollectorStatus, ...]
    store_bytes: int | None
    store_problem: str | None
    profiling: ProfilingStatus | None = None
    """None where nothing is profiled, as in a recording."""
    readers: tuple[ReaderStatus, ...] = ()
    """Processes that read GPUs and other accelerators."""
    notify: tuple[NotifyStatus, ...] = ()
    """Who is told of new findings."""
    replayed: bool = False
    """Of a recording: time, CPU and memory are those of its replay, and whether a tick was late is not known."""


class ServiceVerdict(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    verdict: str
    state: str


class AdviceDocument(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /v1/advice` and `advise --format json`."""

    node: str
    generated_at: str
    services: tuple[ServiceVerdict, ...]
    findings: tuple[Finding, ...]
    inconclusive: tuple[Inconclusive, ...]
    plans: tuple[Plan, ...] = ()
    """One a service: what to do in which order, and what it is worth together."""


Turn = Literal["opened", "severity-changed", "acknowledged", "snoozed", "reopened", "expired", "resolved", "superseded",
               "verified", "refuted", "unclear"]  # fmt: skip


class FindingEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One turn in the life of a finding. `owner` and `note`: who did it and why, where somebody did."""

    at: str
    finding: str
    event: Turn
    rule: str
    subject: str
    severity: Severity
    title: str
    owner: str | None = None
    note: str | None = None


class OutcomesDocument(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /v1/outcomes`: what became of changes, newest first, and how good the promises were."""

    outcomes: tuple[Outcome, ...]
    scores: tuple[Score, ...]
    """Over all first, then by rule and metric; empty until a promise could be measured."""


class RulePage(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as `explain` shows it, from its docstring and settings."""

    id: str
    title: str
    proven: str
    experimental: bool
    looks_for: str
    why_it_matters: str
    what_to_do: str
    when_it_is_wrong: str
    settings: dict[str, float]
    version: str = ""
    """A hash of its source: another one means that it may judge otherwise."""


class TimelineStretch(msgspec.Struct, frozen=True, kw_only=True):
    """A time without a gap. Unix seconds of its first and last tick."""

    first: float
    last: float


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /v1/timeline`: the moments for which `at=` has an answer of its own, oldest first."""

    first: str
    last: str
    ticks: int
    """How often it was sampled between them."""
    judgements: int
    """How often the rules judged; of a very long recording not each of them is a moment."""
    moments: tuple[float, ...]
    """Unix seconds. Of a running agent those of the time that was asked for, the newest where they are too many."""
    stretches: tuple[TimelineStretch, ...] = ()
    """Of a running agent: when anything was stored."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the agent knows at one moment; replaced as a whole, never changed."""

    generation: int
    node: NodeStatus
    services: tuple[ServiceStatus, ...]
    workers: tuple[WorkerStatus, ...]
    models: tuple[ModelStatus, ...]
    migrations: tuple[MigrationEstimate, ...] = ()
    self_status: SelfStatus
    advice: AdviceDocument
    threads: Mapping[int, tuple[ThreadView, ...]] = {}
    """All threads of each process, by its pid: made into a document when somebody asks."""
