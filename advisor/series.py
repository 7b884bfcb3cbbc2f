"""What does `GET /v1/series` answer: one field of one entity over time?"""

from collections.abc import Sequence
from typing import Literal

import msgspec

Point = tuple[float, float | None]
"""Unix time in seconds and a value in base units; None = was not readable, or a counter that was reset."""


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One field of one entity over time. A counter's unit is per second (`seconds/s` is cores)."""

    unit: str
    points: Sequence[Point]
    resolution: Literal["raw", "minute"]
