"""How is a stretch of time put into one file, to be looked at and judged again elsewhere?

A recording has the tables of a raw shard and of the state file in one, holds the samples of every tier, and notes each run
of a collector, each tick, each judgement and what was known then, so that a replay goes through the same again.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from agent.store.errors import BadRecording
from agent.store.files import open_writable, transaction
from agent.store.names import clean_text
from agent.store.raw import PAGE_BYTES, RawFile
from agent.store.recording_documents import Documents, ordering
from agent.store.schema import RECORDING, STATE, migrate
from collectors.reading import Failed, Instant, Ok, Outcome, Reading, Unsupported, status_of

FORMAT = "nodewright recording 2"
_COMMIT_ROWS = 64


class RecordingMeta(msgspec.Struct, frozen=True, kw_only=True):
    """Whose readings these are, and what held for all of them. `version` is of the software that recorded, `start` Unix time
    in nanoseconds. The documents are JSON that the recorder gave along; None = it gave none.

    `rules`: version by rule; empty = not known. `advice`: what was said last. `ledger`: what was known from earlier changes.
    `facts`: in recordings of format 1 only, the services as they were at the end. `seed`: of what is drawn at random.
    """

    node: str
    version: str
    start: int
    settings: bytes | None = None
    topology: bytes | None = None
    ledger: bytes | None = None
    advice: bytes | None = None
    facts: bytes | None = None
    ticks_per_second: int = 100
    seed: int = 0
    rules: Mapping[str, str] = {}


DOCUMENTS = ("settings", "topology", "ledger", "advice", "facts")
NUMBERS = ("ticks_per_second", "seed")


class Recorder:
    """Writes one recording; a context manager. All methods raise BadRecording where the disk does not take it.

    What is written belongs to the open tick, until `end_tick`.
    """

    def __init__(self, output: Path, meta: RecordingMeta) -> None:
        """Raises BadRecording also where the file is there already."""
        if output.exists():
            raise BadRecording(output, "is there already", "name another file, or remove it")
        self._output = output
        self._epoch = meta.start // 1_000_000_000
        self._waiting: list[tuple[int, int, Reading]] = []
        self._rows: dict[str, list[tuple[Any, ...]]] = {}
        self._tick = self._position = self._judgement = 0
        with _clear_errors(output):
            self._connection = open_writable(output, PAGE_BYTES)
            self._raw = RawFile(self._connection, self._epoch, {}, everything=True)
            migrate(self._connection, "state", STATE)
            migrate(self._connection, "recording", RECORDING)
            self._documents = Documents(self._connection)
            self._write_meta({"format": FORMAT, "node": meta.node, "version": meta.version, "start": meta.start})
            self._write_meta({name: getattr(meta, name) for name in NUMBERS})
        for name in DOCUMENTS:
            if (body := getattr(meta, name)) is not None:
                self.write_document(name, body)
        for rule, version in meta.rules.items():
            self._add("rule_version", rule, version)

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, reading: Reading) -> None:
        """Add a reading; committed with others."""
        self._waiting.append((self._tick, self._position, reading))
        self._position += 1
        self._commit_some()

    def change(self, services: Sequence[bytes], processes: Sequence[bytes]) -> None:
        """All services, and what is known of all their processes, as they are from this tick on: JSON of each."""
        with _clear_errors(self._output):
            numbers = ([self._documents.number(body) for body in bodies] for bodies in (services, processes))
            self._add("change", self._tick, *(msgspec.json.encode(each).decode() for each in numbers))

    def acknowledge(self, finding: str, body: bytes | None) -> None:
        """An acknowledgement that holds from this tick on; None = it was taken back."""
        self._add("acknowledged", self._tick, finding, None if body is None else body.decode())

    def end_tick(self, now: Instant) -> None:
        self._add("tick", self._tick, now.mono_ns, now.wall_ns)
        self._tick += 1
        self._position = 0

    def profile(self, service: str, generation: int, age_seconds: float, body: bytes) -> None:
        """What the judgement that is going on was told of a service's profiles; `body` is the same but for the age."""
        with _clear_errors(self._output):
            number = self._documents.number(body)
        self._add("profile_seen", self._judgement, service, generation, age_seconds, number)

    def judged(self, now: Instant, digest: str) -> None:
        """A judgement after the tick that ended last."""
        self._add("judgement", self._judgement, self._tick - 1, now.mono_ns, now.wall_ns, digest)
        self._judgement += 1
        self._commit_some()

    def write_document(self, name: str, body: bytes) -> None:
        """Replace one of DOCUMENTS."""
        with _clear_errors(self._output):
            self._write_meta({name: body.decode()})

    def close(self) -> None:
        """Commit the rest and fold the log into the file, so that one file remains."""
        try:
            self._commit()
            with _clear_errors(self._output):
                self._connection.execute("PRAGMA journal_mode = DELETE")
        finally:
            self._connection.close()

    def _add(self, table: str, *values: Any) -> None:
        self._rows.setdefault(table, []).append(values)

    def _commit_some(self) -> None:
        if len(self._waiting) >= _COMMIT_ROWS:
            self._commit()

    def _commit(self) -> None:
        with _clear_errors(self._output), transaction(self._connection):
            self._raw.insert(reading for _, _, reading in self._waiting)
            self._rows["reading"] = [self._row(*each) for each in self._waiting]
            for table, rows in self._rows.items():
                if rows:
                    marks = ", ".join("?" * len(rows[0]))
                    self._connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", rows)  # noqa: S608
        self._waiting.clear()
        self._rows.clear()

    def _row(self, tick: int, position: int, reading: Reading) -> tuple[Any, ...]:
        time_ms = reading.at.wall_ns // 1_000_000 - self._epoch * 1000
        order = ordering(reading.samples, self._raw.entity)
        return (
            tick, position, time_ms, reading.collector, reading.at.mono_ns, reading.at.wall_ns, reading.duration_ns,
            reading.cpu_ns, reading.late_ns, status_of(reading.outcome), *_why_not(reading.outcome),
            None if order is None else self._documents.number(msgspec.json.encode(order)),
        )  # fmt: skip

    def _write_meta(self, values: Mapping[str, str | int]) -> None:
        self._connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())


def _why_not(outcome: Outcome) -> tuple[str | None, str | None]:
    """Reason and hint."""
    match outcome:
        case Unsupported():
            return clean_text(outcome.reason), clean_text(outcome.hint)
        case Failed():
            return clean_text(outcome.error), None
        case Ok():
            return None, None


def record(output: Path, readings: Iterable[Reading], meta: RecordingMeta) -> None:
    """Write `readings` until they end, or until their source raises: what came before is kept then."""
    with Recorder(output, meta) as recorder:
        for reading in readings:
            recorder.write(reading)


@contextmanager
def _clear_errors(output: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        hint = "free some space, or name a file in a folder that you may write"
        raise BadRecording(output, f"cannot be written: {error}", hint) from error
