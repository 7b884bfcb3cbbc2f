"""How do stored rows become points on a time axis? Pure: rows in, points out."""

from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec

from advisor.series import Point


class Sum(msgspec.Struct, frozen=True, gc=False):
    """What a stored row adds: `amount` over `weight` is its mean (growth over seconds, or a sum over a count)."""

    unix_seconds: float
    amount: float
    weight: float


Row = tuple[float, int | None]


def counter_sums(rows: Iterable[Row], scale: float) -> list[Sum]:
    """Growth between neighbours, at the later one's time. Of weight 0 where it is not known: first, reset, unread."""
    sums = []
    before: Row | None = None
    for time, value in rows:
        grown = 0.0
        seconds = 0.0
        if before is not None and value is not None and before[1] is not None and value >= before[1]:
            grown, seconds = (value - before[1]) * scale, time - before[0]
        sums.append(Sum(time, grown, seconds))
        before = (time, value)
    return sums


def gauge_sums(rows: Iterable[Row], scale: float) -> list[Sum]:
    return [Sum(time, 0.0, 0.0) if value is None else Sum(time, value * scale, 1.0) for time, value in rows]


def points(sums: Sequence[Sum], start: float, end: float, step_seconds: float | None) -> list[Point]:
    """The sums from `start` to before `end` as they are, or the mean of each step that holds any.

    Steps are aligned to Unix time and named by their beginning; one in which nothing is known is None.
    """
    inside = [its for its in sums if start <= its.unix_seconds < end]
    if step_seconds is None:
        return [(its.unix_seconds, _mean([its])) for its in inside]
    steps = groupby(inside, key=lambda its: its.unix_seconds // step_seconds)
    return [(step * step_seconds, _mean(list(its))) for step, its in steps]


def _mean(sums: Sequence[Sum]) -> float | None:
    weight = sum(its.weight for its in sums)
    return sum(its.amount for its in sums) / weight if weight > 0 else None
