"""How do samples become rows of a raw file?"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from msgspec.structs import astuple

from agent.store.columns import column_sql, insert_sql, quoted, table_name, table_sql, view_sql
from agent.store.files import open_writable
from agent.store.names import Names, clean_text
from agent.store.schema import RAW, SHARD, migrate
from agent.store.tick_rows import TickRows
from collectors.reading import Reading
from collectors.sample import Sample, fields_of

PAGE_BYTES = 2048
"""Each commit writes the last page of every table; small pages halve what that costs the disk."""

RowsOf = dict[tuple[str, int], int]
"""How many rows there are of a reading: by its collector and its instant on the monotonic clock."""

_HOUR_MS = 3_600_000
_LARGEST = 2**63 - 1

Row = tuple[Any, ...]


class RawFile:
    """An open shard or recording. Rows are keyed (time, entity): appends at the right edge of each table."""

    def __init__(
        self, connection: Connection, epoch_unix_seconds: int, labels: Mapping[str, str], *, everything: bool = False
    ) -> None:
        """`everything`: samples of all tiers are kept, as a recording does. Raises sqlite3.Error."""
        self.connection = connection
        self._epoch = epoch_unix_seconds
        self._names = Names(connection, labels)
        self._everything = everything
        self._inserts: dict[type[Sample], str] = {}
        self._notable: dict[str, tuple[Reading, frozenset[str]]] = {}
        """By collector, its last reading of which not all is stored, and the entities of which something is."""
        self.ticks: TickRows | None = None
        """Where it is the shard of a running agent."""
        self.entity = self._names.entity
        """The number of an entity by its kind and key. Raises sqlite3.Error."""
        if everything:
            migrate(connection, "raw", RAW)
        else:
            migrate(connection, "shard", SHARD)
        connection.execute("INSERT OR IGNORE INTO meta VALUES ('epoch_unix_seconds', ?)", (epoch_unix_seconds,))

    def insert(self, readings: Iterable[Reading], rows_of: RowsOf | None = None) -> int:
        """Store the samples of `readings` in the open transaction; how many rows that were, and in `rows_of` how many of
        each. Raises sqlite3.Error."""
        rows: dict[type[Sample], list[Row]] = {}
        for reading in readings:
            chosen = reading.samples if self._everything else self._chosen(reading)
            self._add(rows, reading, chosen)
            if rows_of is not None:
                rows_of[reading.collector, reading.at.mono_ns] = len({(one.kind, one.entity) for one in chosen})
        for kind, its_rows in rows.items():
            self._insert(kind, its_rows)
        return sum(map(len, rows.values()))

    def _add(self, rows: dict[type[Sample], list[Row]], reading: Reading, samples: Iterable[Sample]) -> None:
        time_ms = reading.at.wall_ns // 1_000_000 - self._epoch * 1000
        for sample in samples:
            kind = type(sample)
            if kind not in self._inserts:
                self._declare(kind, reading.collector)
            entity, *values = astuple(sample)
            rows.setdefault(kind, []).append((time_ms, self._names.entity(kind.kind, entity), *values))
        if not self._everything:
            self._add_before(rows, reading, samples)

    def _chosen(self, reading: Reading) -> list[Sample]:
        """Those that a shard keeps."""
        return [sample for sample in reading.samples if sample.tier != "memory" and sample.notable]

    def _add_before(self, rows: dict[type[Sample], list[Row]], reading: Reading, chosen: Iterable[Sample]) -> None:
        """What begins to be worth storing is stored as it was a reading before, too: its counters grew from there."""
        present = frozenset(sample.entity for sample in chosen if sample.tier == "notable")
        if not present and not any(sample.tier == "notable" for sample in reading.samples[:1]):
            return
        known = self._notable.get(reading.collector)
        self._notable[reading.collector] = (reading, present)
        if known is None or not (begun := present - known[1]):
            return
        before = [one for one in known[0].samples if one.tier == "notable" and one.entity in begun]
        time_ms = known[0].at.wall_ns // 1_000_000 - self._epoch * 1000
        for sample in before if time_ms >= 0 else ():
            entity, *values = astuple(sample)
            rows.setdefault(type(sample), []).append((time_ms, self._names.entity(sample.kind, entity), *values))

    def forget_before(self, unix_seconds: int) -> bool:
        """Delete older rows, an hour of them at most; whether there were any. Raises sqlite3.Error."""
        names = [quoted(row[0]) for row in self.connection.execute("SELECT name FROM kind")]
        oldest = [self.connection.execute(f"SELECT min(time) FROM {name}").fetchone()[0] for name in names]  # noqa: S608
        first = min((time for time in oldest if time is not None), default=None)
        before = (unix_seconds - self._epoch) * 1000
        if first is None or first >= before:
            return False
        until = min(before, first + _HOUR_MS)
        for name in names:
            self.connection.execute(f"DELETE FROM {name} WHERE time < ?", (until,))  # noqa: S608
        if self.ticks is not None:
            self.ticks.forget_before((self._epoch * 1000 + until) * 1_000_000)
        return True

    def _insert(self, kind: type[Sample], rows: list[Row]) -> None:
        try:
            self.connection.executemany(self._inserts[kind], rows)
        except (OverflowError, UnicodeEncodeError):
            self.connection.executemany(self._inserts[kind], [tuple(map(_storable, row)) for row in rows])

    def _declare(self, kind: type[Sample], collector: str) -> None:
        """Make the table and view of a sample type, or extend those that an older version made."""
        name = table_name(kind)
        self.connection.execute(table_sql(kind))
        present = {row[1] for row in self.connection.execute(f"PRAGMA table_info({quoted(name)})")}
        for spec in fields_of(kind):
            if spec.name not in present:
                self.connection.execute(f"ALTER TABLE {quoted(name)} ADD COLUMN {column_sql(spec)}")
        self.connection.execute(f"DROP VIEW IF EXISTS {quoted(name + '_rates')}")
        self.connection.execute(view_sql(kind, self._epoch))
        self.connection.execute("INSERT OR REPLACE INTO kind VALUES (?, ?, ?)", (name, collector, kind.doc))
        self._names.declare(kind)
        self._inserts[kind] = insert_sql(kind)


def open_shard(path: Path, epoch_unix_seconds: int, labels: Mapping[str, str]) -> RawFile:
    """Open or create the raw file of the day that begins at `epoch_unix_seconds`. Raises sqlite3.Error."""
    connection = open_writable(path, PAGE_BYTES)
    try:
        file = RawFile(connection, epoch_unix_seconds, labels)
        file.ticks = TickRows(connection)
        return file
    except BaseException:
        connection.close()
        raise


def _storable(value: Any) -> Any:
    """What SQLite can hold: a number beyond 64 bits is not known, and see `clean_text`."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
        return None
    return value
