"""What a rule sees of one service: one window of loaded seconds, as rates, shares and counts.

Everything is in base units (cores, seconds, bytes, ratios 0..1). None = not readable on this host.
"""

from collections.abc import Sequence
from functools import cached_property

import msgspec

from advisor.gpu.view import GpuView, ServiceGpu
from advisor.serving_rates import ServingRates
from advisor.trend import NO_TREND, Trend
from collectors.cpulist import parse_cpulist, union
from collectors.entities import Role, Service, WorkerKey
from collectors.facts import Limits

ACTIVE_CORES = 0.05
"""A thread that used at least this much of a core in the window counts as active; parked pool threads do not."""


class Load(msgspec.Struct, frozen=True):
    """One stretch between two metrics pages of a server: requests in progress (mean) and requests answered per second."""

    in_progress: float
    per_second: float


class PageView(msgspec.Struct, frozen=True, kw_only=True):
    """One of the last metrics pages: how old it is, how long before it the one before was read, and what it said."""

    age_seconds: float
    seconds: float
    preempted: float | None = None
    """Requests that lost their place in the KV cache since the page before; the next three likewise."""
    answered: float | None = None
    tokens_in: float | None = None
    tokens_out: float | None = None
    kv_cache_ratio: float | None = None
    loaded: float | None = None
    """Models loaded since the page before, again or anew."""
    evicted: float | None = None
    """Models taken out of memory since then to make room for others."""
    batch_size: float | None = None
    work_seconds: float | None = None
    """Mean time of a request without what it waited inside the server; None where the server does not tell both."""


class ThreadView(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thread over the window. `cpus_seen`: share of its busy seconds that ended on each CPU."""

    tid: int
    name: str
    thread_class: str
    state: str
    cores_used: float
    waiting_cores: float
    allowed: frozenset[int] | None
    cpus_seen: dict[int, float]
    last_cpu: int | None
    slices_per_second: float | None = None
    """How often it was put on a CPU: voluntary and involuntary switches together."""

    @property
    def active(self) -> bool:
        return self.cores_used >= ACTIVE_CORES


class WorkerView(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One process of the service over the window. None = not readable here."""

    key: WorkerKey
    role: Role
    slot: int
    cores_used: float
    waiting_cores: float | None
    resident_bytes: int | None
    thread_count: int | None
    switches_per_second: float | None
    major_faults_per_second: float | None
    threads: tuple[ThreadView, ...]
    system_cores: float | None = None
    """The part of `cores_used` that it spent in the kernel."""
    proportional_bytes: int | None = None
    """Resident memory with shared pages by their share (PSS), of the last look inside; None = nobody could look yet."""
    private_bytes: int | None = None
    """What no other process has mapped (USS); the next: what of it no file can give back."""
    private_dirty_bytes: int | None = None
    swapped_bytes: int | None = None

    @cached_property
    def runnable(self) -> float:
        """Mean number of its threads that ran or waited for a CPU."""
        return self.cores_used + (self.waiting_cores or 0.0)

    @cached_property
    def active_compute(self) -> tuple[ThreadView, ...]:
        """Active threads that take part in computing: the main thread and pool threads, not I/O or kernel ones."""
        return tuple(t for t in self.threads if t.active and t.thread_class in ("main", "compute"))

    @cached_property
    def active_threads(self) -> tuple[ThreadView, ...]:
        return tuple(t for t in self.threads if t.active and t.thread_class != "kernel")

    @cached_property
    def allowed(self) -> frozenset[int] | None:
        """CPUs that at least one of its user threads may use."""
        masks = [t.allowed for t in self.threads if t.allowed is not None and t.thread_class != "kernel"]
        return union(masks) if masks else None


class MemoryView(msgspec.Struct, frozen=True, kw_only=True):
    """What want of memory did in the window. Ratios are shares of its time; None = not readable here."""

    some_ratio: float | None = None
    """At least one thread of the node waited for memory; the next: all that were not idle did."""
    full_ratio: float | None = None
    io_some_ratio: float | None = None
    io_full_ratio: float | None = None
    cgroup_some_ratio: float | None = None
    """As the first, of the service's own cgroup (version 2)."""
    cgroup_full_ratio: float | None = None
    limit_hits_per_second: float | None = None
    """How often its cgroup was at its limit and had to give pages back."""
    oom_kills: int | None = None
    """Processes of its cgroup that were killed for memory in the last minute, loaded or not."""
    node_oom_kills: int | None = None
    node_major_faults_per_second: float | None = None
    swap_in_bytes_per_second: float | None = None
    swap_out_bytes_per_second: float | None = None
    swap_total_bytes: int | None = None
    swap_free_bytes: int | None = None


class ConnectionRates(msgspec.Struct, frozen=True, kw_only=True):
    """What went over the connections to the service's port in the window. None = not readable here."""

    opened_per_second: float | None = None
    received_bytes_per_second: float | None = None
    sent_bytes_per_second: float | None = None
    received_segments_per_second: float | None = None


class StageView(msgspec.Struct, frozen=True, kw_only=True):
    """One model of a server that counts each of its models: what its last metrics page said."""

    name: str
    rates: ServingRates


class NeighbourView(msgspec.Struct, frozen=True, kw_only=True):
    """Another service of the node, as one that runs no models sees it."""

    name: str
    framework: str
    processes: int
    """Those that run models; 0 of another gateway."""
    busy: float
    """Mean number of them that ran or waited for a CPU, over its last seconds."""
    on_gpu: bool
    """Whether one of them runs on a GPU: then `busy` does not tell whether it idles."""
    in_progress: float | None = None
    """Requests in it as its own page counts them; None = it does not tell."""


class FrequencyView(msgspec.Struct, frozen=True, kw_only=True):
    """The clock of one core over the window. `hertz`: mean; None = this host does not tell."""

    hertz: float | None
    base_hertz: float | None
    limit_hertz: float | None
    maximum_hertz: float | None
    throttle_events: int | None
    governor: str | None


class CgroupView(msgspec.Struct, frozen=True, kw_only=True):
    """The service's CPU and memory limits and what they did in the window."""

    quota_cores: float | None
    period_seconds: float | None
    weight: int | None
    periods: int
    throttled_periods: int
    throttled_seconds: float
    cpus: frozenset[int] | None
    memory_limit_bytes: int | None
    memory_current_bytes: int | None

    @property
    def throttled_ratio(self) -> float | None:
        return self.throttled_periods / self.periods if self.periods else None


class CoreView(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One CPU over the window: busy by anyone, by this service (after the threads' last CPU), stolen."""

    cpu: int
    busy: float
    own: float
    steal: float
    node: int | None = None
    """NUMA node; None = the kernel has none, or it is not known."""
    siblings: frozenset[int] = frozenset()
    """Hardware threads of the same core, itself included; empty = not known."""
    frequency: FrequencyView | None = None

    @property
    def idle(self) -> float:
        return max(0.0, 1.0 - self.busy - self.steal)


class View(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One service over the last loaded seconds.

    `samples` counts the loaded seconds used, `window_seconds` what they span. `demand` is, per loaded second, the sum over
    serving workers of min(1, runnable): how many workers were busy.
    """

    service: Service
    horizon_seconds: float
    window_seconds: float
    samples: int
    loaded_now: bool
    workers: tuple[WorkerView, ...]
    cores: tuple[CoreView, ...]
    cgroup: CgroupView | None
    demand: tuple[float, ...]
    accept_queue: tuple[float, ...]
    established: float | None
    requests_per_second: float | None
    latency_seconds: float | None
    server_queue: float | None
    memory_available_bytes: int | None
    delay_readable: bool
    memory_total_bytes: int | None = None
    established_now: int | None = None
    """Connections to the service's port at the last second, loaded or not."""
    errors_per_second: float | None = None
    latency_p50_seconds: float | None = None
    latency_p99_seconds: float | None = None
    in_flight: float | None = None
    batch_size: float | None = None
    tokens_in_per_second: float | None = None
    tokens_out_per_second: float | None = None
    first_token_seconds: float | None = None
    inter_token_seconds: float | None = None
    kv_cache_ratio: float | None = None
    preemptions_per_second: float | None = None
    model_bytes: float | None = None
    model_gpu_bytes: float | None = None
    metrics_age_seconds: float | None = None
    """How old the last metrics page is; None = there was none. What it said stands above, see `advisor.serving`."""
    loads: tuple[Load, ...] = ()
    """What the server said of its load since its configuration is as it is, oldest first; a point per metrics page."""
    pages: tuple[PageView, ...] = ()
    """Its metrics pages of the last five minutes under its present configuration, oldest first."""
    gpus: tuple[ServiceGpu, ...] = ()
    """The devices on which its processes are, over the loaded seconds."""
    node_gpus: tuple[GpuView, ...] = ()
    """All devices of the node, over the same seconds."""
    memory: MemoryView = MemoryView()
    connections: ConnectionRates = ConnectionRates()
    stages: tuple[StageView, ...] = ()
    """Its models, where its server counts each of them."""
    neighbours: tuple[NeighbourView, ...] = ()
    """Of a service that runs no model itself, as a gateway: the others of this node."""
    trend: Trend = NO_TREND
    """What it did before this window, in minutes and in slices of five seconds, loaded or not."""
    model_loads_per_second: float | None = None
    model_evictions_per_second: float | None = None
    queue_seconds: float | None = None
    batches_per_second: float | None = None

    @cached_property
    def serving(self) -> tuple[WorkerView, ...]:
        """The processes that run models."""
        keys = {w.key for w in self.service.serving}
        return tuple(w for w in self.workers if w.key in keys)

    @cached_property
    def front_end(self) -> WorkerView | None:
        return next((w for w in self.workers if w.role is Role.FRONT_END), None)

    @cached_property
    def cores_used(self) -> float:
        return sum(w.cores_used for w in self.workers)

    @cached_property
    def waiting_cores(self) -> float:
        return sum(w.waiting_cores or 0.0 for w in self.workers)

    @cached_property
    def delay_share(self) -> float:
        """D: run-queue delay / (run + delay) over all threads of the service."""
        total = self.cores_used + self.waiting_cores
        return self.waiting_cores / total if total > 0 else 0.0

    @cached_property
    def runnable(self) -> float:
        return self.cores_used + self.waiting_cores

    @cached_property
    def online(self) -> frozenset[int]:
        return frozenset(core.cpu for core in self.cores)

    @cached_property
    def mask(self) -> frozenset[int]:
        """C_mask as a set: CPUs that the serving workers' present masks allow; all where unreadable."""
        masks = [w.allowed for w in self.serving if w.allowed is not None]
        return (union(masks) & self.online) if masks else self.online

    @cached_property
    def pool(self) -> frozenset[int]:
        """CPUs that the service could have by widening its masks: its cgroup's cpuset."""
        cpus = self.cgroup.cpus if self.cgroup else None
        return (cpus & self.online) if cpus else self.online

    @cached_property
    def quota_cores(self) -> float | None:
        return self.cgroup.quota_cores if self.cgroup else None

    @cached_property
    def pool_cores(self) -> float:
        """C_pool: cores that the service could have, after cpuset and quota."""
        cpus = float(len(self.pool))
        return min(cpus, self.quota_cores) if self.quota_cores is not None else cpus

    def others(self, cpus: frozenset[int]) -> float:
        """Cores used on `cpus` by anything else than this service."""
        if cpus >= self.online:
            return max(0.0, sum(c.busy for c in self.cores) - self.cores_used)
        return sum(max(0.0, c.busy - c.own) for c in self.cores if c.cpu in cpus)

    @cached_property
    def effective_cores(self) -> float:
        """C_eff: C_pool less what others use there, at least a tenth of a core."""
        return max(0.1, min(self.pool_cores, len(self.pool) - self.others(self.pool)))

    @cached_property
    def steal_ratio(self) -> float:
        return sum(c.steal for c in self.cores) / len(self.cores) if self.cores else 0.0

    @cached_property
    def resident_bytes(self) -> int | None:
        known = [w.resident_bytes for w in self.workers if w.resident_bytes is not None]
        return sum(known) if known else None

    def idle_outside(self, cpus: frozenset[int]) -> float:
        """Idle cores of the pool outside `cpus`, counting CPUs that are more than 80 % idle."""
        return sum(c.idle for c in self.cores if c.cpu in self.pool - cpus and c.idle > 0.8)


def within(view: View, limits: Limits | None) -> View:
    """The view with the limits that a sibling container's own files state, where our view of its cgroup shows none.

    How often the quota throttled is not known then: `periods` is 0.
    """
    seen = view.cgroup
    if limits is None or (seen is not None and (seen.quota_cores is not None or seen.cpus is not None)):
        return view
    if limits.cpu_quota_cores is None and limits.cpuset is None and limits.memory_max_bytes is None:
        return view
    stated = CgroupView(
        quota_cores=limits.cpu_quota_cores,
        period_seconds=None,
        weight=seen.weight if seen else None,
        periods=0,
        throttled_periods=0,
        throttled_seconds=0.0,
        cpus=parse_cpulist(limits.cpuset) if limits.cpuset else None,
        memory_limit_bytes=limits.memory_max_bytes,
        memory_current_bytes=seen.memory_current_bytes if seen else None,
    )
    return msgspec.structs.replace(view, cgroup=stated)


def quantile(values: Sequence[float], q: float) -> float | None:
    """The `q` quantile (nearest rank, 0..1) of the values; None of none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(q * (len(ordered) - 1))))]
