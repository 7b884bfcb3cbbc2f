"""Which profiles are in a file, and what do they hold?"""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from sqlite3 import Connection
from typing import Any, TypeVar

import msgspec

from advisor.profiling.header import ProfileFilter, ProfileHeader
from advisor.profiling.sides import SIDES
from advisor.profiling.stored import LineUse, Side, StackSample, StoredProfile
from advisor.profiling.view import WorkerProfile
from agent.profiling.merge import MERGED, merge
from agent.store.faults import READ_ERRORS, Fault, fault_of
from agent.store.files import open_readable
from agent.store.profiles import side_of
from collectors.profiles.profile import Missing, ProfileCost

MOST_MERGED = 1_000
_MOST_ROWS = 400_000
"""Profiles, and stacks of all of them, that are merged: the newest; a note says so where there are more."""

_HEADER = (
    "id, at_unix_seconds, seconds, service, service_id, pid, started, slot, kind, reason, hertz, samples, size_bytes"
)
_LIST = f"""SELECT number, {_HEADER} FROM profile
WHERE (?1 IS NULL OR service = ?1) AND (?2 IS NULL OR pid = ?2) AND (?3 IS NULL OR kind = ?3)
  AND at_unix_seconds >= ?4 AND at_unix_seconds < ?5
ORDER BY at_unix_seconds DESC, number DESC LIMIT ?6"""  # noqa: S608 - own names
_COUNTS = """SELECT side, stack, thread, work, count FROM profile_count
WHERE profile = ?1 AND (?2 IS NULL OR side = ?2) ORDER BY count DESC, stack, thread"""
_LINES = """SELECT file, line, text, python_ratio, native_ratio, system_ratio,
  memory_growth_bytes, memory_peak_bytes, copy_bytes_per_second, gpu_ratio
FROM profile_line WHERE profile = ? ORDER BY position"""
_EVER = 1e300
_T = TypeVar("_T")


def headers(path: Path, wanted: ProfileFilter) -> tuple[ProfileHeader, ...]:
    """Newest first. Raises sqlite3.Error as all here does; a file that is missing or damaged holds none."""
    return _reading(path, lambda open_file: tuple(header for _, header in open_file.headers(wanted)), ())


def profile(path: Path, identity: str) -> StoredProfile | None:
    return _reading(path, lambda open_file: open_file.profile(identity), None)


def stacks(path: Path, identity: str, side: Side | None) -> tuple[StackSample, ...]:
    """The stacks of a profile, the most frequent first; none where there is no such profile."""
    return _reading(path, lambda open_file: open_file.stacks_of(identity, side), ())


def merged(path: Path, chosen: Sequence[str] | ProfileFilter) -> StoredProfile | None:
    """The profiles of these ids, or those that the filter wants, as one; None where there is none of them."""
    return _reading(path, lambda open_file: open_file.merged(chosen), None)


class _OpenFile:
    """A connection, and the texts and stacks that were read over it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._texts: dict[int, str] = {}
        self._stacks: dict[int, tuple[str, ...]] = {}

    def headers(self, wanted: ProfileFilter) -> list[tuple[int, ProfileHeader]]:
        start = -_EVER if wanted.start is None else wanted.start
        end = _EVER if wanted.end is None else wanted.end
        rows = self._connection.execute(_LIST, (wanted.service, wanted.pid, wanted.kind, start, end, wanted.limit))
        return [(number, _header(row)) for number, *row in rows]

    def profile(self, identity: str) -> StoredProfile | None:
        found = self._find(identity)
        return None if found is None else self._whole(*found)

    def stacks_of(self, identity: str, side: Side | None) -> tuple[StackSample, ...]:
        found = self._find(identity)
        return () if found is None else self._samples(found[0], side)

    def merged(self, chosen: Sequence[str] | ProfileFilter) -> StoredProfile | None:
        if isinstance(chosen, ProfileFilter):
            found = self.headers(msgspec.structs.replace(chosen, limit=MOST_MERGED + 1))
        else:
            found = [one for identity in dict.fromkeys(chosen) if (one := self._find(identity)) is not None]
        if not found:
            return None
        parts = self._newest(sorted(found, key=lambda one: -one[1].at_unix_seconds))
        made = merge(parts, MERGED)
        if len(parts) < len(found):
            notes = (*made.notes, f"only the newest {len(parts)} profiles are in this one; there are more")
            made = msgspec.structs.replace(made, notes=notes)
        return made

    def _newest(self, found: Sequence[tuple[int, ProfileHeader]]) -> list[StoredProfile]:
        parts: list[StoredProfile] = []
        rows = 0
        for one in found[:MOST_MERGED]:
            parts.append(self._whole(*one))
            rows += len(parts[-1].stacks)
            if rows > _MOST_ROWS:
                break
        return parts

    def _find(self, identity: str) -> tuple[int, ProfileHeader] | None:
        row = self._connection.execute(f"SELECT number, {_HEADER} FROM profile WHERE id = ?", (identity,)).fetchone()  # noqa: S608
        return None if row is None else (row[0], _header(row[1:]))

    def _whole(self, number: int, header: ProfileHeader) -> StoredProfile:
        query = "SELECT digest, missing, notes, cost FROM profile_detail WHERE profile = ?"
        digest, missing, notes, cost = self._connection.execute(query, (number,)).fetchone() or (None,) * 4
        lines = [_line(row) for row in self._connection.execute(_LINES, (number,))]
        head = msgspec.structs.asdict(header)
        del head["size_bytes"]
        return StoredProfile(
            **head,
            stacks=self._samples(number, None),
            digest=_decoded(digest, WorkerProfile, None),
            missing=_decoded(missing, tuple[Missing, ...], ()),
            notes=_decoded(notes, tuple[str, ...], ()),
            cost=_decoded(cost, ProfileCost, ProfileCost()),
            lines=tuple(lines),
        )

    def _samples(self, number: int, side: Side | None) -> tuple[StackSample, ...]:
        wanted = None if side is None else SIDES.index(side)
        rows = self._connection.execute(_COUNTS, (number, wanted)).fetchall()
        return tuple(
            StackSample(
                thread=self._text(thread), frames=self._stack(stack), side=side_of(its_side), work=self._text(work),
                count=count,
            )
            for its_side, stack, thread, work, count in rows
        )  # fmt: skip

    def _text(self, number: int) -> str:
        text = self._texts.get(number)
        if text is None:
            row = self._connection.execute("SELECT text FROM profile_text WHERE id = ?", (number,)).fetchone()
            text = self._texts[number] = "?" if row is None else row[0]
        return text

    def _stack(self, number: int) -> tuple[str, ...]:
        frames = self._stacks.get(number)
        if frames is None:
            row = self._connection.execute("SELECT frames FROM profile_stack WHERE id = ?", (number,)).fetchone()
            numbers = () if row is None else _decoded(row[0], tuple[int, ...], ())
            frames = self._stacks[number] = tuple(map(self._text, numbers))
        return frames


def _reading(path: Path, ask: Any, nothing: _T) -> _T:
    """The answer of `ask`, all of it from one state of the file."""
    try:
        with closing(open_readable(path)) as connection:
            connection.execute("BEGIN")
            answer: _T = ask(_OpenFile(connection))
            return answer
    except READ_ERRORS as error:
        if fault_of(error) is Fault.DAMAGED or not path.exists():
            return nothing
        raise


def _header(row: Sequence[Any]) -> ProfileHeader:
    return ProfileHeader(**dict(zip(ProfileHeader.__struct_fields__, row, strict=True)))


def _line(row: Sequence[Any]) -> LineUse:
    return LineUse(**dict(zip(LineUse.__struct_fields__, row, strict=True)))


def _decoded(text: str | None, kind: Any, nothing: _T) -> _T:
    """`nothing` also for what another version wrote in a form that is no longer known."""
    if text is None:
        return nothing
    try:
        decoded: _T = msgspec.json.decode(text, type=kind)
        return decoded
    except msgspec.MsgspecError:
        return nothing
