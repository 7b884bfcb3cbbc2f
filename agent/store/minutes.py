"""How do the samples of a minute become one row per entity and field?

A counter's row holds its growth, a gauge's the sum of its values, both with extremes and a histogram, so that means
and percentiles of any span are had by adding rows. Pure: the caller stores the rows.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import msgspec
from msgspec.structs import astuple

from agent.store.histogram import encode, histogram_of
from collectors.reading import Reading
from collectors.sample import FieldSpec, Sample, fields_of

MINUTE_NS = 60_000_000_000
RATE_SECONDS = 1000
"""Growth is noted per so many seconds: small rates stay whole numbers, which take half the bytes."""
_CARRIED_NS = 10 * MINUTE_NS
"""A counter that was not read for longer starts anew: its growth could not be placed in a minute."""

_Key = tuple[type[Sample], str]
_Point = tuple[int, tuple[Any, ...]]


class MinuteRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One field of one entity in one minute, in stored units; see the table `minute` for the columns."""

    minute: int
    kind: type[Sample]
    entity: str
    field: str
    total: int
    count: int
    minimum: int
    maximum: int
    span_ms: int | None
    histogram: bytes | None


class MinuteAggregator:
    """Keeps the samples of the open minute, and of each entity the last one before it as the base of its counters.

    Samples of tier `raw` only. A minute ends when a reading of a later one arrives; a reading that is late by less
    than a minute counts in the open one.
    """

    def __init__(self) -> None:
        self._minute: int | None = None
        self._points: dict[_Key, list[_Point]] = {}
        self._before: dict[_Key, _Point] = {}

    def add(self, reading: Reading) -> list[MinuteRow]:
        """The rows of the minute that this reading ends, mostly none."""
        minute = reading.at.wall_ns // MINUTE_NS
        rows = []
        if self._minute is None or not self._minute - 1 <= minute <= self._minute:
            rows = self.finish()
            self._minute = minute
        mono_ns = reading.at.mono_ns
        for sample in reading.samples:
            kind = type(sample)
            if kind.tier == "raw":
                self._points.setdefault((kind, sample.entity), []).append((mono_ns, astuple(sample)))
        return rows

    def finish(self) -> list[MinuteRow]:
        """End the open minute and give its rows."""
        if self._minute is None or not self._points:
            return []
        rows: list[MinuteRow] = []
        for key, points in self._points.items():
            rows += _entity_rows(self._minute, key, points, self._before.get(key))
            self._before[key] = points[-1]
        newest = max(point[0] for point in self._before.values())
        self._before = {key: point for key, point in self._before.items() if newest - point[0] < _CARRIED_NS}
        self._points.clear()
        return rows


def _entity_rows(minute: int, key: _Key, points: list[_Point], before: _Point | None) -> Iterable[MinuteRow]:
    kind, entity = key
    own = points if before is None else [before, *points]
    times = [time for time, _ in own]
    columns = list(zip(*(values for _, values in own), strict=True))[1:]
    for spec, column in zip(fields_of(kind), columns, strict=True):
        if not spec.text and (measures := _measure(spec, times, column, skip=len(own) - len(points))):
            total, count, minimum, maximum, span_ms, histogram = measures
            yield MinuteRow(
                minute=minute, kind=kind, entity=entity, field=spec.name, total=total, count=count,
                minimum=minimum, maximum=maximum, span_ms=span_ms, histogram=histogram,
            )  # fmt: skip


_Measures = tuple[int, int, int, int, int | None, bytes | None]


def _measure(spec: FieldSpec, times: Sequence[int], column: Sequence[int | None], skip: int) -> _Measures | None:
    """The measures of one field; `skip` is 1 where the first value belongs to the minute before."""
    if spec.counter:
        return _counter(times, column)
    values = [value for value in column[skip:] if value is not None]
    if not values:
        return None
    return (sum(values), len(values), *_spread(values), None, _histogram(values))


def _counter(times: Sequence[int], column: Sequence[int | None]) -> _Measures | None:
    """A value smaller than the one before was counted from 0. None where there are no two values."""
    read = [(time, value) for time, value in zip(times, column, strict=True) if value is not None]
    growth = [b - a if b >= a else b for (_, a), (_, b) in pairwise(read)]
    gaps = [b - a for (a, _), (b, _) in pairwise(read)]
    if not growth or min(gaps) <= 0:
        return None
    if not any(growth):
        return (0, len(growth), 0, 0, sum(gaps) // 1_000_000, None)
    rates = [grown * RATE_SECONDS * 1_000_000_000 // gap for grown, gap in zip(growth, gaps, strict=True)]
    return (sum(growth), len(growth), *_spread(rates), sum(gaps) // 1_000_000, _histogram(rates))


def _spread(values: Sequence[int]) -> tuple[int, int]:
    return min(values), max(values)


def _histogram(values: Sequence[int]) -> bytes | None:
    return encode(histogram_of(values)) if min(values) < max(values) else None
