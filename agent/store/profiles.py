"""How do profiles become rows, and how do old ones leave the file?

The texts of frames are stored once, stacks once as lists of their numbers, and of each profile only how often it saw
which. A stack remembers the hour of the newest profile that has it: it goes when all profiles of that hour are gone.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from sqlite3 import Connection
from typing import Any

import msgspec

from advisor.profiling.sides import SIDES
from advisor.profiling.stored import LineUse, Side, StoredProfile
from agent.errors import CliError
from agent.store.faults import WRITE_ERRORS, describe
from agent.store.files import open_writable, transaction
from agent.store.names import clean_text
from agent.store.schema import STATE, migrate
from agent.store.state import PAGE_BYTES

MOST_STACKS = 20_000
"""Of one profile: the rarest beyond that are left out, and a note says so."""
MOST_FRAMES = 1_000
"""Of one stack: what is deeper is cut off, as a recursion without end makes it."""
MOST_CHARACTERS = 500
"""Of one frame, thread or class."""
_MOST_REFERENCES = 2_000_000
"""Frames of all stacks of one profile."""
_AT_A_TIME = 20
"""Profiles that one step of retention removes."""
_SWEPT_AT_A_TIME = 2_000
_WAIT_MS = 10_000
_LARGEST = 2**63 - 1
_ROW_BYTES = 16
_HEAD_BYTES = 200
_HOUR = 3600

_INSERT = "INSERT INTO profile VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_Key = tuple[int, tuple[str, ...], str, str]
"""Side, frames, thread, class."""
_TABLES = ("profile_count", "profile_line", "profile_detail")


class PreparedProfile(msgspec.Struct, frozen=True, kw_only=True):
    """A profile in the form that SQLite takes without an error."""

    head: tuple[Any, ...]
    detail: tuple[Any, ...]
    counts: Mapping[_Key, int]
    lines: tuple[tuple[Any, ...], ...]
    hour: int


def prepare(profile: StoredProfile) -> PreparedProfile:
    """Raises ValueError for a number that cannot be stored, naming it."""
    counts: Counter[_Key] = Counter()
    for one in profile.stacks:
        frames = tuple(_short(frame) for frame in one.frames[:MOST_FRAMES])
        counts[SIDES.index(one.side), frames, _short(one.thread), _short(one.work)] += _whole(one.count, "count")
    notes = profile.notes
    kept = _bounded(counts)
    if len(kept) < len(counts):
        notes = (*notes, f"the {len(counts) - len(kept)} rarest of {len(counts)} stacks were not stored")
    return PreparedProfile(
        head=(
            clean_text(profile.id), _real(profile.at_unix_seconds, "at_unix_seconds"), _real(profile.seconds, "seconds"),
            clean_text(profile.service), clean_text(profile.service_id), _whole(profile.pid, "pid"),
            _whole(profile.started, "started"), None if profile.slot is None else _whole(profile.slot, "slot"),
            profile.kind, clean_text(profile.reason), _real(profile.hertz, "hertz"), _whole(profile.samples, "samples"),
        ),
        detail=(
            None if profile.digest is None else _json(profile.digest), _json(profile.missing), _json(notes),
            _json(profile.cost),
        ),
        counts=kept,
        lines=tuple(_line(position, one) for position, one in enumerate(profile.lines)),
        hour=int(profile.at_unix_seconds) // _HOUR,
    )  # fmt: skip


def insert_profile(connection: Connection, profile: PreparedProfile) -> None:
    """Store it in the open transaction; one of the same id is replaced. Raises sqlite3.Error."""
    stacks = _Interned(connection, profile.hour)
    rows = [
        (side, stacks.stack(frames), stacks.text(thread), stacks.text(work), count)
        for (side, frames, thread, work), count in profile.counts.items()
    ]
    written = sum(len(text or "") for text in profile.detail) + sum(
        len(line[1]) + len(line[3]) + 60 for line in profile.lines
    )
    size = _HEAD_BYTES + written + _ROW_BYTES * len(rows) + stacks.bytes
    old = connection.execute("SELECT number FROM profile WHERE id = ?", profile.head[:1]).fetchone()
    if old is not None:
        _forget(connection, [old[0]])
    number = connection.execute(_INSERT, (*profile.head, size)).lastrowid
    connection.execute("INSERT INTO profile_detail VALUES (?, ?, ?, ?, ?)", (number, *profile.detail))
    connection.executemany("INSERT INTO profile_count VALUES (?, ?, ?, ?, ?, ?)", [(number, *row) for row in rows])
    connection.executemany(
        "INSERT INTO profile_line VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(number, *line) for line in profile.lines],
    )


def append_profile(path: Path, profile: StoredProfile) -> None:
    """Add one profile to a state file, also while the agent writes it. The file is created if it is missing.

    One short transaction, for which up to 10 s are waited. Raises CliError where the file cannot be written, and
    ValueError as `prepare` does.
    """
    prepared = prepare(profile)
    try:
        with closing(open_writable(path, PAGE_BYTES)) as connection:
            connection.execute(f"PRAGMA busy_timeout = {_WAIT_MS}")
            migrate(connection, "state", STATE)
            with transaction(connection):
                insert_profile(connection, prepared)
    except WRITE_ERRORS as error:
        hint = "name a database that this user may write with --db F, or leave out to store it"
        raise CliError("profile.not-stored", describe(error, path), hint, 1) from error


def forget_profiles(connection: Connection, before_unix_seconds: float, most: int, most_bytes: int) -> bool:
    """Remove a few of those that began earlier, or of the oldest of more than `most` or `most_bytes`, and the stacks
    that only they had; whether there was anything to remove. Raises sqlite3.Error."""
    numbers = _too_old(connection, before_unix_seconds) or _too_many(connection, most, most_bytes)
    with transaction(connection):
        _forget(connection, numbers)
        swept = _sweep(connection)
    return bool(numbers) or swept


class _Interned:
    """Numbers of stacks and texts in one transaction, given at first sight. `bytes`: what new ones take."""

    def __init__(self, connection: Connection, hour: int) -> None:
        self._connection = connection
        self._hour = hour
        self._texts: dict[str, int] = {}
        self._stacks: dict[tuple[str, ...], int] = {}
        self.bytes = 0

    def text(self, text: str) -> int:
        number = self._texts.get(text)
        if number is None:
            number = self._texts[text] = self._number("profile_text", "text", text)
        return number

    def stack(self, frames: tuple[str, ...]) -> int:
        number = self._stacks.get(frames)
        if number is None:
            texts = ",".join(str(self.text(frame)) for frame in frames)
            number = self._stacks[frames] = self._number("profile_stack", "frames", f"[{texts}]")
        return number

    def _number(self, table: str, column: str, value: str) -> int:
        row = self._connection.execute(f"SELECT id, last FROM {table} WHERE {column} = ?", (value,)).fetchone()  # noqa: S608
        if row is None:
            self.bytes += 2 * len(value) + _ROW_BYTES
            insert = f"INSERT INTO {table} ({column}, last) VALUES (?, ?)"  # noqa: S608 - own names
            return int(self._connection.execute(insert, (value, self._hour)).lastrowid or 0)
        if row[1] < self._hour:
            self._connection.execute(f"UPDATE {table} SET last = ? WHERE id = ?", (self._hour, row[0]))  # noqa: S608
        return int(row[0])


def _too_old(connection: Connection, before_unix_seconds: float) -> list[int]:
    query = "SELECT number FROM profile WHERE at_unix_seconds < ? ORDER BY at_unix_seconds LIMIT ?"
    return [row[0] for row in connection.execute(query, (before_unix_seconds, _AT_A_TIME))]


def _too_many(connection: Connection, most: int, most_bytes: int) -> list[int]:
    count, size = connection.execute("SELECT count(*), coalesce(sum(size_bytes), 0) FROM profile").fetchone()
    numbers = []
    for number, its_bytes in connection.execute(
        "SELECT number, size_bytes FROM profile ORDER BY at_unix_seconds LIMIT ?", (_AT_A_TIME,)
    ):
        if count <= most and size <= most_bytes:
            break
        numbers.append(number)
        count, size = count - 1, size - its_bytes
    return numbers


def _forget(connection: Connection, numbers: Iterable[int]) -> None:
    for number in numbers:
        for table in _TABLES:
            connection.execute(f"DELETE FROM {table} WHERE profile = ?", (number,))  # noqa: S608 - own names
        connection.execute("DELETE FROM profile WHERE number = ?", (number,))


def _sweep(connection: Connection) -> bool:
    """Delete some stacks and texts that were last used before the oldest profile; whether there were any."""
    oldest = connection.execute("SELECT min(at_unix_seconds) FROM profile").fetchone()[0]
    hour = _LARGEST if oldest is None else int(oldest) // _HOUR
    deleted = 0
    for table in ("profile_stack", "profile_text"):
        deleted += connection.execute(
            f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE last < ? LIMIT ?)",  # noqa: S608 - own names
            (hour, _SWEPT_AT_A_TIME),
        ).rowcount
    return deleted > 0


def _bounded(counts: Counter[_Key]) -> Mapping[_Key, int]:
    """The most frequent of them, as many as one profile may hold."""
    kept: dict[_Key, int] = {}
    references = 0
    for key, count in counts.most_common(MOST_STACKS):
        references += len(key[1])
        if references > _MOST_REFERENCES:
            break
        kept[key] = count
    return kept


def _line(position: int, line: LineUse) -> tuple[Any, ...]:
    def real(value: float | None, name: str) -> float | None:
        return None if value is None else _real(value, name)

    def whole(value: int | None, name: str) -> int | None:
        return None if value is None else _whole(value, name)

    return (
        position, clean_text(line.file), _whole(line.line, "line"), _short(line.text),
        _real(line.python_ratio, "python_ratio"), _real(line.native_ratio, "native_ratio"),
        _real(line.system_ratio, "system_ratio"), whole(line.memory_growth_bytes, "memory_growth_bytes"),
        whole(line.memory_peak_bytes, "memory_peak_bytes"), real(line.copy_bytes_per_second, "copy_bytes_per_second"),
        real(line.gpu_ratio, "gpu_ratio"),
    )  # fmt: skip


def _json(value: object) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:  # bytes of a name that were not UTF-8
        return msgspec.json.encode(_cleaned(msgspec.to_builtins(value, str_keys=True))).decode()


def _cleaned(value: Any) -> Any:
    match value:
        case str():
            return clean_text(value)
        case dict():
            return {_cleaned(key): _cleaned(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_cleaned(inner) for inner in value]
        case _:
            return value


def _short(text: str) -> str:
    cleaned = clean_text(text)
    return cleaned if len(cleaned) <= MOST_CHARACTERS else cleaned[: MOST_CHARACTERS - 1] + "…"


def _real(value: float, name: str) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{name} is {value}, which cannot be stored")
    return float(value)


def _whole(value: int, name: str) -> int:
    if not -_LARGEST <= value <= _LARGEST:
        raise ValueError(f"{name} is {value}, which cannot be stored")
    return value


def side_of(number: int) -> Side:
    """The side that `profile_count.side` stands for."""
    return SIDES[number]
