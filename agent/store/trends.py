"""How are the minutes and hours of services kept, and read back?

Each row names the list of fields that it has values of, so that a later version with other fields reads what it knows.
"""

from collections.abc import Iterable, Sequence
from sqlite3 import Connection

import msgspec

from advisor.trend import FIELDS, Values

MINUTE_SECONDS = 60
HOUR_SECONDS = 3600
_MINUTES_KEPT_SECONDS = 2 * 86400
"""What is put back after a restart, and a day more. Hours are kept as long as minute rows."""

_SELECT = """SELECT trend.ended, trend_fields.names, trend.body FROM trend JOIN trend_fields ON trend_fields.id = trend.fields
WHERE trend.seconds = ? AND trend.ended >= ? AND trend.service = ? ORDER BY trend.ended"""


class TrendRow(msgspec.Struct, frozen=True, gc=False):
    """One stretch of a service: its length (a minute or an hour) and its end (Unix time), in seconds."""

    service: str
    seconds: int
    ended: float
    values: tuple[float | None, ...]
    """In the order of `advisor.trend.FIELDS`."""


def insert_trends(connection: Connection, rows: Iterable[TrendRow]) -> None:
    """Store rows in the open transaction; one that is there is replaced. Raises sqlite3.Error."""
    names = msgspec.json.encode(FIELDS).decode()
    connection.execute("INSERT OR IGNORE INTO trend_fields (names) VALUES (?)", (names,))
    fields = connection.execute("SELECT id FROM trend_fields WHERE names = ?", (names,)).fetchone()[0]
    connection.executemany(
        "INSERT OR REPLACE INTO trend VALUES (?, ?, ?, ?, ?)",
        [(row.seconds, int(row.ended), row.service, fields, _body(row.values)) for row in rows],
    )


def forget_trends(connection: Connection, now_seconds: int, hours_kept_seconds: int) -> bool:
    """Delete what is too old; whether there was any. Raises sqlite3.Error."""
    limits = ((MINUTE_SECONDS, _MINUTES_KEPT_SECONDS), (HOUR_SECONDS, hours_kept_seconds))
    deleted = [
        connection.execute("DELETE FROM trend WHERE seconds = ? AND ended < ?", (seconds, now_seconds - kept)).rowcount
        for seconds, kept in limits
    ]
    return any(deleted)


def query(service: str, seconds: int, since: float) -> tuple[str, tuple[int, float, str]]:
    """SQL and parameters whose rows `decoded` takes."""
    return _SELECT, (seconds, since, service)


def decoded(rows: Iterable[tuple[float, str, str]]) -> list[tuple[float, Values]]:
    """(end, values in the order of FIELDS), oldest first; what cannot be read is left out, what was not kept is None."""
    found: list[tuple[float, Values]] = []
    for ended, names, body in rows:
        try:
            known = dict(zip(_names(names), msgspec.json.decode(body, type=list[float | None]), strict=True))
        except (msgspec.DecodeError, ValueError):
            continue
        found.append((float(ended), tuple(known.get(name) for name in FIELDS)))
    return found


def _names(text: str) -> list[str]:
    return msgspec.json.decode(text, type=list[str])


def _body(values: Sequence[float | None]) -> str:
    """Six digits: what single precision tells apart."""
    return msgspec.json.encode([None if value is None else float(f"{value:.6g}") for value in values]).decode()
