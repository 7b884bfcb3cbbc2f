"""What does a value of AMD SMI say? Where it does not know, it answers `"N/A"`, or the largest number that fits its field."""

import math
from typing import Any

PERCENT = 10_000
"""ppm in one percent."""
MIB = 1 << 20
_DEGREES = 1000


def whole(value: Any, most: int) -> int | None:
    """A number of 0 to `most`, which lies below the largest that fits the field; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    number = round(value)
    return number if 0 <= number <= most else None


def scaled(value: Any, most: int, scale: int) -> int | None:
    """`value` in units of which it takes `scale`."""
    number = whole(value, most)
    return None if number is None else number * scale


def degrees(value: Any) -> int | None:
    """Degrees Celsius. The documentation says thousandths of them, the library divides by thousand."""
    number = whole(value, 200 * _DEGREES)
    return number if number is None or number < _DEGREES else round(number / _DEGREES)


def word(value: Any) -> str | None:
    """A text that says something."""
    if not isinstance(value, str) or value.strip() in ("", "N/A"):
        return None
    return value.strip()[:200]


def part(answer: dict[str, Any], name: str) -> dict[str, Any]:
    """The dict within `answer` of that name; empty where there is none."""
    value = answer.get(name)
    return value if isinstance(value, dict) else {}
