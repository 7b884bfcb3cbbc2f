"""Which files make up a store, how large are they, and how are they opened?"""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

DAY_SECONDS = 86400
MIGRATIONS_TABLE = "_sqlite_migrations"
"""sqlite-utils makes it before anything else."""
_COMPANIONS = ("", "-wal", "-shm")
_SHARD = re.compile(r"raw-(\d{8})\.db")


def day_of(wall_ns: int) -> int:
    """Days since 1970 in UTC."""
    return wall_ns // (DAY_SECONDS * 1_000_000_000)


def shard_path(state_path: Path, day: int) -> Path:
    """The file of the raw rows of one UTC day."""
    return state_path.with_name(f"raw-{datetime.fromtimestamp(day * DAY_SECONDS, UTC):%Y%m%d}.db")


def shards(state_path: Path) -> dict[int, Path]:
    """The shards that are there by day, oldest first. A folder that is missing holds none."""
    found = {}
    try:
        names = os.listdir(state_path.parent)
    except FileNotFoundError:
        return {}
    for name in sorted(names):
        match = _SHARD.fullmatch(name)
        if match and (day := _day_of_name(match[1])) is not None:
            found[day] = state_path.with_name(name)
    return found


def size_bytes(state_path: Path) -> int:
    """Size of the state file and of all shards with their write-ahead logs; files set aside are not counted."""
    return sum(
        _size(path, companion) for path in (state_path, *shards(state_path).values()) for companion in ("", "-wal")
    )


def unlink(path: Path) -> None:
    """Remove a database with its companions. Raises OSError as unlink(2) does, but not where it is gone already."""
    for companion in reversed(_COMPANIONS):
        Path(f"{path}{companion}").unlink(missing_ok=True)


def set_aside(path: Path) -> Path:
    """Rename a damaged database, companions included, to the first free NAME.damaged-<n>. Raises OSError."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for companion in _COMPANIONS:
        if os.path.exists(f"{path}{companion}"):
            os.rename(f"{path}{companion}", f"{aside}{companion}")
    return aside


def open_writable(path: Path, page_bytes: int) -> sqlite3.Connection:
    """A connection without implicit transactions; the file is created if missing.

    Raises sqlite3.Error, also for a database that another program made: nothing is changed in it.
    """
    connection = sqlite3.connect(path, timeout=2.0, isolation_level=None, cached_statements=64)
    try:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        if tables and MIGRATIONS_TABLE not in tables:
            raise sqlite3.DatabaseError("it is a database of another program; name another file")
        connection.execute(f"PRAGMA page_size = {page_bytes}")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA cache_size = -512")
        connection.execute("PRAGMA journal_size_limit = 4194304")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing. Raises sqlite3.Error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def open_readable(path: Path) -> sqlite3.Connection:
    """A read-only connection, usable beside a writer. Raises sqlite3.Error, also where the file is missing.

    A write-ahead log's index cannot be made in a folder that is not ours to write; a file without a log needs none.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=2.0, isolation_level=None)
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        if not path.exists() or os.path.exists(f"{path}-wal"):
            raise
        connection = sqlite3.connect(f"{uri}&immutable=1", uri=True, isolation_level=None)
    except BaseException:
        connection.close()
        raise
    return connection


def _day_of_name(digits: str) -> int | None:
    try:
        return int(datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC).timestamp()) // DAY_SECONDS
    except ValueError:
        return None


def _size(path: Path, companion: str) -> int:
    try:
        return os.stat(f"{path}{companion}").st_size
    except FileNotFoundError:
        return 0
