"""Is a failed write the fault of the file, or of the disk below it?"""

import sqlite3
from enum import Enum
from pathlib import Path


class Fault(Enum):
    DAMAGED = "damaged"
    """The file's content is not what we wrote: a fresh one helps."""
    BLOCKED = "blocked"
    """The file may be sound and cannot be written now: waiting helps."""


_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
WRITE_ERRORS = (sqlite3.Error, OSError, UnicodeDecodeError)
"""What writing raises. Where a damaged file's text goes into SQLite's message, Python cannot decode that."""
READ_ERRORS = (sqlite3.Error, UnicodeDecodeError)
_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


def fault_of(error: Exception) -> Fault:
    """SQLITE_ERROR counts as damage: our statements fail so only where tables are not ours."""
    damaged = _code(error) in _DAMAGE or isinstance(error, UnicodeDecodeError)
    return Fault.DAMAGED if damaged else Fault.BLOCKED


def describe(error: Exception, path: Path) -> str:
    """One line: what cannot be written and why."""
    if _code(error) in _FULL:
        return f"cannot write {path}: the disk is full or failing ({error}); free some space"
    return f"cannot write {path}: {error}"


def _code(error: Exception) -> int:
    """SQLite's primary result code; 0 for other errors."""
    return int(getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
