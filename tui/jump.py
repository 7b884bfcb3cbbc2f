"""Which instant does somebody mean who writes -15min, 10:32 or 2026-11-20T10:32:00Z?"""

import re
from datetime import UTC, datetime, timedelta

_UNITS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}
_AWAY = re.compile(r"([+-])\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(s|min|m|h|d)", re.ASCII)
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?", re.ASCII)
HINT = "write -15min, 10:32 or 2026-11-20T10:32:00Z"


def instant_of(text: str, shown: float, newest: float) -> float:
    """Unix seconds. `-15min` is before what is shown; a time of the day is the last one until `newest`, in UTC as on the
    screens. Raises ValueError with one clause for what is no time."""
    text = text.strip()
    if found := _AWAY.fullmatch(text):
        sign, count, unit = found.groups()
        return shown + float(f"{sign}{count}") * _UNITS[unit]
    if found := _CLOCK.fullmatch(text):
        return _on_the_clock(found, newest)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"not a time: {HINT}") from None
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError):
        raise ValueError("no time that was ever seen") from None


def _on_the_clock(found: re.Match[str], newest: float) -> float:
    hour, minute, second = (int(part or 0) for part in found.groups())
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError("a time of the day goes from 00:00 to 23:59")
    today = datetime.fromtimestamp(newest, UTC)
    moment = today.replace(hour=hour, minute=minute, second=second, microsecond=0)
    return (moment if moment <= today else moment - timedelta(days=1)).timestamp()
