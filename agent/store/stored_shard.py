"""What does one raw shard hold of a run of the agent?"""

import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from agent.store.columns import Kinds, producers, quoted
from agent.store.faults import Fault, fault_of
from agent.store.files import open_readable
from agent.store.recorded_samples import maker
from agent.store.tick_form import KeptChange, KeptSamples
from agent.store.ticks import Present, Run
from collectors.entities import Service, Worker
from collectors.facts import ProcessFacts
from collectors.sample import Sample, fields_of

T = TypeVar("T")
Row = tuple[int, int, int, bytes, "StoredShard"]
"""Of a tick: instant on both clocks, whether it was judged, its readings, and where it lies."""


def opened(path: Path, started_ns: int, kinds: Kinds) -> "StoredShard | None":
    """The shard, where it can be read and holds anything of the run. Raises sqlite3.Error where it is blocked."""
    connection: sqlite3.Connection | None = None
    shard: StoredShard | None = None
    try:
        connection = open_readable(path)
        row = connection.execute("SELECT id FROM kept_run WHERE started_ns = ?", (started_ns,)).fetchone()
        shard = None if row is None else StoredShard(connection, row[0], kinds)
    except sqlite3.Error as error:
        if fault_of(error) is Fault.BLOCKED and path.exists():
            raise
    finally:
        if connection is not None and shard is None:
            connection.close()
    return shard


class StoredShard:
    """An open shard. All methods raise sqlite3.Error, and msgspec.DecodeError for what a later version wrote."""

    def __init__(self, connection: sqlite3.Connection, run: int, kinds: Kinds) -> None:
        self._connection = connection
        self._run = run
        self._kinds = kinds
        self._documents: dict[tuple[Any, int], Any] = {}
        self._epoch_ms = 1000 * int(self._one("SELECT value FROM meta WHERE key = 'epoch_unix_seconds'"))
        self.collectors: dict[int, str] = dict(self._all("SELECT id, name FROM kept_collector"))
        self._tables: dict[str, list[_Table]] = {}
        several = producers()
        for name, collector in self._all("SELECT name, collector FROM kind ORDER BY name"):
            if (kind := kinds.get(name)) is not None:
                table = _Table(connection, kind)
                for producer in sorted({collector, *several.get(name, ())}):
                    self._tables.setdefault(producer, []).append(table)

    def close(self) -> None:
        self._connection.close()

    def read_run(self, started_ns: int) -> Run:
        query = "SELECT node, version, ticks_per_second, interval_ns, topology, rules FROM kept_run WHERE id = ?"
        node, version, hertz, interval_ns, *numbers = self._all(query, self._run)[0]
        topology, rules = (self._body(number) for number in numbers)
        return Run(
            started_ns=started_ns, node=node, version=version, ticks_per_second=hertz, interval_ns=interval_ns,
            topology=topology, rules=msgspec.json.decode(rules, type=dict[str, str]),
        )  # fmt: skip

    def first_mono_ns(self) -> int | None:
        found: int | None = self._one("SELECT min(mono_ns) FROM kept_tick WHERE run = ?", self._run)
        return found

    def wall_ns(self, mono_ns: int) -> int | None:
        """Of this tick; None where it is not here."""
        found = self._all("SELECT wall_ns FROM kept_tick WHERE run = ? AND mono_ns = ?", self._run, mono_ns)
        return int(found[0][0]) if found else None

    def count(self, first: int, last: int) -> int:
        query = "SELECT count(*) FROM kept_tick WHERE run = ? AND mono_ns BETWEEN ? AND ?"
        return int(self._one(query, self._run, first, last))

    def ticks(self, first: int, last: int) -> Iterator[Row]:
        query = "SELECT mono_ns, wall_ns, judged, readings FROM kept_tick WHERE run = ? AND mono_ns BETWEEN ? AND ?"
        for row in self._connection.execute(f"{query} ORDER BY mono_ns", (self._run, first, last)):
            yield (*row, self)

    def present_at(self, mono_ns: int) -> tuple[int, Present] | None:
        """What was there by then, with the tick from which on; None where this shard does not say."""
        query = "SELECT mono_ns, body FROM kept_change WHERE run = ? AND mono_ns <= ? ORDER BY mono_ns DESC LIMIT 1"
        found = self._all(query, self._run, mono_ns)
        return (found[0][0], self._present(found[0][1])) if found else None

    def present_with(self, mono_ns: int) -> Present | None:
        """What is there from exactly this tick on, where that was kept with it."""
        found = self._all("SELECT body FROM kept_change WHERE run = ? AND mono_ns = ?", self._run, mono_ns)
        return self._present(found[0][0]) if found else None

    def asleep_until(self, mono_ns: int) -> list[tuple[int, int, Sequence[Sample]]]:
        """From the newest time on at which all were kept: the tick, whether of all processes, and the samples."""
        query = """SELECT mono_ns, whole, body FROM kept_threads WHERE run = ? AND mono_ns <= ? AND mono_ns >= coalesce(
          (SELECT max(mono_ns) FROM kept_threads WHERE run = ? AND mono_ns <= ? AND whole), 0) ORDER BY mono_ns"""
        rows = self._all(query, self._run, mono_ns, self._run, mono_ns)
        return [(mono, whole, self._samples(body)) for mono, whole, body in rows]

    def asleep_with(self, mono_ns: int) -> tuple[int, Sequence[Sample]] | None:
        found = self._all("SELECT whole, body FROM kept_threads WHERE run = ? AND mono_ns = ?", self._run, mono_ns)
        return (found[0][0], self._samples(found[0][1])) if found else None

    def samples(
        self, collector: str, wall_ms: int, mono_ns: int, skip: Callable[[str, int], bool]
    ) -> tuple[list[Sample], bool]:
        """Those of one reading, and whether none were left out."""
        found: list[Sample] = []
        complete = True
        for table in self._tables.get(collector, ()):
            if skip(table.kind, mono_ns):
                complete = False
            else:
                found += table.at(wall_ms - self._epoch_ms)
        return found, complete

    def document(self, kind: type[T], number: int) -> T:
        """A document, read once."""
        found = self._documents.get((kind, number))
        if found is None:
            found = self._documents[kind, number] = msgspec.json.decode(self._body(number), type=kind)
        known: T = found
        return known

    def _present(self, body: bytes) -> Present:
        change = msgspec.msgpack.decode(zlib.decompress(body), type=KeptChange)
        services = []
        for kept in change.services:
            workers = tuple(self.document(Worker, number) for number in kept.workers)
            services.append(msgspec.structs.replace(self.document(Service, kept.service), workers=workers))
        facts = [self.document(ProcessFacts, number) for number in change.facts]
        return Present(tuple(services), {one.key: one for one in facts}, self._body(change.settings))

    def _samples(self, body: bytes) -> list[Sample]:
        found: list[Sample] = []
        for name, kept in msgspec.msgpack.decode(zlib.decompress(body), type=dict[str, KeptSamples]).items():
            kind = self._kinds.get(name)
            if kind is not None:
                places = [(n, kept.names.index(n)) for n in kind.__struct_fields__ if n in kept.names]
                absent: dict[str, Any] = {n: None for n in kind.__struct_fields__ if n not in kept.names}
                found += [kind(**absent, **{n: row[place] for n, place in places}) for row in kept.rows]
        return found

    def _body(self, number: int) -> bytes:
        return zlib.decompress(self._one("SELECT body FROM kept_document WHERE id = ?", number))

    def _one(self, query: str, *parameters: object) -> Any:
        return self._all(query, *parameters)[0][0]

    def _all(self, query: str, *parameters: object) -> list[Any]:
        return self._connection.execute(query, parameters).fetchall()


class _Keys(dict[int, str]):
    """Entities by number; those that the agent adds meanwhile are looked up."""

    def __init__(self, connection: sqlite3.Connection, rows: Iterable[tuple[int, str]]) -> None:
        super().__init__(rows)
        self._connection = connection

    def __missing__(self, number: int) -> str:
        row = self._connection.execute("SELECT key FROM entity WHERE id = ?", (number,)).fetchone()
        self[number] = str(row[0])
        return self[number]


class _Table:
    """The rows of one kind."""

    def __init__(self, connection: sqlite3.Connection, kind: type[Sample]) -> None:
        self.kind = kind.kind
        self._connection = connection
        rows = connection.execute("SELECT id, key FROM entity WHERE kind = ?", (kind.kind,))
        self._make = maker(kind, _Keys(connection, rows))
        present = {row[1] for row in connection.execute(f"PRAGMA table_info({quoted(kind.kind)})")}
        columns = [quoted(spec.name) if spec.name in present else "NULL" for spec in fields_of(kind)]
        self._query = (
            f"SELECT time, entity, {', '.join(columns)} FROM {quoted(kind.kind)} WHERE time = ? ORDER BY entity"  # noqa: S608
        )
        self._last: tuple[int, list[Sample]] = (-1, [])

    def at(self, time_ms: int) -> list[Sample]:
        """The samples of one moment; several collectors of one kind may ask for the same."""
        if self._last[0] != time_ms:
            make = self._make
            self._last = (time_ms, [make(*row) for row in self._connection.execute(self._query, (time_ms,))])
        return self._last[1]
