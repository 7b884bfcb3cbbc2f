"""Did the memory of a service's processes grow evenly, and is it slowing down?"""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, hypot, sqrt

import msgspec

from advisor.gpu.growth import DECAY, Growth, Seen, growth_of
from advisor.memory_stretches import KEPT_SECONDS, LONG_SECONDS, SHORTEST_SECONDS, Row, stretches_of
from advisor.trend import Stretches, Trend

LEAST_BYTES = 8 << 20
POINTS = 60
"""The slopes of all pairs are taken: so many points are enough."""
YOUNG_SECONDS = 300.0
YOUNG_DECAY = 0.75
"""Of a growth seen for less than that, the second half has to be nearly as much as the first: most warm-ups are over soon."""
UNSURE, DEVIATIONS = 0.025, 2.0
"""By so much, and by so many standard errors, the halves of an even growth may differ: without noise it is drawn out no
further than twenty times."""
SHARES, LONG_SHARES = (0.7, 1.4), (0.4, 1.8)
"""Least and most of the likely slope in each third of the time; of half an hour and more, in which the load comes and goes."""
LEAST_POINTS = 9
IDLE_SECONDS = 600.0
"""Growth without any request: a model that is loaded before the first one takes less long."""


class Grown(msgspec.Struct, frozen=True, kw_only=True):
    """Rows over which it grew evenly; `halves`: the slope of each half and its standard error."""

    rows: Sequence[Row]
    growth: Growth
    halves: Sequence[tuple[float, float]]
    asked: bool


def grown_of(trend: Trend) -> Sequence[Grown]:
    """Each stretch over which it grew evenly up to now, the longest first."""
    if not _grew(trend.minutes) and not _grew(trend.slices):
        return ()
    # minutes are only added with a slice
    return trend.slices.once(
        "grown", lambda: [one for rows in stretches_of(trend) if (one := _grown(rows)) is not None]
    )


def _grew(stretches: Stretches) -> bool:
    """Whether it holds more than it ever held least: else nothing else has to be looked at, which is the usual case."""

    def work() -> bool:
        since = stretches.ends[-1] - KEPT_SECONDS if len(stretches) else 0.0
        held = stretches.values("resident_bytes", since)
        return bool(held) and held[-1] - min(held) >= LEAST_BYTES

    return stretches.once("grew", work)


def _grown(rows: Sequence[Row]) -> Grown | None:
    if len(rows) < 2 or rows[-1][1] - rows[0][1] < LEAST_BYTES:
        return None
    asked, seen = any(row[2] for row in rows), _thinned(rows)
    decay = YOUNG_DECAY if seen[0][0] < YOUNG_SECONDS else DECAY
    growth = growth_of(seen, SHORTEST_SECONDS if asked else IDLE_SECONDS, decay, LEAST_POINTS)
    if growth is None or not _even(seen, growth.likely):
        return None
    return Grown(rows=rows, growth=growth, halves=_slopes(seen, 2), asked=asked)


def _even(seen: Seen, likely: float) -> bool:
    """Whether each third of the time has its share of the growth: noise on what is level, or on a step, has not."""
    least, most = LONG_SHARES if seen[0][0] >= LONG_SECONDS else SHARES
    return all(least * likely <= slope <= most * likely for slope, _ in _slopes(seen, 3))


def left_to_grow(halves: Sequence[tuple[float, float]], seconds: float) -> float:
    """Bytes that it would still grow by, at least, if it goes on to slow down as from the first to the second of these
    (slope, error), of so many seconds each: what fills up exponentially, as a cache that warms up, has so much left."""
    (first, first_error), (second, second_error) = halves
    if first <= 0 or second <= 0:
        return 0.0
    ratio = min(1.0, second / first) - UNSURE - DEVIATIONS * hypot(first_error, second_error) / first
    return second * seconds * ratio / (1 - ratio) if ratio > 0 else 0.0


def _slopes(seen: Seen, parts: int) -> list[tuple[float, float]]:
    """Of each of so many parts of the time the slope by least squares, in bytes per second, and its standard error."""
    oldest = seen[0][0]
    ends = [oldest * part / parts for part in range(parts, -1, -1)]
    return [_line([one for one in seen if low <= one[0] <= high]) for high, low in pairwise(ends)]


def _line(points: Seen) -> tuple[float, float]:
    """(slope, standard error)"""
    count = len(points)
    if count < 2:
        return 0.0, 0.0
    middle, mean = sum(age for age, _ in points) / count, sum(held for _, held in points) / count
    spread = sum((age - middle) ** 2 for age, _ in points)
    slope = sum((middle - age) * (held - mean) for age, held in points) / spread
    off = sum((held - mean - slope * (middle - age)) ** 2 for age, held in points)
    return slope, sqrt(off / (count - 2) / spread) if count > 2 else 0.0


def _thinned(rows: Sequence[Row]) -> Seen:
    step = ceil(len(rows) / POINTS)
    newest = rows[-1][0]
    return [(newest - end, int(held)) for end, held, _ in reversed(rows[::-1][::step])]
