"""Between which two bounds of a histogram does a quantile lie?

Counts are cumulative, as a Prometheus histogram's: how many observations were at most the bound.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import inf, isfinite
from typing import NamedTuple

import msgspec


class Buckets(msgspec.Struct, frozen=True):
    """A histogram of one label set: bounds in order, the last one infinite, and as many cumulative counts."""

    bounds: tuple[float, ...]
    counts: tuple[float, ...]


class Quantile(NamedTuple):
    """The bucket that holds a quantile (`high` None: it has no upper bound) and, linearly between its bounds, where."""

    low: float
    high: float | None
    value: float | None


def buckets_of(counts: dict[float, float]) -> Buckets | None:
    """Bound -> count, in any order. None without an infinite bound: what lies above the last one is not told then."""
    if inf not in counts:
        return None
    bounds = tuple(sorted(counts))
    return Buckets(bounds, _rising(counts[bound] for bound in bounds))


def growth(now: Buckets, before: Buckets | None) -> Buckets:
    """What was added since `before`. A histogram that went back, or has other bounds, was reset and counts from zero."""
    if before is None or before.bounds != now.bounds:
        return now
    added = [new - old for new, old in zip(now.counts, before.counts, strict=True)]
    return now if min(added) < 0 else Buckets(now.bounds, _rising(added))


def merged(many: Sequence[Buckets]) -> Buckets | None:
    """One histogram of several, at the bounds that all of them have: a cumulative count is known only there. None if
    nothing was observed."""
    filled = [one for one in many if one.counts[-1] > 0]
    if not filled:
        return None
    common = set(filled[0].bounds).intersection(*(one.bounds for one in filled[1:]))
    bounds = tuple(sorted(common))
    if all(one.bounds == bounds for one in filled):
        return Buckets(bounds, tuple(map(sum, zip(*(one.counts for one in filled), strict=True))))
    by_bound = [dict(zip(one.bounds, one.counts, strict=True)) for one in filled]
    return Buckets(bounds, tuple(sum(counts[bound] for counts in by_bound) for bound in bounds))


def quantile(buckets: Buckets, percent: int) -> Quantile | None:
    """The smallest observation that `percent` of all do not exceed. Observations are taken to be at least zero. None
    with fewer than one observation, with more than can be counted, or where no bound but the infinite one is known."""
    total = round(buckets.counts[-1]) if isfinite(buckets.counts[-1]) else 0
    if total < 1 or len(buckets.bounds) < 2:
        return None
    rank = -(-total * percent // 100)
    place = min(bisect_left(buckets.counts, rank), len(buckets.bounds) - 1)
    low = max(0.0, buckets.bounds[place - 1]) if place else 0.0
    high = max(0.0, buckets.bounds[place])
    if high == inf:
        return Quantile(low, None, None)
    below = buckets.counts[place - 1] if place else 0.0
    inside = buckets.counts[place] - below
    share = (total * percent / 100 - below) / inside
    return Quantile(low, high, low + (high - low) * min(1.0, max(0.0, share)))


def _rising(counts: Iterable[float]) -> tuple[float, ...]:
    """The counts, none below the one before: a page is not printed in one instant."""
    return tuple(accumulate(counts, max))
