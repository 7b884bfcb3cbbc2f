"""What do the screens, the HTTP interface and commands read from the files while the agent writes them?"""

from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from advisor.documents import FindingEvent
from advisor.finding import Acknowledgement, Finding, Severity
from advisor.profiling.header import ProfileFilter, ProfileHeader
from advisor.profiling.stored import Side, StackSample, StoredKind, StoredProfile
from advisor.series import Point, Series
from advisor.trend import Values
from agent.store import profile_reader, trends
from agent.store.columns import quoted
from agent.store.faults import READ_ERRORS, Fault, fault_of
from agent.store.files import DAY_SECONDS, open_readable, shards
from agent.store.histogram import merge, quantile
from agent.store.minutes import RATE_SECONDS
from agent.store.series import Row, Sum, counter_sums, gauge_sums, points
from agent.store.state import row_histogram
from collectors.sample import FieldSpec


class StoredTurn(msgspec.Struct, frozen=True, kw_only=True):
    """A turn in the life of a finding, at its exact instant (Unix time)."""

    at_ns: int
    finding: str
    event: str
    severity: Severity
    title: str
    owner: str | None
    note: str | None


RAW_SPAN_SECONDS = 6 * 3600
"""Longer spans, and steps of a minute and more, are answered from minute rows where there are any."""
_MINUTE_SECONDS = 60
_LOOK_BACK_SECONDS = 30
"""How far before the start a counter's base is looked for."""

_RAW_ROWS = """SELECT entity.key, meta.value + raw.time / 1000.0, raw.{field}
FROM meta CROSS JOIN entity CROSS JOIN {kind} AS raw
WHERE meta.key = 'epoch_unix_seconds' AND entity.kind = ? AND entity.key IN (SELECT value FROM json_each(?))
  AND raw.entity = entity.id
  AND raw.time >= (? - meta.value) * 1000 AND raw.time < (? - meta.value) * 1000
ORDER BY raw.time"""

_MINUTE_ROWS = """WITH RECURSIVE
  span(first, last) AS (SELECT max(?, (SELECT min(time) FROM minute)), min(?, (SELECT max(time) FROM minute))),
  each_minute(time) AS (
    SELECT first FROM span WHERE first <= last
    UNION ALL SELECT time + 1 FROM each_minute, span WHERE time < last)
SELECT entity.key, row.time * 60.0, row.total, row.count, row.span_ms, row.minimum, row.histogram
FROM entity CROSS JOIN field CROSS JOIN each_minute
CROSS JOIN minute AS row ON row.time = each_minute.time AND row.entity = entity.id AND row.field = field.id
WHERE entity.kind = ? AND entity.key IN (SELECT value FROM json_each(?)) AND field.kind = ? AND field.name = ?"""
"""One seek per minute: rows lie in order of time, and a day holds hundreds of thousands of other entities' rows."""

_EVENTS = """SELECT strftime('%Y-%m-%dT%H:%M:%SZ', at_ns / 1000000000, 'unixepoch') AS at,
  finding, event, rule, subject, severity, title, owner, note
FROM finding_event
WHERE (?1 IS NULL OR finding = ?1) AND (?2 IS NULL OR EXISTS (SELECT 1 FROM json_each(services) WHERE value = ?2))
  AND at_ns >= ?3 AND at_ns < ?4
ORDER BY at_ns DESC LIMIT ?5"""


class StoreReader:
    """A store, or a recording, by its path. Each call opens and closes its own connections, so any thread may call.

    A file that is missing or damaged holds nothing, so one bad shard does not hide the other days. Methods raise
    sqlite3.Error where a file cannot be read for another reason.
    """

    def __init__(self, state_path: Path) -> None:
        self._path = state_path

    def kinds(self) -> tuple[str, ...]:
        """The kinds of samples of which something is stored."""
        return tuple(sorted(self._fields()))

    def fields(self, kind: str) -> tuple[FieldSpec, ...]:
        """The fields of a kind as they are stored; none for a kind of which nothing is."""
        return tuple(self._fields().get(kind, {}).values())

    def entities(self, kind: str) -> tuple[str, ...]:
        """The entities of a kind, sorted."""
        query = "SELECT key FROM entity WHERE kind = ?"
        return tuple(sorted({row[0] for path in self._files() for row in _ask(path, query, (kind,))}))

    def series(
        self, kind: str, entity_key: str, field: str, start_unix: float, end_unix: float, step_seconds: float | None
    ) -> Series:
        """One field of one entity from `start_unix` to before `end_unix` (Unix time, seconds), in base units.

        `step_seconds` None: every stored value. Raises LookupError for a field that is not stored or is text.
        """
        request = _Request(self._field(kind, field), kind, (entity_key,), start_unix, end_unix)
        sums, is_raw = self._sums(request, step_seconds)
        return Series(
            unit=f"{request.spec.unit}/s" if request.spec.counter else request.spec.unit,
            points=points(sums.get(entity_key, ()), start_unix, end_unix, step_seconds),
            resolution="raw" if is_raw else "minute",
        )

    def several(
        self, kind: str, entity_keys: Sequence[str], field: str, start_unix: float, end_unix: float, step_seconds: float
    ) -> dict[str, list[Point]]:
        """The points of `series` by entity, for many entities at the price of one; none of those of which nothing is stored.

        Raises LookupError as `series` does.
        """
        request = _Request(self._field(kind, field), kind, tuple(entity_keys), start_unix, end_unix)
        sums, _ = self._sums(request, step_seconds)
        return {key: points(its, start_unix, end_unix, step_seconds) for key, its in sums.items()}

    def quantiles(
        self, kind: str, entity_key: str, field: str, start_unix: float, end_unix: float, shares: Sequence[float]
    ) -> tuple[float | None, ...]:
        """Percentiles of a field's values (of a counter: of its rates) over whole minutes, in base units.

        Within `histogram.RELATIVE_ERROR`; None where nothing is stored. Raises LookupError as `series` does.
        """
        request = _Request(self._field(kind, field), kind, (entity_key,), start_unix, end_unix)
        rows = self._minute_rows(request)
        histogram = merge(row_histogram(row[6], row[5], row[3]) for row in rows)
        scale = request.spec.scale / (RATE_SECONDS if request.spec.counter else 1)
        values = (quantile(histogram, share) for share in shares)
        return tuple(None if value is None else value * scale for value in values)

    def findings(self, state: str | None = None) -> tuple[Finding, ...]:
        """The findings that were saved, of one state or of all; those of a form no longer known are left out."""
        rows = _ask(
            self._path, "SELECT body FROM finding WHERE ? IN (state, '') ORDER BY first_seen, id", (state or "",)
        )
        return tuple(finding for (body,) in rows if (finding := _decoded(body)) is not None)

    def finding(self, identity: str) -> Finding | None:
        """A finding as it was saved last, ended or not; None where it never was, or is no longer kept."""
        rows = _ask(self._path, "SELECT body FROM finding WHERE id = ?", (identity,))
        return _decoded(rows[0][0]) if rows else None

    def acknowledgements(self) -> dict[str, Acknowledgement]:
        """By the finding's id."""
        rows = _ask(self._path, "SELECT finding_id, state, reason, owner, at, until FROM acknowledgement ORDER BY at")
        fields = ("state", "reason", "owner", "at", "until")
        return {row[0]: msgspec.convert(dict(zip(fields, row[1:], strict=True)), type=Acknowledgement) for row in rows}

    def history(
        self, *, finding: str | None = None, service: str | None = None, start: float = 0.0, end: float = 9e9,
        limit: int = 100,
    ) -> tuple[FindingEvent, ...]:  # fmt: skip
        """What became of one finding, of those of a service, or of all, from `start` to before `end` (Unix seconds), newest
        first."""
        rows = _ask(self._path, _EVENTS, (finding, service, int(start * 1e9), int(end * 1e9), limit))
        return tuple(event for row in rows if (event := _event(row)) is not None)

    def turns(self) -> tuple[StoredTurn, ...]:
        """All turns of all findings that are kept, oldest first."""
        rows = _ask(
            self._path, "SELECT at_ns, finding, event, severity, title, owner, note FROM finding_event ORDER BY at_ns"
        )
        return tuple(turn for row in rows if (turn := _turn(row)) is not None)

    def service_facts(self) -> dict[str, bytes]:
        """The newest facts of each service, by its id, as they were saved."""
        rows = _ask(self._path, "SELECT service, body FROM service_facts ORDER BY at")
        return {service: body.encode() for service, body in rows}

    def configurations(self) -> list[bytes]:
        """How each service was configured when it was seen last, as it was saved."""
        return [body.encode() for (body,) in _ask(self._path, "SELECT body FROM configuration ORDER BY service")]

    def outcomes(self) -> list[bytes]:
        """What came of changes, in the order in which they were written last."""
        return [body.encode() for (body,) in _ask(self._path, "SELECT body FROM outcome ORDER BY at, id")]

    def vram(self) -> list[bytes]:
        """What models of each kind held of devices, as it was saved."""
        return [body.encode() for (body,) in _ask(self._path, "SELECT body FROM vram ORDER BY kind")]

    def capacities(self) -> dict[str, bytes]:
        """What a load test found out about each service, by its id, as it was saved."""
        return {service: body.encode() for service, body in _ask(self._path, "SELECT service, body FROM capacity")}

    def profiles(
        self, *, service: str | None = None, pid: int | None = None, kind: StoredKind | None = None,
        start: float | None = None, end: float | None = None, limit: int = 100,
    ) -> tuple[ProfileHeader, ...]:  # fmt: skip
        """The heads of the profiles that began from `start` to before `end` (Unix seconds), newest first."""
        wanted = ProfileFilter(service=service, pid=pid, kind=kind, start=start, end=end, limit=limit)
        return profile_reader.headers(self._path, wanted)

    def profile(self, identity: str) -> StoredProfile | None:
        """A profile by its id; None where it is not kept (any more)."""
        return profile_reader.profile(self._path, identity)

    def profile_stacks(self, identity: str, side: Side | None = None) -> tuple[StackSample, ...]:
        """The stacks of a profile, of one side or of all, the most frequent first."""
        return profile_reader.stacks(self._path, identity, side)

    def merged(
        self, ids: Sequence[str] | None = None, *, service: str | None = None, start: float | None = None,
        end: float | None = None,
    ) -> StoredProfile | None:  # fmt: skip
        """The profiles of `ids`, or without ids those of a service in a span of time, as one with the id `merged`.

        Of a span at most 1,000, the newest. None where there is none.
        """
        chosen = ProfileFilter(service=service, start=start, end=end) if ids is None else ids
        return profile_reader.merged(self._path, chosen)

    def trend(self, service: str, seconds: int, since: float) -> list[tuple[float, Values]]:
        """The minutes (60) or hours (3600) of a service that ended since then (Unix time), oldest first."""
        return trends.decoded(_ask(self._path, *trends.query(service, seconds, since)))

    def _sums(self, request: "_Request", step_seconds: float | None) -> tuple["_SumsOf", bool]:
        """By entity, and whether they are of raw rows."""
        sums: _SumsOf = {}
        is_raw = (step_seconds or 0) < _MINUTE_SECONDS and request.end - request.start <= RAW_SPAN_SECONDS
        if is_raw:
            sums = self._raw_sums(request)
        if not sums:
            sums, is_raw = self._minute_sums(request), False
        if not sums:
            sums, is_raw = self._raw_sums(request), True
        return sums, is_raw

    def _raw_sums(self, request: "_Request") -> "_SumsOf":
        first_day = int(request.start - _LOOK_BACK_SECONDS) // DAY_SECONDS
        days = self._raw_files()
        paths = [
            path for day, path in days.items() if day is None or first_day <= day <= int(request.end) // DAY_SECONDS
        ]
        query = _RAW_ROWS.format(kind=quoted(request.kind), field=quoted(request.spec.name))
        span = (request.kind, request.entities, request.start - _LOOK_BACK_SECONDS, request.end)
        rows: dict[str, list[Row]] = {}
        for path in paths:
            for key, time, value in _ask(path, query, span):
                rows.setdefault(key, []).append((time, value))
        sums = counter_sums if request.spec.counter else gauge_sums
        return {key: sums(its, request.spec.scale) for key, its in rows.items()}

    def _minute_sums(self, request: "_Request") -> "_SumsOf":
        scale, counter = request.spec.scale, request.spec.counter
        sums: _SumsOf = {}
        for key, time, total, count, span_ms, _, _ in self._minute_rows(request):
            sums.setdefault(key, []).append(Sum(time, total * scale, span_ms / 1000 if counter else count))
        return sums

    def _minute_rows(self, request: "_Request") -> list[Any]:
        first, last = int(request.start) // _MINUTE_SECONDS, int(request.end - 1) // _MINUTE_SECONDS
        key = (request.kind, request.entities, request.kind, request.spec.name)
        return _ask(self._path, _MINUTE_ROWS, (first, last, *key))

    def _field(self, kind: str, name: str) -> FieldSpec:
        spec = self._fields().get(kind, {}).get(name)
        if spec is None or spec.text:
            raise LookupError(f"no numbers are stored of {kind}.{name}")
        return spec

    def _fields(self) -> dict[str, dict[str, FieldSpec]]:
        """As declared when they were last stored."""
        query = "SELECT kind, name, unit, help, counter, scale, text FROM field ORDER BY id"
        found: dict[str, dict[str, FieldSpec]] = {}
        for path in self._files():
            for kind, name, unit, help_text, counter, scale, text in _ask(path, query):
                found.setdefault(kind, {})[name] = FieldSpec(
                    name=name, unit=unit, help=help_text, counter=bool(counter), scale=scale, text=bool(text)
                )
        return found

    def _files(self) -> list[Path]:
        return list(dict.fromkeys([self._path, *self._raw_files().values()]))

    def _raw_files(self) -> dict[int | None, Path]:
        """The files with raw rows by day, oldest first; a recording is one without a day."""
        is_recording = _ask(self._path, "SELECT 1 FROM reading LIMIT 1")
        if is_recording:
            return {None: self._path}
        return dict(shards(self._path).items())


class _Request(msgspec.Struct, frozen=True):
    """What is asked for."""

    spec: FieldSpec
    kind: str
    keys: tuple[str, ...]
    start: float
    end: float

    @property
    def entities(self) -> str:
        """As a list for SQLite."""
        return msgspec.json.encode(self.keys).decode()


_SumsOf = dict[str, list[Sum]]
"""By entity."""


def _ask(path: Path, query: str, parameters: Iterable[Any] = ()) -> list[Any]:
    """The rows of an answer; none where the file, or what the query names, is not there (yet), or is damaged."""
    try:
        with closing(open_readable(path)) as connection:
            return connection.execute(query, tuple(parameters)).fetchall()
    except READ_ERRORS as error:
        if fault_of(error) is Fault.DAMAGED or not path.exists():
            return []
        raise


def _decoded(body: str) -> Finding | None:
    try:
        return msgspec.json.decode(body, type=Finding)
    except msgspec.DecodeError:
        return None


def _turn(row: Sequence[Any]) -> StoredTurn | None:
    try:
        return msgspec.convert(dict(zip(StoredTurn.__struct_fields__, row, strict=True)), type=StoredTurn)
    except msgspec.ValidationError:  # of a kind that a later version wrote
        return None


def _event(row: Sequence[Any]) -> FindingEvent | None:
    try:
        return msgspec.convert(dict(zip(FindingEvent.__struct_fields__, row, strict=True)), type=FindingEvent)
    except msgspec.ValidationError:  # of a kind that a later version wrote
        return None
