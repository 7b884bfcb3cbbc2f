"""Of which moments of the past has the store of a running agent kept enough to show them?

Stretches come from the rows of ticks: what SQLite looks through, it does so without holding up other threads, and a shard that
has not changed is not looked through again.
"""

import logging
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from agent.store.faults import READ_ERRORS, Fault, fault_of
from agent.store.files import open_readable, shards

GAP_NS = 10_000_000_000
"""After so long without a tick, and after twenty intervals, it is a gap."""
SECOND_NS = 1_000_000_000
log = logging.getLogger("nodewright.store")

_BREAKS = """WITH each AS (
  SELECT run, mono_ns, wall_ns, lag(mono_ns) OVER w AS mono_before, lag(wall_ns) OVER w AS wall_before
  FROM kept_tick WHERE (run, mono_ns) >= (?, ?) WINDOW w AS (PARTITION BY run ORDER BY mono_ns))
SELECT run, mono_ns, wall_ns, mono_before, wall_before FROM each JOIN kept_run ON id = run
WHERE mono_before IS NULL OR wall_ns <= wall_before
  OR max(mono_ns - mono_before, wall_ns - wall_before) > max(?, 20 * interval_ns)
ORDER BY run, mono_ns"""
_LAST = """SELECT run, mono_ns, wall_ns FROM kept_run
CROSS JOIN kept_tick ON run = id AND mono_ns = (SELECT max(mono_ns) FROM kept_tick WHERE run = id)"""
"""In this order: the planner would go through all ticks."""
_COUNTS = "SELECT count(*), coalesce(sum(judged), 0) FROM kept_tick WHERE (run, mono_ns) > (?, ?)"
_FROM = "SELECT mono_ns, wall_ns FROM kept_tick WHERE run = ? AND mono_ns >= ? ORDER BY mono_ns LIMIT 1"
_BEFORE = "SELECT mono_ns, wall_ns FROM kept_tick WHERE run = ? AND mono_ns < ? ORDER BY mono_ns DESC LIMIT 1"
_JUDGED = """SELECT wall_ns FROM kept_tick WHERE run = ? AND mono_ns BETWEEN ? AND ? AND judged
ORDER BY mono_ns DESC LIMIT ?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Ticks of one shard and one run of the agent without a gap between them, in which the clock only went on. `run` is the
    number in that shard, `started_ns` what names the run in all of them; first and last tick on both clocks."""

    path: Path
    run: int
    started_ns: int
    first_mono_ns: int
    first_wall_ns: int
    last_mono_ns: int
    last_wall_ns: int


@dataclass(slots=True)
class _Shard:
    """What was found in a shard. `stretches`: in the order in which they came."""

    changed: tuple[int, ...]
    stretches: list[Stretch]
    ticks: int
    judgements: int
    problem: str | None = None
    """Why it cannot be read."""


class StoredMoments:
    """The moments of the store at `state_path`. Any thread may call; a shard that cannot be read holds none, which is logged
    in one line."""

    def __init__(self, state_path: Path) -> None:
        self._path = state_path
        self._lock = Lock()
        self._shards: dict[Path, _Shard] = {}
        self._said: set[Path] = set()

    def stretches(self) -> list[Stretch]:
        """Oldest first, none reaching into the next. Where the clock was set back, what came later counts."""
        found = []
        for shard in self._look():
            until = None
            for stretch in reversed(shard.stretches):
                cut = stretch if until is None else _before(stretch, until)
                until = stretch.first_wall_ns if until is None else min(until, stretch.first_wall_ns)
                if cut is not None:
                    found.append(cut)
        return sorted(found, key=lambda one: one.first_wall_ns)

    def counts(self) -> tuple[int, int]:
        """Ticks and judgements that are kept."""
        found = self._look()
        return sum(one.ticks for one in found), sum(one.judgements for one in found)

    def times(self, since: float, until: float, limit: int) -> list[float]:
        """The newest `limit` judgements from `since` to before `until` (Unix seconds), oldest first."""
        found: list[int] = []
        for stretch in reversed(self.stretches()):
            if stretch.first_wall_ns < until * SECOND_NS and stretch.last_wall_ns >= since * SECOND_NS:
                found += _judged(stretch, since, until, limit - len(found))
            if len(found) >= limit:
                break
        return [wall_ns // 1_000_000 / 1000 for wall_ns in reversed(found)]

    def _look(self) -> list[_Shard]:
        with self._lock:
            paths = list(shards(self._path).values())
            for path in self._shards.keys() - set(paths):
                del self._shards[path]
            for path in paths:
                known, changed = self._shards.get(path), _changed(path)
                if known is None or known.changed != changed:
                    found = self._shards[path] = _read(path, changed, known)
                    if found.problem is not None and path not in self._said:
                        self._said.add(path)
                        log.warning("%s is left out of the past that can be shown: %s", path, found.problem)
            return [self._shards[path] for path in paths]


def _read(path: Path, changed: tuple[int, ...], known: _Shard | None) -> _Shard:
    """What came since `known` is added to it, where that still holds."""
    try:
        with closing(open_readable(path)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'kept_tick'").fetchone():
                return _Shard(changed, [], 0, 0)  # it is of a version that kept no ticks
            if known is None or not _is_there(connection, known.stretches):
                known = _Shard(changed, [], 0, 0)
            last = known.stretches[-1] if known.stretches else None
            start = (0, -(2**63)) if last is None else (last.run, last.last_mono_ns)
            ticks, judgements = connection.execute(_COUNTS, start).fetchone()
            found = [*known.stretches[:-1], *_stretches(connection, path, last, start)]
            return _Shard(changed, found, known.ticks + ticks, known.judgements + judgements)
    except READ_ERRORS as error:
        if known is not None and fault_of(error) is Fault.BLOCKED:
            return known
        return _Shard(changed, [], 0, 0, problem=str(error) if path.exists() else None)


def _is_there(connection: sqlite3.Connection, stretches: Sequence[Stretch]) -> bool:
    """Whether the oldest tick is still kept."""
    query = "SELECT 1 FROM kept_tick WHERE run = ? AND mono_ns = ?"
    return not stretches or bool(connection.execute(query, (stretches[0].run, stretches[0].first_mono_ns)).fetchone())


def _stretches(
    connection: sqlite3.Connection, path: Path, last: Stretch | None, start: tuple[int, int]
) -> Iterator[Stretch]:
    """From the tick `start` on, at which `last` ended."""
    runs = dict(connection.execute("SELECT id, started_ns FROM kept_run").fetchall())
    ends = {run: (mono_ns, wall_ns) for run, mono_ns, wall_ns in connection.execute(_LAST)}
    rows = connection.execute(_BREAKS, (*start, GAP_NS)).fetchall()
    for number, (run, mono_ns, wall_ns, *_) in enumerate(rows):
        following = rows[number + 1] if number + 1 < len(rows) else None
        end = following[3:] if following is not None and following[0] == run else ends[run]
        first = (mono_ns, wall_ns)
        if last is not None and (run, mono_ns) == start:
            first = (last.first_mono_ns, last.first_wall_ns)
        yield Stretch(
            path=path, run=run, started_ns=runs[run], first_mono_ns=first[0], first_wall_ns=first[1], last_mono_ns=end[0],
            last_wall_ns=end[1],
        )  # fmt: skip


def _before(stretch: Stretch, wall_ns: int) -> Stretch | None:
    """What of it was before that instant."""
    if stretch.last_wall_ns < wall_ns:
        return stretch
    if stretch.first_wall_ns >= wall_ns:
        return None
    try:
        with closing(open_readable(stretch.path)) as connection:
            mono_ns = first_from(connection, stretch, wall_ns)
            last = connection.execute(_BEFORE, (stretch.run, mono_ns)).fetchone()
    except READ_ERRORS:
        return None
    return Stretch(
        path=stretch.path, run=stretch.run, started_ns=stretch.started_ns, first_mono_ns=stretch.first_mono_ns,
        first_wall_ns=stretch.first_wall_ns, last_mono_ns=last[0], last_wall_ns=last[1],
    )  # fmt: skip


def _judged(stretch: Stretch, since: float, until: float, limit: int) -> list[int]:
    """Judgements of it from `since` to before `until`, newest first."""
    try:
        with closing(open_readable(stretch.path)) as connection:
            first = first_from(connection, stretch, int(since * SECOND_NS))
            last = first_from(connection, stretch, int(until * SECOND_NS)) - 1
            rows = connection.execute(_JUDGED, (stretch.run, first, min(last, stretch.last_mono_ns), limit))
            return [wall_ns for (wall_ns,) in rows]
    except READ_ERRORS:
        return []


def within(stretch: Stretch, since_ns: int, until_ns: int) -> tuple[int, int] | None:
    """Its first and last tick from `since_ns` to before `until_ns` (Unix time), on the monotonic clock; None of none. Raises
    sqlite3.Error."""
    with closing(open_readable(stretch.path)) as connection:
        first = first_from(connection, stretch, since_ns)
        last = connection.execute(_BEFORE, (stretch.run, first_from(connection, stretch, until_ns))).fetchone()
    if last is None or not first <= last[0] <= stretch.last_mono_ns:
        return None
    return first, last[0]


def first_from(connection: sqlite3.Connection, stretch: Stretch, wall_ns: int) -> int:
    """The monotonic instant of the first tick of a stretch that is not before `wall_ns`; the one after its last where all are.
    Raises sqlite3.Error."""
    low, high = stretch.first_mono_ns, stretch.last_mono_ns + 1
    if wall_ns > stretch.last_wall_ns:
        return high
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(_FROM, (stretch.run, middle)).fetchone()
        if row is None or row[0] > stretch.last_mono_ns or row[1] >= wall_ns:
            high = middle
        else:
            low = row[0] + 1
    row = connection.execute(_FROM, (stretch.run, low)).fetchone()
    return int(row[0]) if row is not None else high


def _changed(path: Path) -> tuple[int, ...]:
    """What is another number once the file has changed."""
    found: list[int] = []
    for name in (path, f"{path}-wal"):
        try:
            status = os.stat(name)
            found += (status.st_ino, status.st_size, status.st_mtime_ns)
        except OSError:
            found.append(0)
    return tuple(found)
