"""What did a device do in each minute of the last day and, as far as busy time goes, of the last week?"""

from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import isnan, nan
from typing import NamedTuple

from collectors.gpu.samples import GpuSample

DAY_MINUTES = 1440
MINUTE_SECONDS = 60
HOUR_MINUTES = 60
WEEK_HOURS = 168
WEEK_MINUTES = WEEK_HOURS * HOUR_MINUTES


class DayMinute(NamedTuple):
    """Means of one minute, 0..1: share of time in which anything ran, and memory used / total. None = not told."""

    busy: float | None
    memory: float | None


class DayFacts(NamedTuple):
    """Of the day's minutes: 95 % points of busy time and of memory, mean busy time, and the busiest. Of the week's minutes: the
    95 % point of busy time, and the busiest. None = not told."""

    busy_p95: float | None
    memory_p95: float | None
    busy_mean: float | None
    busiest: float | None
    week_busy_p95: float | None
    week_busiest: float | None


@dataclass(slots=True)
class Day:
    """The minutes in which it was read, oldest first, and the readings of the open one. An hour is 60 such minutes: what was
    not read makes none longer."""

    minutes: deque[DayMinute] = field(default_factory=lambda: deque(maxlen=DAY_MINUTES))
    number: int | None = None
    busy: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    week: "array[float]" = field(default_factory=lambda: array("f"))
    """Busy time of the minutes of a week, oldest first, NaN where it was not told: 4 bytes each."""
    _told: DayFacts | None = None

    def add(self, sample: GpuSample, at_seconds: float) -> None:
        """A minute is of the clock, however many readings it holds."""
        number = int(at_seconds // MINUTE_SECONDS)
        if self.number is not None and number != self.number:
            self.minutes.append(DayMinute(_mean(self.busy), _mean(self.memory)))
            self.busy, self.memory, self._told = [], [], None
            self._keep(self.minutes[-1].busy)
        self.number = number
        busy = sample.busy_ppm if sample.busy_ppm is not None else sample.sm_active_ppm
        if busy is not None:
            self.busy.append(busy * 1e-6)
        if sample.memory_total_bytes and sample.memory_used_bytes is not None:
            self.memory.append(sample.memory_used_bytes / sample.memory_total_bytes)

    def before(self, minutes: Iterable[DayMinute]) -> None:
        """What was before the first reading, up to a week, oldest first; of it, as many minutes and hours as fit before what is
        there."""
        self._told = None
        older = list(minutes)
        room = DAY_MINUTES - len(self.minutes)
        self.minutes.extendleft(reversed(older[len(older) - room :] if len(older) > room else older))
        room = max(0, WEEK_MINUTES - len(self.week))
        self.week[0:0] = array("f", [_number(one.busy) for one in (older[-room:] if room else ())])

    def _keep(self, busy: float | None) -> None:
        """What is older than a week is dropped an hour at a time."""
        self.week.append(_number(busy))
        if len(self.week) >= WEEK_MINUTES + HOUR_MINUTES:
            del self.week[:-WEEK_MINUTES]

    @property
    def hours(self) -> float:
        return len(self.minutes) / HOUR_MINUTES

    @property
    def week_hours(self) -> float:
        """For how long it has been watched, up to a week."""
        return min(WEEK_MINUTES, len(self.week)) / HOUR_MINUTES

    @property
    def told(self) -> DayFacts:
        """Worked out once a minute: it is asked for with every reading."""
        if self._told is None:
            self._told = self._facts()
        return self._told

    def _facts(self) -> DayFacts:
        busy = [one.busy for one in self.minutes if one.busy is not None]
        week = [value for value in self.week[-WEEK_MINUTES:] if not isnan(value)]
        return DayFacts(
            busy_p95=p95(busy),
            memory_p95=p95([one.memory for one in self.minutes if one.memory is not None]),
            busy_mean=_mean(busy),
            busiest=max(busy, default=None),
            week_busy_p95=p95(week),
            week_busiest=max(week, default=None),
        )


def p95(values: Sequence[float]) -> float | None:
    """Nearest rank; None of none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]


def _number(busy: float | None) -> float:
    return nan if busy is None else busy


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
