"""What did a service do over minutes, hours and days: a few numbers for each stretch of time, loaded or not?

Kept as plain arrays: a day of minutes and eight days of hours of a service take 170 kB.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterator, Sequence
from math import inf, isnan, nan
from typing import Any, TypeVar

SLICE_SECONDS = 5.0
SLICES_KEPT = 240
MINUTES_KEPT = 1440
HOURS_KEPT = 192
FIELDS = (
    "seconds",  # that it covers
    "loaded_seconds",
    "demand",  # busy workers, mean over its seconds
    "demand_peak",  # in its busiest second
    "cores_used",
    "waiting_cores",
    "workers",  # processes that serve
    "accept_queue_peak",  # connections
    "established",  # connections, mean
    "resident_bytes",  # of all its processes, at its end
    "cgroup_bytes",  # charged to its cgroup's tightest level, page cache included, at its end
    "cgroup_limit_bytes",
    "others_cores",  # used by anything else on the node
    "pool_cores",  # that it could have, after cpuset and quota
    "price_per_hour",  # of the whole node, as its owner states it
    "requests_per_second",  # the rest: None = the server does not tell
    "latency_seconds",
    "latency_p50_seconds",
    "latency_p99_seconds",
    "tokens_out_per_second",
    "opened_per_second",
    "sent_bytes_per_second",
    "received_segments_per_second",
    "segments_each",  # received by connections that were seen for the first time: of a request, where each has its own
    "generation",  # how often its configuration was seen to change
)
_POSITION = {name: position for position, name in enumerate(FIELDS)}
_SUMS = frozenset(("seconds", "loaded_seconds"))
_PEAKS = frozenset(("demand_peak", "accept_queue_peak"))
_LAST = frozenset(("workers", "resident_bytes", "cgroup_bytes", "cgroup_limit_bytes", "price_per_hour", "generation"))

Values = Sequence[float | None]
"""One for each of FIELDS."""
Result = TypeVar("Result")
Rows = Sequence[tuple[float, Values]]
"""Stretches by the Unix time at which each ended, oldest first."""


class Stretches:
    """The newest stretches, oldest first. Times are Unix seconds at which each ended."""

    __slots__ = ("_columns", "_each", "_kept", "_worked_out", "ends")

    def __init__(self, kept: int) -> None:
        self.ends = array("d")
        self._columns = tuple(array("f") for _ in FIELDS)
        self._kept = kept
        self._worked_out: dict[Hashable, Any] = {}
        self._each: dict[Hashable, list[Any]] = {}
        """What was worked out of single stretches, the oldest first: of all but those that were added since."""

    def __len__(self) -> int:
        return len(self.ends)

    def append(self, end: float, values: Values) -> None:
        """Add the newest; what is too old is dropped a tenth at a time."""
        self._worked_out.clear()
        self.ends.append(end)
        for column, value in zip(self._columns, values, strict=True):
            column.append(nan if value is None else value)
        if len(self.ends) > self._kept + self._kept // 10:
            surplus = len(self.ends) - self._kept
            for column in (self.ends, *self._columns):
                del column[:surplus]
            for found in self._each.values():
                del found[:surplus]

    def before(self, rows: Rows) -> None:
        """Put what was before in front, oldest first; rows that are no older than the oldest are left out."""
        self._worked_out.clear()
        self._each.clear()
        oldest = self.ends[0] if self.ends else float("inf")
        older = [(end, values) for end, values in rows if end < oldest][-max(0, self._kept - len(self.ends)) :]
        self.ends[0:0] = array("d", [end for end, _ in older])
        for position, column in enumerate(self._columns):
            values = (row[position] for _, row in older)
            column[0:0] = array("f", [nan if value is None else value for value in values])

    def once(self, key: Hashable, work: Callable[[], Result]) -> Result:
        """`work()`, of nothing but these stretches and `key`: worked out again only when there are others."""
        if key not in self._worked_out:
            self._worked_out[key] = work()
        found: Result = self._worked_out[key]
        return found

    def each(
        self, key: Hashable, fields: Sequence[str], work: Callable[..., Result], since: float = 0.0
    ) -> list[Result]:
        """`work` of these fields of each stretch that ended since then: worked out once for each."""
        found = self._each.setdefault(key, [])
        first = len(found)
        if first < len(self.ends):
            columns = [_known(self._columns[_POSITION[field]][first:]) for field in fields]
            found += map(work, *columns)
        return found[bisect_left(self.ends, since) :]

    def points(self, field: str, since: float = 0.0, until: float = float("inf")) -> list[tuple[float, float]]:
        """(end, value) of those that ended within, where the value is known."""
        first, last = bisect_left(self.ends, since), bisect_right(self.ends, until)
        found = zip(self.ends[first:last], self._columns[_POSITION[field]][first:last], strict=True)
        return [(end, value) for end, value in found if not isnan(value)]

    def values(self, field: str, since: float = 0.0, until: float = float("inf")) -> list[float]:
        first, last = bisect_left(self.ends, since), bisect_right(self.ends, until)
        return [value for value in self._columns[_POSITION[field]][first:last] if value == value]

    def table(self, *fields: str, since: float = 0.0) -> list[tuple[float | None, ...]]:
        """These fields of each stretch that ended since then: a few columns cost much less than `rows`."""
        first = bisect_left(self.ends, since)
        return list(zip(*(_known(self._columns[_POSITION[field]][first:]) for field in fields), strict=True))

    def rows(self, since: float = 0.0, until: float = float("inf")) -> Iterator[dict[str, float | None]]:
        """One mapping a stretch, its end as `end`."""
        for position, end in enumerate(self.ends):
            if since <= end <= until:
                found = ((name, column[position]) for name, column in zip(FIELDS, self._columns, strict=True))
                yield {"end": end, **{name: None if isnan(value) else value for name, value in found}}

    def last(self, field: str) -> float | None:
        """The value of the newest stretch."""
        column = self._columns[_POSITION[field]]
        return None if not column or isnan(column[-1]) else column[-1]

    def present_since(self) -> float:
        """When the stretches began that are whole of the newest generation (Unix time); 0 where there is no other."""
        return self.once("present since", self._present_since)

    def _present_since(self) -> float:
        column = self._columns[_POSITION["generation"]]
        for position in range(len(column) - 1, -1, -1):
            if column[position] != column[-1] and not isnan(column[-1]):
                return self.ends[position + 1] + 0.001  # the change lies within that one
        return 0.0

    def present(self, field: str) -> Sequence[float]:
        """As `values`, of those that are whole of the newest generation."""
        return self.once(("present", field), lambda: self.values(field, self.present_since()))

    def newest(self) -> tuple[float, list[float | None]]:
        """The newest stretch. Raises IndexError where there is none."""
        return self.ends[-1], [None if isnan(column[-1]) else column[-1] for column in self._columns]

    def merged(self, count: int) -> list[float | None]:
        """The newest `count` stretches as one."""
        return self._merged_at(slice(len(self) - count, None))

    def merged_between(self, since: float, until: float) -> tuple[float, list[float | None]] | None:
        """Those that ended from `since` to before `until` as one, with the end of the last; None of none."""
        first, last = bisect_left(self.ends, since), bisect_left(self.ends, until)
        return (self.ends[last - 1], self._merged_at(slice(first, last))) if first < last else None

    def _merged_at(self, where: slice) -> list[float | None]:
        return [_merged(name, column[where]) for name, column in zip(FIELDS, self._columns, strict=True)]


class Trend:
    """A service's slices of five seconds in the last 20 minutes, its minutes of the last day, its hours of eight days."""

    __slots__ = ("_unmerged", "hourly", "minutes", "slices")

    def __init__(self) -> None:
        self.slices = Stretches(SLICES_KEPT)
        self.minutes = Stretches(MINUTES_KEPT)
        self.hourly = Stretches(HOURS_KEPT)
        """Hours of the clock that have ended."""
        self._unmerged = 0

    def add(self, end: float, values: Values) -> bool:
        """Add a slice; True where it ended a minute of the clock, which is then the newest one."""
        minute_ended = bool(self.slices.ends) and int(end // 60) > int(self.slices.ends[-1] // 60)
        if minute_ended and self._unmerged:
            self._end_hours(int(self.slices.ends[-1] // 3600))
            self.minutes.append(self.slices.ends[-1], self.slices.merged(self._unmerged))
            self._unmerged = 0
        else:
            minute_ended = False
        self.slices.append(end, values)
        self._unmerged += 1
        return minute_ended

    def restore(self, minutes: Rows, hours: Rows, began: float = inf) -> None:
        """Put in front what an earlier run of the agent has kept. What was set then is not known to be what is set now: its
        generations become negative, the newest -1. What ended after `began` (Unix time) is of this run itself."""
        newest = max((_generation(values) for end, values in (*minutes, *hours) if end <= began), default=0.0)
        for stretches, rows in ((self.minutes, minutes), (self.hourly, hours)):
            stretches.before([(end, v if end > began else _of_earlier_run(v, newest)) for end, v in rows])
        if len(self.minutes):
            self._end_hours(int(self.minutes.ends[-1] // 3600))

    def _end_hours(self, present: int) -> None:
        """Make hours of the minutes of those that ended before the hour `present` (of the clock, since 1970)."""
        done = int(self.hourly.ends[-1] // 3600) if len(self.hourly) else -1
        if done + 1 >= present:
            return
        for hour in sorted({int(end // 3600) for end in self.minutes.ends}):
            if done < hour < present:
                found = self.minutes.merged_between(hour * 3600, (hour + 1) * 3600)
                if found is not None:
                    self.hourly.append(*found)

    @property
    def hours(self) -> float:
        """Hours of which minutes are known."""
        return len(self.minutes) / 60


NO_TREND = Trend()
"""Of a service of which nothing was seen yet. Never added to."""


def _generation(values: Values) -> float:
    return values[_POSITION["generation"]] or 0.0


def _of_earlier_run(values: Values, newest: float) -> Values:
    position = _POSITION["generation"]
    return (*values[:position], _generation(values) - newest - 1, *values[position + 1 :])


def _known(column: Sequence[float]) -> Sequence[float | None]:
    """With None for what is not a number: the only value that differs from itself."""
    return [value if value == value else None for value in column] if isnan(sum(column)) else column


def _merged(name: str, values: Sequence[float]) -> float | None:
    known = [value for value in values if not isnan(value)]
    if not known:
        return None
    if name in _SUMS:
        return sum(known)
    if name in _PEAKS:
        return max(known)
    return known[-1] if name in _LAST else sum(known) / len(known)
