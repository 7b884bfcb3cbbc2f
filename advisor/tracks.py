"""What is remembered of threads, processes, services and the node between two readings?"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import sub
from typing import NamedTuple

from advisor.gpu.tracks import GpuTracks
from advisor.serving_rates import NOTHING, ServingRates
from advisor.trend import Rows, Trend
from advisor.view import Load
from collectors.cgroup_paths import cgroup_entity
from collectors.entities import Service
from collectors.sources.cgroup import CgroupSample
from collectors.sources.connections import ConnectionsSample
from collectors.sources.cpu import CoreSample
from collectors.sources.frequency import FrequencySample
from collectors.sources.memory import MemorySample
from collectors.sources.pressure import PressureSample
from collectors.sources.processes import WorkerSample
from collectors.sources.serving import ServingSample
from collectors.sources.threads import ThreadClassSample, ThreadSample
from collectors.sources.vmstat import VmSample
from collectors.sources.worker_memory import WorkerMemorySample

KEPT_TICKS = 320
KEPT_THREAD_TICKS = 75
KEPT_LOADS = 120
"""Metrics pages of which the load is remembered: 20 minutes of them."""
KEPT_PAGES = 40
KEPT_PARTS = 25
"""Parts of five loaded seconds of a service."""


def delta(now: int | None, before: int | None) -> int:
    """Growth of a counter; a counter that went back was reset and counts from zero; unknown counts as none."""
    if now is None or before is None:
        return 0
    return now - before if now >= before else now


@dataclass(slots=True)
class ThreadTrack:
    """A thread's last counters, and its busy seconds: (tick, run_seconds, delay_seconds, last_cpu, slices)."""

    worker: str
    tid: int
    sample: ThreadSample
    tick: int
    recent: deque[tuple[int, float, float, int, int]] = field(default_factory=lambda: deque(maxlen=KEPT_THREAD_TICKS))


Spans = Sequence[tuple[int, int]]
"""Ticks in a row: of each row the tick before it, and its last one."""


def spans_of(ticks: Iterable[int]) -> Spans:
    """Of ticks in ascending order."""
    found: list[tuple[int, int]] = []
    for tick in ticks:
        if found and found[-1][1] == tick - 1:
            found[-1] = (found[-1][0], tick)
        else:
            found.append((tick - 1, tick))
    return found


class Done(NamedTuple):
    """What a process has done since it was first seen: run and delay in seconds, context switches, major faults, and ticks of
    CPU time in user mode and in the kernel."""

    run: float
    delay: float
    switches: int
    faults: int
    user: int
    system: int


NOTHING_DONE = Done(0.0, 0.0, 0, 0, 0, 0)


@dataclass(slots=True)
class WorkerTrack:
    """A process's last counters, what it did in the open tick, and what it had done by the end of each of the last ticks since
    it was first seen. A process that was not seen yet at the end of a tick had done nothing."""

    sample: WorkerSample | None = None
    classes: dict[str, ThreadClassSample] = field(default_factory=dict)
    pending_run: float = 0.0
    """Seconds that its threads ran; the next: waited for a CPU."""
    pending_delay: float = 0.0
    pending_switches: int = 0
    pending_faults: int = 0
    pending_user: int = 0
    """Ticks of CPU time in user mode; the next: in the kernel."""
    pending_system: int = 0
    done: Done = NOTHING_DONE
    ticks: dict[int, Done] = field(default_factory=dict)
    delay_readable: bool = True
    threads: set[str] = field(default_factory=set)
    memory: WorkerMemorySample | None = None
    mask_tick: int = 0
    """When the CPUs that one of its threads may use were seen to change last."""

    def end_tick(self, tick: int) -> None:
        run, delay, switches, faults, user, system = self.done
        self.done = self.ticks[tick] = Done(
            run + self.pending_run, delay + self.pending_delay, switches + self.pending_switches,
            faults + self.pending_faults, user + self.pending_user, system + self.pending_system,
        )  # fmt: skip
        self.ticks.pop(tick - KEPT_TICKS, None)

    def begin_tick(self) -> None:
        self.pending_run = self.pending_delay = 0.0
        self.pending_switches = self.pending_faults = self.pending_user = self.pending_system = 0

    def did(self, spans: Spans) -> Done:
        """What it did in those ticks."""
        parts = [
            map(sub, self.ticks.get(last, NOTHING_DONE), self.ticks.get(before, NOTHING_DONE)) for before, last in spans
        ]
        return Done(*map(sum, zip(*parts, strict=True))) if parts else NOTHING_DONE


@dataclass(slots=True)
class CgroupTick:
    """Growth of a cgroup's counters in one tick."""

    periods: int
    throttled_periods: int
    throttled_us: int
    limit_hits: int | None = None
    oom_kills: int | None = None
    memory_some_us: int | None = None
    memory_full_us: int | None = None


@dataclass(slots=True)
class ConnectionTick:
    """Growth of a port's counters since the look before, which was `seconds` earlier."""

    seconds: float
    opened: int | None
    received_bytes: int | None
    sent_bytes: int | None
    received_segments: int | None
    young: int | None = None
    """Connections that were seen for the first time with something received; the next: segments that it came in."""
    young_segments: int | None = None


@dataclass(slots=True)
class NodeTick:
    """Growth of the node's own counters in one tick. `stalled`: resource to seconds of some and of all its threads."""

    stalled: dict[str, tuple[float, float]] = field(default_factory=dict)
    major_faults: int | None = None
    swap_in_pages: int | None = None
    swap_out_pages: int | None = None
    oom_kills: int | None = None


@dataclass(frozen=True, slots=True)
class NodeSums:
    """What the node did in its last ticks. `shares`: of time or of what there is, 0..1; `counts`: per tick, and the mean clock
    in GHz."""

    tick: int
    shares: tuple[float, ...]
    counts: tuple[float, ...]
    oom_kills: int


@dataclass(slots=True)
class FrequencyTrack:
    """A core's last clock, and its clocks before: (tick, kHz, throttle events since the look before)."""

    sample: FrequencySample
    recent: deque[tuple[int, int | None, int]] = field(default_factory=lambda: deque(maxlen=KEPT_THREAD_TICKS))


@dataclass(slots=True)
class Second:
    """What one tick says of one service."""

    tick: int
    seconds: float
    loaded: bool
    demand: float
    accept_queue: float | None
    established: int | None
    cgroup: CgroupTick | None
    connections: ConnectionTick | None = None
    used: float = 0.0
    """Cores that it used; the next: cores that it waited for, and cores that others used."""
    waiting: float = 0.0
    others: float = 0.0
    busiest: float = 0.0
    """Seconds that its busiest worker ran; the next: its idlest one."""
    idlest: float = 0.0
    switches: int = 0
    """Of all its processes, like major faults."""
    faults: int = 0


@dataclass(slots=True)
class Sums:
    """What some loaded seconds of a service add up to, the newest of them at `tick`; see `advisor.lately`."""

    tick: int
    count: int
    values: tuple[float, ...]


@dataclass(slots=True)
class Slice:
    """The open slice of a service's trend: sums over its ticks, and its peaks."""

    seconds: float = 0.0
    loaded_seconds: float = 0.0
    demand: float = 0.0
    demand_peak: float = 0.0
    cores_used: float = 0.0
    waiting_cores: float = 0.0
    others_cores: float = 0.0
    accept_queue_peak: float | None = None
    established: float = 0.0
    established_seconds: float = 0.0
    connections: list[ConnectionTick] = field(default_factory=list)


@dataclass(slots=True)
class ServiceTrack:
    """The seconds of one service, and its last metrics page: when it came (monotonic), what it said, what it meant.

    `loads` and `pages` (when it came, seconds since the one before, what it meant) are those of its present configuration;
    `mixed`: the next page spans two configurations."""

    seconds: deque[Second] = field(default_factory=lambda: deque(maxlen=KEPT_TICKS))
    parts: deque[Sums] = field(default_factory=lambda: deque(maxlen=KEPT_PARTS))
    """Its loaded seconds, added up."""
    serving: tuple[float, ServingSample] | None = None
    rates: ServingRates = NOTHING
    loads: deque[Load] = field(default_factory=lambda: deque(maxlen=KEPT_LOADS))
    pages: deque[tuple[float, float, ServingRates]] = field(default_factory=lambda: deque(maxlen=KEPT_PAGES))
    mixed: bool = False
    models: dict[str, tuple[float, ServingSample, ServingRates]] = field(default_factory=dict)
    """Of a server that counts each of its models, by model: the same."""
    trend: Trend = field(default_factory=Trend)
    slice: Slice = field(default_factory=Slice)
    generation: int = 0


@dataclass(slots=True)
class Tracks:
    """Everything remembered, by entity. `tick` is the open one, `now` the monotonic instant of the one before;
    `core_ticks` holds, by tick and CPU, seconds that were busy and stolen by its end since the CPU was first seen."""

    tick: int = 0
    now: float = 0.0
    threads: dict[str, ThreadTrack] = field(default_factory=dict)
    workers: dict[str, WorkerTrack] = field(default_factory=dict)
    services: dict[str, ServiceTrack] = field(default_factory=dict)
    cores: dict[str, CoreSample] = field(default_factory=dict)
    core_ticks: dict[int, dict[int, tuple[float, float]]] = field(default_factory=dict)
    cgroups: dict[str, CgroupSample] = field(default_factory=dict)
    memory: MemorySample | None = None
    vm: VmSample | None = None
    pressure: dict[str, PressureSample] = field(default_factory=dict)
    node_ticks: deque[tuple[int, NodeTick]] = field(default_factory=lambda: deque(maxlen=KEPT_TICKS))
    node_sums: NodeSums | None = None
    """What was added up last of what the node did."""
    connections: dict[str, tuple[float, ConnectionsSample]] = field(default_factory=dict)
    """When each port was looked at last (monotonic), and what was seen."""
    frequencies: dict[str, FrequencyTrack] = field(default_factory=dict)
    cpus: dict[int, tuple[int | None, frozenset[int]]] = field(default_factory=dict)
    """Topology: CPU to NUMA node and hardware threads of its core."""
    gpus: GpuTracks = field(default_factory=GpuTracks)
    present: tuple[Service, ...] = ()
    """The services of the node, as of the last tick."""
    price_per_hour: float | None = None
    """Of the whole node; None = its owner has not said."""
    restored: deque[tuple[str, Rows, Rows]] = field(default_factory=deque)
    """Services of which an earlier run of the agent has kept minutes and hours, to be taken in. Another thread adds to it."""

    def service(self, entity: str) -> ServiceTrack:
        """The track of `service:ID`, made where there is none."""
        found = self.services.get(entity)
        if found is None:
            found = self.services[entity] = ServiceTrack()
        return found


def cgroup_of(service: Service) -> str:
    """The cgroup of the process that serves: in a pod, front-end and workers share it. Of a gateway, its own."""
    chosen = (service.serving or service.workers)[:1]
    return _cgroup_entity(chosen[0].process.cgroups) if chosen else ""


_cgroup_entity = lru_cache(maxsize=1024)(cgroup_entity)
