"""What GPUs did in the last week, from before a restart: rules on idle devices want hours, and agents are restarted."""

import sqlite3
from collections.abc import Mapping

from advisor.gpu.day import MINUTE_SECONDS, WEEK_MINUTES, DayMinute
from agent.store.reader import StoreReader

_KIND = "gpu"


def last_week(reader: StoreReader, entity: str, now_unix: float) -> tuple[DayMinute, ...]:
    """The minutes of `gpu:UUID` in the last week, oldest first; none where the store cannot be read."""
    try:
        return _minutes(reader, entity, now_unix)
    except (sqlite3.Error, LookupError):
        return ()


def _minutes(reader: StoreReader, entity: str, now_unix: float) -> tuple[DayMinute, ...]:
    busy = _means(reader, entity, "busy_ppm", now_unix)
    active = _means(reader, entity, "sm_active_ppm", now_unix)
    used = _means(reader, entity, "memory_used_bytes", now_unix)
    total = _means(reader, entity, "memory_total_bytes", now_unix)
    found = []
    for minute in sorted(busy.keys() | active.keys() | used.keys()):
        whole = total.get(minute)
        ratio = used[minute] / whole if whole and minute in used else None
        found.append(DayMinute(busy.get(minute, active.get(minute)), ratio))
    return tuple(found)


def _means(reader: StoreReader, entity: str, field: str, now_unix: float) -> Mapping[int, float]:
    """Mean by minute; empty for a field that was never stored."""
    start = now_unix - WEEK_MINUTES * MINUTE_SECONDS
    try:
        series = reader.series(_KIND, entity, field, start, now_unix, MINUTE_SECONDS)
    except LookupError:
        return {}
    return {int(at // MINUTE_SECONDS): value for at, value in series.points if value is not None}
