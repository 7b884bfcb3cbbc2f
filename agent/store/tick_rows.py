"""How does a tick of the running agent become a row of a raw shard, with all that is needed to play it again?

Each shard is whole in itself: it names the run, and the first tick of a run in it says what is there. The row of a tick says of
each reading where its samples lie: they are stored once, as rows of their kinds.
"""

import zlib
from collections.abc import Iterable, Mapping
from sqlite3 import Connection
from typing import Any, Protocol

import msgspec

from agent.http.encoded import encode
from agent.recorded import redacted_worker
from agent.store.kept_documents import KeptDocuments
from agent.store.names import clean_text
from agent.store.tick_form import FAILED, UNSUPPORTED, KeptChange, KeptReading, KeptSamples, KeptService
from agent.store.ticks import Present, Run, Tick
from collectors.reading import Failed, Reading, Unsupported

THREADS_EVERY_NS = 300_000_000_000
"""So often the samples of which no rows are stored are kept, all of them together."""


class _Seen(Protocol):
    @property
    def key(self) -> Any: ...


class TickRows:
    """The ticks of an open shard. After a rollback, make a new one: its numbers may be gone."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._documents = KeptDocuments(connection)
        self._collectors: dict[str, int] = {}
        self._run: tuple[Run, int] | None = None
        self._present: Present | None = None
        self._known: dict[type, dict[Any, tuple[Any, int]]] = {}
        self._workers: frozenset[str] = frozenset()
        """Entities of the processes that are there."""
        self._threads_ns: int | None = None

    def insert(self, ticks: Iterable[Tick], run: Run, rows_of: Mapping[tuple[str, int], int]) -> None:
        """Store ticks in the open transaction; `rows_of` as `RawFile.insert` filled it. A tick that lacks one of its readings,
        as where the disk could not keep up, is none. Raises sqlite3.Error."""
        number = self._number_of(run)
        for tick in ticks:
            if any((one.collector, one.at.mono_ns) not in rows_of for one in tick.readings):
                continue
            before = self._workers
            if tick.present is not self._present:
                self._change(number, tick)
            readings = [self._kept(tick, one, rows_of[one.collector, one.at.mono_ns]) for one in tick.readings]
            self._connection.execute(
                "INSERT OR REPLACE INTO kept_tick VALUES (?, ?, ?, ?, ?)",
                (number, tick.at.mono_ns, tick.at.wall_ns, int(tick.judged), msgspec.msgpack.encode(readings)),
            )
            if self._threads_ns is None or tick.at.mono_ns - self._threads_ns >= THREADS_EVERY_NS:
                self._keep_threads(number, tick, frozenset())
                self._threads_ns = tick.at.mono_ns
            elif not self._workers <= before:
                self._keep_threads(number, tick, before)

    def forget_before(self, wall_ns: int) -> None:
        """Delete older ticks: their rows are gone. Raises sqlite3.Error."""
        self._connection.execute("DELETE FROM kept_tick WHERE wall_ns < ?", (wall_ns,))

    def _number_of(self, run: Run) -> int:
        if self._run is not None and self._run[0] is run:
            return self._run[1]
        parts = (run.topology, encode(run.rules))
        values = (run.started_ns, run.node, run.version, run.ticks_per_second, run.interval_ns)
        self._connection.execute(
            "INSERT OR IGNORE INTO kept_run (started_ns, node, version, ticks_per_second, interval_ns, topology, rules)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*values, *map(self._documents.number, parts)),
        )
        found = self._connection.execute("SELECT id FROM kept_run WHERE started_ns = ?", (run.started_ns,)).fetchone()
        self._run = (run, found[0])
        return int(found[0])

    def _change(self, run: int, tick: Tick) -> None:
        present = tick.present
        services, facts = [], []
        for service in present.services:
            workers = tuple(
                self._once(worker, lambda one=worker: encode(redacted_worker(one))) for worker in service.workers
            )
            alone = encode(msgspec.structs.replace(service, workers=()))
            services.append(KeptService(self._documents.number(alone), workers))
            inside = (present.facts.get(worker.key) for worker in service.workers)
            facts += [self._once(one, lambda one=one: encode(one)) for one in inside if one is not None]
        body = zlib.compress(
            msgspec.msgpack.encode(KeptChange(tuple(services), tuple(facts), self._documents.number(present.settings))),
            1,
        )
        self._connection.execute("INSERT OR REPLACE INTO kept_change VALUES (?, ?, ?)", (run, tick.at.mono_ns, body))
        self._present = present
        alive = {worker.key for service in present.services for worker in service.workers}
        self._workers = frozenset(key.entity for key in alive)
        for known in self._known.values():
            for gone in known.keys() - alive:
                del known[gone]

    def _once(self, one: _Seen, body: Any) -> int:
        """The number of its document, which is made again only where it is another object."""
        known = self._known.setdefault(type(one), {})
        before = known.get(one.key)
        if before is None or before[0] is not one:
            before = known[one.key] = (one, self._documents.number(body()))
        return before[1]

    def _kept(self, tick: Tick, reading: Reading, rows: int) -> KeptReading:
        why, outcome = None, reading.outcome
        if isinstance(outcome, Unsupported):
            rows, why = UNSUPPORTED, self._documents.number(encode((outcome.reason, outcome.hint)))
        elif isinstance(outcome, Failed):
            rows, why = FAILED, self._documents.number(encode((outcome.error, None)))
        return KeptReading(
            collector=self._collector(reading.collector),
            wall_ms=reading.at.wall_ns // 1_000_000 - tick.at.wall_ns // 1_000_000,
            mono_ns=reading.at.mono_ns - tick.at.mono_ns,
            duration_ns=reading.duration_ns,
            late_us=reading.late_ns // 1000,
            rows=rows,
            why=why,
        )

    def _collector(self, name: str) -> int:
        if name not in self._collectors:
            self._connection.execute("INSERT OR IGNORE INTO kept_collector (name) VALUES (?)", (name,))
            row = self._connection.execute("SELECT id FROM kept_collector WHERE name = ?", (name,)).fetchone()
            self._collectors[name] = row[0]
        return self._collectors[name]

    def _keep_threads(self, run: int, tick: Tick, but: frozenset[str]) -> None:
        """Those of all processes but of these, which are kept already."""
        rows: dict[str, KeptSamples] = {}
        for reading in tick.readings:
            for sample in reading.samples:
                if sample.tier != "notable" or sample.notable or getattr(sample, "worker", "") in but:
                    continue
                if sample.kind not in rows:
                    rows[sample.kind] = KeptSamples(sample.__struct_fields__, [])
                rows[sample.kind].rows.append([_plain(value) for value in msgspec.structs.astuple(sample)])
        body = zlib.compress(msgspec.msgpack.encode(rows), 1)
        self._connection.execute(
            "INSERT OR REPLACE INTO kept_threads VALUES (?, ?, ?, ?)", (run, tick.at.mono_ns, int(not but), body)
        )


def _plain(value: Any) -> Any:
    """Numbers beyond 64 bits are not known; text is UTF-8."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return None
    return value
