"""How do minute rows reach the state file, and how do old ones leave it?"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from agent.store.files import open_writable
from agent.store.histogram import bucket_of, decode, encode, merge
from agent.store.minutes import MinuteRow
from agent.store.names import Names
from agent.store.schema import STATE, migrate
from collectors.sample import Sample

PAGE_BYTES = 4096
_MINUTES_AT_A_TIME = 60

_INSERT = """INSERT INTO minute VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (time, entity, field) DO UPDATE SET
  histogram = merge_histograms(histogram, minimum, maximum, count,
                               excluded.histogram, excluded.minimum, excluded.maximum, excluded.count),
  total = total + excluded.total, count = count + excluded.count,
  minimum = min(minimum, excluded.minimum), maximum = max(maximum, excluded.maximum),
  span_ms = span_ms + excluded.span_ms"""


class StateFile:
    """The open `state.db`. A minute that was stored in two parts (a restart between them) is added up."""

    def __init__(self, path: Path, labels: Mapping[str, str]) -> None:
        """Open or create it. Raises sqlite3.Error."""
        self.connection = open_writable(path, PAGE_BYTES)
        try:
            migrate(self.connection, "state", STATE)
            self.connection.create_function("merge_histograms", 8, _merge_parts, deterministic=True)
        except BaseException:
            self.connection.close()
            raise
        self._names = Names(self.connection, labels)
        self._declared: set[type[Sample]] = set()

    def insert_minutes(self, rows: Iterable[MinuteRow]) -> None:
        """Store minute rows in the open transaction. Raises sqlite3.Error."""
        tuples = [self._as_tuple(row) for row in rows]
        # a kernel's underflow reads as nearly 2**64, and SQLite ends at 2**63. A row is added to what is there, so that none
        # may be tried twice
        self.connection.executemany(_INSERT, [row for row in tuples if all(map(_storable, row))])

    def forget_before(self, unix_seconds: int) -> bool:
        """Delete older minute rows, an hour of them at most, and what became of findings before them; whether there were any
        such rows. Raises sqlite3.Error."""
        minute = unix_seconds // 60
        oldest = self.connection.execute("SELECT min(time) FROM minute").fetchone()[0]
        before = minute if oldest is None else min(minute, oldest + _MINUTES_AT_A_TIME)
        self._forget_findings(before * 60)
        if oldest is None or oldest >= minute:
            return False
        self.connection.execute("DELETE FROM minute WHERE time < ?", (before,))
        self.connection.execute(
            "DELETE FROM service_facts WHERE at < ? AND EXISTS (SELECT 1 FROM service_facts AS newer"
            " WHERE newer.service = service_facts.service AND newer.at > service_facts.at)",
            (unix_seconds,),
        )
        return True

    def _forget_findings(self, before_unix_seconds: int) -> None:
        self.connection.execute("DELETE FROM finding_event WHERE at_ns < ?", (before_unix_seconds * 1_000_000_000,))
        self.connection.execute(
            "DELETE FROM finding WHERE state IN ('resolved', 'superseded')"
            " AND last_seen < strftime('%Y-%m-%dT%H:%M:%SZ', ?, 'unixepoch')",
            (before_unix_seconds,),
        )

    def _as_tuple(self, row: MinuteRow) -> tuple[object, ...]:
        if row.kind not in self._declared:
            self._names.declare(row.kind)
            self._declared.add(row.kind)
        entity = self._names.entity(row.kind.kind, row.entity)
        field = self._names.field(row.kind.kind, row.field)
        return (
            row.minute, entity, field, row.total, row.count, row.minimum, row.maximum, row.span_ms, row.histogram,
        )  # fmt: skip


def row_histogram(histogram: bytes | None, minimum: float, count: int) -> Mapping[int, int]:
    """The histogram of a minute row: all values alike where none is stored."""
    return {bucket_of(minimum): count} if histogram is None else decode(histogram)


def _storable(value: object) -> bool:
    return not isinstance(value, int) or abs(value) < 2**63


def _merge_parts(
    histogram: bytes | None, minimum: float, maximum: float, count: int,
    other: bytes | None, other_minimum: float, other_maximum: float, other_count: int,
) -> bytes | None:  # fmt: skip
    if min(minimum, other_minimum) == max(maximum, other_maximum):
        return None
    return encode(merge([row_histogram(histogram, minimum, count), row_histogram(other, other_minimum, other_count)]))
