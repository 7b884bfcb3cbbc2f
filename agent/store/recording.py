"""How is a stretch of time put into one file, to be looked at elsewhere?

A recording has the tables of a raw shard and of the state file in one, holds the samples of every tier, and notes
each run of a collector, so that a replay gives the same Readings again.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from agent.store.errors import BadRecording
from agent.store.files import open_writable, transaction
from agent.store.names import clean_text
from agent.store.raw import PAGE_BYTES, RawFile
from agent.store.schema import RECORDING, STATE, migrate
from collectors.reading import Failed, Ok, Outcome, Reading, Unsupported, status_of

FORMAT = "nodewright recording 1"
_COMMIT_READINGS = 64


class RecordingMeta(msgspec.Struct, frozen=True, kw_only=True):
    """Whose readings these are. `version` is of the software that recorded, `start` Unix time in nanoseconds.

    `facts`: JSON that the recorder gave along, such as services and settings; None = nothing.
    """

    node: str
    version: str
    start: int
    facts: bytes | None = None


class Recorder:
    """Writes one recording; a context manager. All methods raise BadRecording where the disk does not take it."""

    def __init__(self, output: Path, meta: RecordingMeta) -> None:
        """Raises BadRecording also where the file is there already."""
        if output.exists():
            raise BadRecording(output, "is there already", "name another file, or remove it")
        self._output = output
        self._epoch = meta.start // 1_000_000_000
        self._waiting: list[Reading] = []
        with _clear_errors(output):
            self._connection = open_writable(output, PAGE_BYTES)
            self._raw = RawFile(self._connection, self._epoch, {}, everything=True)
            migrate(self._connection, "state", STATE)
            migrate(self._connection, "recording", RECORDING)
            self._write_meta(format=FORMAT, node=meta.node, version=meta.version, start=meta.start)
        if meta.facts is not None:
            self.write_facts(meta.facts)

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, reading: Reading) -> None:
        """Add a reading; committed with others."""
        self._waiting.append(reading)
        if len(self._waiting) >= _COMMIT_READINGS:
            self._commit()

    def write_facts(self, facts: bytes) -> None:
        """Replace the facts that go along."""
        with _clear_errors(self._output):
            self._write_meta(facts=facts.decode())

    def close(self) -> None:
        """Commit the rest and fold the log into the file, so that one file remains."""
        try:
            self._commit()
            with _clear_errors(self._output):
                self._connection.execute("PRAGMA journal_mode = DELETE")
        finally:
            self._connection.close()

    def _commit(self) -> None:
        with _clear_errors(self._output), transaction(self._connection):
            self._raw.insert(self._waiting)
            rows = [self._row(reading) for reading in self._waiting]
            self._connection.executemany("INSERT OR REPLACE INTO reading VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self._waiting.clear()

    def _row(self, reading: Reading) -> tuple[Any, ...]:
        time_ms = reading.at.wall_ns // 1_000_000 - self._epoch * 1000
        return (
            time_ms, reading.collector, reading.at.mono_ns, reading.at.wall_ns, reading.duration_ns, reading.cpu_ns,
            reading.late_ns, status_of(reading.outcome), *_why_not(reading.outcome),
        )  # fmt: skip

    def _write_meta(self, **values: str | int) -> None:
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
