"""What is remembered of GPUs between two readings? Moments are monotonic seconds of the readings themselves: they come at
their own pace, several or none in a tick of the agent."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from advisor.gpu.day import Day, DayMinute
from advisor.gpu.view import GpuView
from collectors.entities import Service, Worker, WorkerKey
from collectors.gpu.samples import GpuHealthSample, GpuInfoSample, GpuProcessSample, GpuSample

KEPT_READINGS = 320
KEPT_SHARES = 100
POINT_SECONDS = 10.0
"""A process's memory is remembered so often."""
KEPT_POINTS = 32
KEPT_HEALTH = 18
"""Three minutes of them."""
WORKING_PPM = 50_000
WORKING_SECONDS = 2.5
GONE_SECONDS = 30.0
"""The readings of a device that was not read for so long are forgotten; what it is, and its day, only after a day."""
DAY_SECONDS = 86400.0


@dataclass(slots=True)
class ProcessTrack:
    """The newest reading of one process on one device and when it was, (tick, share of time) of those before, and
    (moment, bytes), thinned."""

    last: GpuProcessSample
    at: float
    shares: deque[tuple[int, int | None]] = field(default_factory=lambda: deque(maxlen=KEPT_SHARES))
    memory: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=KEPT_POINTS))


@dataclass(slots=True)
class DeviceTrack:
    """(tick, moment, reading) of one device, newest last; (moment, number) of its driver's errors; its day."""

    recent: deque[tuple[int, float, GpuSample]] = field(default_factory=lambda: deque(maxlen=KEPT_READINGS))
    health: deque[GpuHealthSample] = field(default_factory=lambda: deque(maxlen=KEPT_HEALTH))
    info: GpuInfoSample | None = None
    processes: dict[str, ProcessTrack] = field(default_factory=dict)
    day: Day = field(default_factory=Day)
    errors: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=KEPT_READINGS))
    counted: int | None = None
    """The error counter as it was last; it begins at 0 with each reader process."""
    last_error: int | None = None
    seen_at: float | None = None


@dataclass(slots=True)
class Seen:
    """The views of all devices at one moment, and on which of them each process is."""

    key: tuple[int, float]
    views: Mapping[str, GpuView]
    places: Mapping[WorkerKey, frozenset[str]]


@dataclass(slots=True)
class GpuTracks:
    """Every device by `gpu:UUID`. `workers`: those of all services, by entity, of whom the readings may speak."""

    devices: dict[str, DeviceTrack] = field(default_factory=dict)
    workers: dict[str, Worker] = field(default_factory=dict)
    version: int = 0
    """Changes with every reading."""
    seen: dict[float, Seen] = field(default_factory=dict)
    """By horizon."""
    restored: deque[tuple[str, tuple[DayMinute, ...]]] = field(default_factory=deque)
    """Handed over by another thread; taken in at the end of a tick."""
    working: dict[str, float] = field(default_factory=dict)
    """When each worker was last seen to run on a device."""

    def device(self, entity: str) -> DeviceTrack:
        found = self.devices.get(entity)
        if found is None:
            found = self.devices[entity] = DeviceTrack()
        self.version += 1
        return found

    def add_device(self, sample: GpuSample, tick: int, at_seconds: float) -> None:
        track = self.device(sample.entity)
        track.recent.append((tick, at_seconds, sample))
        track.seen_at = at_seconds
        track.day.add(sample, at_seconds)
        if sample.xid_events is not None:
            before = track.counted or 0
            grown = sample.xid_events - before if sample.xid_events >= before else sample.xid_events
            track.counted = sample.xid_events
            track.errors.append((at_seconds, grown))
        if sample.last_xid is not None:
            track.last_error = sample.last_xid

    def add_process(self, sample: GpuProcessSample, tick: int, at_seconds: float) -> None:
        uuid = sample.entity.partition(":")[2].rpartition("/")[0]
        known = self.device(f"gpu:{uuid}").processes
        track = known.get(sample.entity)
        if track is None or track.last.worker != sample.worker:
            track = known[sample.entity] = ProcessTrack(sample, at_seconds)
        track.last, track.at = sample, at_seconds
        track.shares.append((tick, sample.sm_ppm))
        held = sample.memory_bytes
        if held is not None and (not track.memory or at_seconds - track.memory[-1][0] >= POINT_SECONDS - 0.5):
            track.memory.append((at_seconds, held))
        if sample.worker is not None and (sample.sm_ppm or 0) >= WORKING_PPM:
            self.working[sample.worker] = at_seconds

    def add_health(self, sample: GpuHealthSample) -> None:
        self.device(sample.entity).health.append(sample)

    def add_info(self, sample: GpuInfoSample) -> None:
        self.device(sample.entity).info = sample

    def works(self, service: Service, now: float) -> bool:
        """Whether a process of the service ran on a device a moment ago."""
        if not self.working:
            return False
        never = now - DAY_SECONDS
        return any(now - self.working.get(w.key.entity, never) <= WORKING_SECONDS for w in service.workers)

    def end_tick(self, services: Iterable[Service]) -> None:
        """Take in what was restored, and who the workers are now."""
        while self.restored:
            entity, minutes = self.restored.popleft()
            if (track := self.devices.get(entity)) is not None:
                track.day.before(minutes)
        if self.devices:
            self.workers = {w.key.entity: w for service in services for w in service.workers}
            self.version += 1

    def forget(self, now: float) -> None:
        """Readings of devices and processes that are gone."""
        for entity, track in list(self.devices.items()):
            if track.seen_at is None:
                track.seen_at = now
            if now - track.seen_at > DAY_SECONDS:
                del self.devices[entity]
            elif now - track.seen_at > GONE_SECONDS:
                track.recent.clear()
                track.processes.clear()
            else:
                for name in [n for n, p in track.processes.items() if now - p.at > GONE_SECONDS]:
                    del track.processes[name]
        for worker in [w for w, at in self.working.items() if now - at > GONE_SECONDS]:
            del self.working[worker]
