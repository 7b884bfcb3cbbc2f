"""How does a recording become readings again?"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent.store.columns import Kinds, known_kinds, producers, quoted
from agent.store.errors import BadRecording
from agent.store.faults import READ_ERRORS
from agent.store.files import open_readable
from agent.store.recording import FORMAT, RecordingMeta
from collectors.reading import Failed, Instant, Ok, Outcome, Reading, Unsupported
from collectors.sample import Sample, fields_of

_HINT = "record it again, or copy it again from where it came"


class Replay:
    """An open recording; a context manager. Kinds that this version does not know are left out."""

    def __init__(self, path: Path, kinds: Kinds | None = None) -> None:
        """Check and open it. `kinds` None: those of the installed collectors. Raises BadRecording."""
        self._path = path
        self._kinds = known_kinds() if kinds is None else kinds
        self._producers = producers()
        if not path.is_file():
            raise BadRecording(path, "is no file", "name a file that `nodewright record` wrote")
        with _clear_errors(path):
            self._connection = open_readable(path)
        try:
            with _clear_errors(path):
                self.meta = self._read_meta()
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> "Replay":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def readings(self) -> Iterator[Reading]:
        """All readings in order of time. Raises BadRecording where the file turns out to be damaged."""
        with _clear_errors(self._path):
            queries = self._queries()
            for row in self._connection.execute("SELECT * FROM reading ORDER BY mono_ns + duration_ns, collector"):
                time_ms, collector, mono_ns, wall_ns, duration_ns, cpu_ns, late_ns, status, reason, hint = row
                yield Reading(
                    collector=collector,
                    at=Instant(mono_ns, wall_ns),
                    duration_ns=duration_ns,
                    cpu_ns=cpu_ns,
                    late_ns=late_ns,
                    outcome=self._outcome(status, reason, hint, queries.get(collector, []), time_ms),
                )

    def _outcome(
        self, status: str, reason: str, hint: str, queries: "list[tuple[type[Sample], str]]", time_ms: int
    ) -> Outcome:
        match status:
            case "unsupported":
                return Unsupported(reason, hint)
            case "failed":
                return Failed(reason)
        rows = [(kind, row) for kind, query in queries for row in self._connection.execute(query, (time_ms,))]
        return Ok([_sample(kind, row) for kind, row in rows])

    def _queries(self) -> dict[str, list[tuple[type[Sample], str]]]:
        """Collector → what it produced, and the query for the rows of one moment. A missing column reads as None."""
        queries: dict[str, list[tuple[type[Sample], str]]] = {}
        for name, collector in self._connection.execute("SELECT name, collector FROM kind ORDER BY name"):
            if (kind := self._kinds.get(name)) is not None:
                for producer in {collector, *self._producers.get(name, ())}:
                    queries.setdefault(producer, []).append((kind, self._query(kind)))
        return queries

    def _query(self, kind: type[Sample]) -> str:
        table = quoted(kind.kind)
        present = {row[1] for row in self._connection.execute(f"PRAGMA table_info({table})")}
        columns = [f"raw.{quoted(s.name)}" if s.name in present else "NULL" for s in fields_of(kind)]
        return (
            f"SELECT entity.key, {', '.join(columns)} FROM {table} AS raw JOIN entity ON entity.id = raw.entity"  # noqa: S608
            " WHERE raw.time = ? ORDER BY raw.entity"
        )

    def _read_meta(self) -> RecordingMeta:
        rows = self._connection.execute("SELECT key, value FROM meta") if self._has_meta() else ()
        meta: dict[str, Any] = dict(rows)
        if meta.get("format") != FORMAT or not {"node", "version", "start"} <= set(meta):
            raise BadRecording(self._path, "is no recording", "name a file that `nodewright record` wrote")
        if (fault := self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise BadRecording(self._path, f"is damaged: {' '.join(fault.split())}", _HINT)
        facts = meta.get("facts")
        return RecordingMeta(
            node=meta["node"], version=meta["version"], start=meta["start"], facts=facts and facts.encode()
        )

    def _has_meta(self) -> bool:
        return self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone() is not None


def _sample(kind: type[Sample], row: tuple[Any, ...]) -> Sample:
    names = (spec.name for spec in fields_of(kind))
    return kind(entity=row[0], **dict(zip(names, row[1:], strict=True)))


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except READ_ERRORS as error:
        what = str(error) if isinstance(error, sqlite3.Error) else "its text cannot be read"
        raise BadRecording(path, f"is damaged or no recording: {what}", _HINT) from error
