"""What is remembered of GPUs between two readings?"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from collectors.entities import Service
from collectors.gpu.samples import GpuHealthSample, GpuInfoSample, GpuProcessSample, GpuSample

KEPT_SECONDS = 320
POINT_TICKS = 10
"""A process's memory is remembered so often."""
KEPT_HEALTH = 18
"""Three minutes of them."""
DAY_MINUTES = 1440
MINUTE_SECONDS = 60
WORKING_PPM = 50_000
GONE_TICKS = 30
"""A device that was not read for so long is forgotten; a process after a tenth of it."""


class DayMinute(NamedTuple):
    """Means of one minute, 0..1: share of time in which anything ran, and memory used / total. None = not told."""

    busy: float | None
    memory: float | None


@dataclass(slots=True)
class Minute:
    """The readings of the open minute."""

    readings: int = 0
    busy: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    def add(self, sample: GpuSample) -> None:
        self.readings += 1
        busy = sample.busy_ppm if sample.busy_ppm is not None else sample.sm_active_ppm
        if busy is not None:
            self.busy.append(busy * 1e-6)
        if sample.memory_total_bytes and sample.memory_used_bytes is not None:
            self.memory.append(sample.memory_used_bytes / sample.memory_total_bytes)

    @property
    def means(self) -> DayMinute:
        return DayMinute(_mean(self.busy), _mean(self.memory))


@dataclass(slots=True)
class ProcessTrack:
    """(tick, sample) of one process on one device, and (tick, bytes) of it, thinned."""

    recent: deque[tuple[int, GpuProcessSample]] = field(default_factory=lambda: deque(maxlen=KEPT_SECONDS))
    memory: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=KEPT_SECONDS // POINT_TICKS))


@dataclass(slots=True)
class DeviceTrack:
    """(tick, seconds, sample) of one device, newest last, and its minutes of the last day: means of busy and memory used."""

    recent: deque[tuple[int, float, GpuSample]] = field(default_factory=lambda: deque(maxlen=KEPT_SECONDS))
    health: deque[GpuHealthSample] = field(default_factory=lambda: deque(maxlen=KEPT_HEALTH))
    info: GpuInfoSample | None = None
    processes: dict[str, ProcessTrack] = field(default_factory=dict)
    minute: Minute = field(default_factory=Minute)
    day: deque[DayMinute] = field(default_factory=lambda: deque(maxlen=DAY_MINUTES))


@dataclass(slots=True)
class GpuTracks:
    """Every device by `gpu:UUID`."""

    devices: dict[str, DeviceTrack] = field(default_factory=dict)

    def device(self, entity: str) -> DeviceTrack:
        found = self.devices.get(entity)
        if found is None:
            found = self.devices[entity] = DeviceTrack()
        return found

    def add_device(self, sample: GpuSample, tick: int, at_seconds: float) -> None:
        track = self.device(sample.entity)
        track.recent.append((tick, at_seconds, sample))
        track.minute.add(sample)
        if track.minute.readings >= MINUTE_SECONDS:
            track.day.append(track.minute.means)
            track.minute = Minute()

    def restore(self, entity: str, minutes: Iterable[DayMinute]) -> None:
        """Its minutes before a restart, oldest first; before the first reading of it."""
        self.device(entity).day.extend(minutes)

    def add_process(self, sample: GpuProcessSample, tick: int) -> None:
        uuid = sample.entity.partition(":")[2].partition("/")[0]
        known = self.device(f"gpu:{uuid}").processes
        track = known.get(sample.entity)
        if track is None or (track.recent and track.recent[-1][1].worker != sample.worker):
            track = known[sample.entity] = ProcessTrack()
        track.recent.append((tick, sample))
        held = sample.memory_bytes
        if held is not None and (not track.memory or tick - track.memory[-1][0] >= POINT_TICKS):
            track.memory.append((tick, held))

    def add_health(self, sample: GpuHealthSample) -> None:
        self.device(sample.entity).health.append(sample)

    def add_info(self, sample: GpuInfoSample) -> None:
        self.device(sample.entity).info = sample

    def works(self, service: Service, tick: int) -> bool:
        """Whether a process of the service ran on a device in this second or the one before."""
        if not self.devices:
            return False
        own = {w.key.entity for w in service.workers}
        newest = (p.recent[-1] for device in self.devices.values() for p in device.processes.values())
        return any(at >= tick - 1 and s.worker in own and (s.sm_ppm or 0) >= WORKING_PPM for at, s in newest)

    def forget(self, tick: int) -> None:
        """Devices and processes that are gone."""
        for entity, track in list(self.devices.items()):
            if track.recent and track.recent[-1][0] < tick - GONE_TICKS:
                del self.devices[entity]
                continue
            last = track.recent[-1][0] if track.recent else tick
            for name in [n for n, p in track.processes.items() if p.recent[-1][0] < last - GONE_TICKS // 10]:
                del track.processes[name]


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
