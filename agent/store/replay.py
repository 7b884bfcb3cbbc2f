"""How does a recording become readings, ticks and judgements again?"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from agent.store.columns import Kinds, known_kinds
from agent.store.errors import BadRecording
from agent.store.faults import READ_ERRORS
from agent.store.files import open_readable
from agent.store.recorded_samples import RecordedSamples
from agent.store.recorded_ticks import RecordedTick, recorded_ticks
from agent.store.recording import DOCUMENTS, FORMAT, NUMBERS, RecordingMeta
from collectors.reading import Failed, Instant, Ok, Outcome, Reading, Unsupported

FORMAT_1 = "nodewright recording 1"
"""Without ticks, judgements and changes."""
_HINT = "record it again, or copy it again from where it came"
_COLUMNS = "time, collector, mono_ns, wall_ns, duration_ns, cpu_ns, late_ns, status, reason, hint"
_QUERIES = {
    FORMAT_1: f"SELECT 0, NULL, {_COLUMNS} FROM reading ORDER BY mono_ns + duration_ns, collector",  # noqa: S608
    FORMAT: f"SELECT tick, body, {_COLUMNS} FROM reading LEFT JOIN document ON id = ordering ORDER BY tick, position",  # noqa: S608
}


class Replay:
    """An open recording; a context manager. Kinds that this version does not know are left out."""

    def __init__(self, path: Path, kinds: Kinds | None = None) -> None:
        """Check and open it. `kinds` None: those of the installed collectors. Raises BadRecording."""
        self._path = path
        self._kinds = known_kinds() if kinds is None else kinds
        if not path.is_file():
            raise BadRecording(path, "is no file", "name a file that `nodewright record` wrote")
        with _clear_errors(path):
            self._connection = open_readable(path)
        try:
            with _clear_errors(path):
                self._format, self.meta = self._read_meta()
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> "Replay":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    @property
    def has_ticks(self) -> bool:
        """Whether it says when it ticked and judged."""
        return self._format != FORMAT_1

    @property
    def judgements(self) -> int:
        """How often the rules judged; 0 where it does not tell. Raises BadRecording."""
        if not self.has_ticks:
            return 0
        with _clear_errors(self._path):
            return int(self._connection.execute("SELECT count(*) FROM judgement").fetchone()[0])

    def document(self, number: int) -> bytes:
        """The JSON that is stored under this number. Raises BadRecording."""
        with _clear_errors(self._path):
            row = self._connection.execute("SELECT body FROM document WHERE id = ?", (number,)).fetchone()
            if row is None:
                raise BadRecording(self._path, f"is damaged: it lacks document {number}", _HINT)
            return str(row[0]).encode()

    def readings(self) -> Iterator[Reading]:
        """All readings as they came; where it has no ticks, in order of time. Raises BadRecording where the file turns out
        to be damaged."""
        with _clear_errors(self._path):
            for _, reading in self._readings():
                yield reading

    def ticks(self) -> Iterator[RecordedTick]:
        """All whole ticks in order, where it has them. Raises BadRecording as `readings` does."""
        with _clear_errors(self._path):
            yield from recorded_ticks(self._connection, self._readings())

    def _readings(self) -> Iterator[tuple[int, Reading]]:
        samples = RecordedSamples(self._connection, self._kinds)
        orders: dict[str | None, list[int] | None] = {None: None}
        for row in self._connection.execute(_QUERIES[self._format]):
            tick, order, time_ms, collector, mono_ns, wall_ns, duration_ns, cpu_ns, late_ns, status, reason, hint = row
            if order not in orders:
                orders[order] = msgspec.json.decode(order, type=list[int])
            outcome: Outcome
            match status:
                case "unsupported":
                    outcome = Unsupported(reason, hint)
                case "failed":
                    outcome = Failed(reason)
                case _:
                    outcome = Ok(samples.of(collector, time_ms, orders[order]))
            yield (
                tick,
                Reading(
                    collector=collector,
                    at=Instant(mono_ns, wall_ns),
                    duration_ns=duration_ns,
                    cpu_ns=cpu_ns,
                    late_ns=late_ns,
                    outcome=outcome,
                ),
            )

    def _read_meta(self) -> tuple[str, RecordingMeta]:
        rows = self._connection.execute("SELECT key, value FROM meta") if self._has("meta") else ()
        meta: dict[str, Any] = dict(rows)
        form = meta.get("format")
        if form not in _QUERIES or not {"node", "version", "start"} <= set(meta):
            raise BadRecording(self._path, "is no recording", "name a file that `nodewright record` wrote")
        if (fault := self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise BadRecording(self._path, f"is damaged: {' '.join(fault.split())}", _HINT)
        rules = self._connection.execute("SELECT rule, version FROM rule_version") if form == FORMAT else ()
        return form, RecordingMeta(
            node=meta["node"],
            version=meta["version"],
            start=meta["start"],
            rules=dict(rules),
            **{name: meta[name] for name in NUMBERS if name in meta},
            **{name: meta[name].encode() for name in DOCUMENTS if meta.get(name) is not None},
        )

    def _has(self, table: str) -> bool:
        return self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone() is not None


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (*READ_ERRORS, msgspec.DecodeError, KeyError) as error:
        what = str(error) if isinstance(error, sqlite3.Error) else "its text cannot be read"
        raise BadRecording(path, f"is damaged or no recording: {what}", _HINT) from error
