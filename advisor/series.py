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


class EvidenceSeries(msgspec.Struct, frozen=True, kw_only=True):
    """How a figure of a finding's evidence developed over the time that was judged, and before it. Times in Unix seconds."""

    metric: str
    """Of the evidence, in whose unit the values are."""
    start: float
    step_seconds: float
    judged_from: float
    judged_to: float
    values: Sequence[float | None]
    """The mean of each step, from `start` on; None = not known."""
