"""Does held memory grow, and how fast at least and at most, or did it only step up, warm up or go up and down?

The slope is the median of those between all pairs of readings (Theil-Sen), which a few readings that are off do not move;
its bounds are those pairs that Kendall's rank statistic leaves (P. K. Sen, 1968).
"""

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt

import msgspec

Seen = Sequence[tuple[float, int]]
"""(seconds before now, bytes), oldest first."""
LEAST_SECONDS = 180.0
LEAST_POINTS = 12
PARTS = 5
"""Into which the time is cut: it has to grow in each, which a step or two do not."""
DECAY = 0.5
"""Of a warm-up the second half grows by less than this part of the first."""
SURE, LIKELY = 1.96, 1.28
"""Standard deviations of 95 % (that it grows at all) and of the 10 % and 90 % points."""


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes per second, above 0: 10 %, 50 % and 90 % points. `seconds`: over how long it was seen."""

    low: float
    likely: float
    high: float
    seconds: float
    points: int


def growth_of(
    seen: Seen, least_seconds: float = LEAST_SECONDS, decay: float = DECAY, least_points: int = LEAST_POINTS
) -> Growth | None:
    """None where the readings are too few, or do not show that it grows steadily. `decay`: as DECAY."""
    if len(seen) < least_points or seen[0][0] - seen[-1][0] < least_seconds or not _steady(seen, decay):
        return None
    slopes = sorted(_slopes(seen))
    if _at(slopes, len(seen), -SURE) <= 0:
        return None
    return Growth(
        low=_at(slopes, len(seen), -LIKELY),
        likely=_at(slopes, len(seen), 0.0),
        high=_at(slopes, len(seen), LIKELY),
        seconds=seen[0][0] - seen[-1][0],
        points=len(seen),
    )


def _slopes(seen: Seen) -> list[float]:
    return [
        (later - earlier) / (before - after)
        for place, (before, earlier) in enumerate(seen)
        for after, later in seen[place + 1 :]
        if before > after
    ]


def _at(slopes: Sequence[float], points: int, deviations: float) -> float:
    """The slope as many standard deviations of Kendall's statistic beside the median, in ranks."""
    spread = sqrt(points * (points - 1) * (2 * points + 5) / 18)
    rank = (len(slopes) - 1 + deviations * spread) / 2
    return slopes[min(len(slopes) - 1, max(0, round(rank)))]


def _steady(seen: Seen, decay: float) -> bool:
    """Whether it grew in each part of the time, and not ever less."""
    ends = [_held(seen, seen[0][0] * (PARTS - part) / PARTS) for part in range(PARTS + 1)]
    if any(later <= earlier for earlier, later in pairwise(ends)):
        return False
    middle = _held(seen, seen[0][0] / 2)
    return ends[-1] - middle >= decay * (middle - ends[0])


def _held(seen: Seen, age: float) -> int:
    """What was held about then."""
    return min(seen, key=lambda point: abs(point[0] - age))[1]


def moved(seen: Seen, within_seconds: float) -> int:
    """By how much it went up and down over the last seconds."""
    held = [amount for age, amount in seen if age <= within_seconds]
    return max(held) - min(held) if held else 0
