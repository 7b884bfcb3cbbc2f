"""What did a device do in the last day, minute by minute?"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from collectors.gpu.samples import GpuSample

DAY_MINUTES = 1440
MINUTE_SECONDS = 60


class DayMinute(NamedTuple):
    """Means of one minute, 0..1: share of time in which anything ran, and memory used / total. None = not told."""

    busy: float | None
    memory: float | None


@dataclass(slots=True)
class Day:
    """The minutes in which it was read, oldest first, and the readings of the open one."""

    minutes: deque[DayMinute] = field(default_factory=lambda: deque(maxlen=DAY_MINUTES))
    number: int | None = None
    busy: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    def add(self, sample: GpuSample, at_seconds: float) -> None:
        """A minute is of the clock, however many readings it holds."""
        number = int(at_seconds // MINUTE_SECONDS)
        if self.number is not None and number != self.number:
            self.minutes.append(DayMinute(_mean(self.busy), _mean(self.memory)))
            self.busy, self.memory = [], []
        self.number = number
        busy = sample.busy_ppm if sample.busy_ppm is not None else sample.sm_active_ppm
        if busy is not None:
            self.busy.append(busy * 1e-6)
        if sample.memory_total_bytes and sample.memory_used_bytes is not None:
            self.memory.append(sample.memory_used_bytes / sample.memory_total_bytes)

    def before(self, minutes: Iterable[DayMinute]) -> None:
        """What was before the first reading, oldest first; of it, as many as fit before what is there."""
        room = DAY_MINUTES - len(self.minutes)
        older = list(minutes)
        self.minutes.extendleft(reversed(older[len(older) - room :] if len(older) > room else older))

    @property
    def hours(self) -> float:
        return len(self.minutes) / 60

    @property
    def busy_p95(self) -> float | None:
        return p95([one.busy for one in self.minutes if one.busy is not None])

    @property
    def memory_p95(self) -> float | None:
        return p95([one.memory for one in self.minutes if one.memory is not None])


def p95(values: Sequence[float]) -> float | None:
    """Nearest rank; None of none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
