"""How are durations and sizes written, and what number do they mean?

A bare number is refused everywhere: `interval = 5` does not say five of what.
"""

import math
import re

_SECONDS = {
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
    "y": 31536000.0,
}
_BYTES = {
    "B": 1,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
}
_QUANTITY = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*", re.ASCII)


def parse_duration(text: str) -> float:
    """`10s`, `500ms`, `5min`, `7d` in seconds. Raises ValueError with one clause that says what is wrong."""
    number, factor = _split(text, _SECONDS, "a duration", "10s, 500ms, 5min, 7d")
    return number * factor


def parse_size(text: str) -> int:
    """`64MiB`, `2GiB`, `100kB` in bytes. Raises ValueError with one clause that says what is wrong."""
    number, factor = _split(text, _BYTES, "a size", "64MiB, 2GiB")
    return int(number * factor)


def parse_rate(text: str) -> int:
    """`40GiB/s` in bytes a second. Raises ValueError with one clause that says what is wrong."""
    size, slash, second = text.partition("/")
    if not slash or second.strip() != "s":
        raise ValueError(f"{text!r} is not a rate; write 40GiB/s, 204.8GB/s")
    return parse_size(size)


def format_duration(seconds: float) -> str:
    """The shortest text that `parse_duration` reads back as the same number."""
    for unit in ("d", "h", "min", "s", "ms", "us"):
        amount = seconds / _SECONDS[unit]
        if amount >= 1 and math.isclose(amount, round(amount), rel_tol=1e-9):
            return f"{round(amount)}{unit}"
    return f"{seconds:.12g}s" if seconds >= 1e-4 else "0s"


def format_size(size_bytes: int) -> str:
    """The shortest text that `parse_size` reads back as the same number."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size_bytes and size_bytes % _BYTES[unit] == 0:
            return f"{size_bytes // _BYTES[unit]}{unit}"
    return f"{size_bytes}B"


def format_rate(bytes_per_second: int) -> str:
    """The shortest text that `parse_rate` reads back as the same number."""
    return f"{format_size(bytes_per_second)}/s"


def _split(text: str, units: dict[str, float] | dict[str, int], what: str, examples: str) -> tuple[float, float]:
    match = _QUANTITY.fullmatch(text)
    if match is None or len(match[1]) > 15:
        raise ValueError(f"{text!r} is not {what}; write {examples}")
    number, unit = float(match[1]), match[2]
    if not unit:
        raise ValueError(f"{text!r} has no unit; write {examples}")
    if unit not in units:
        raise ValueError(f"{text!r} has an unknown unit {unit!r}; known: {', '.join(units)}")
    return number, units[unit]
