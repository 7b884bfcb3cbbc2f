"""How fast do events follow each other, but for the ends, where chance counts most?"""

from collections.abc import Sequence
from dataclasses import dataclass

TRIM_RATIO = 0.02


@dataclass(frozen=True, slots=True)
class Pace:
    """`per_second` over `seconds`, the span between the outermost events that count."""

    per_second: float
    seconds: float


def pace_of(instants: Sequence[float]) -> Pace | None:
    """The pace of instants in rising order; None of fewer than two, or where all are one."""
    trim = int(len(instants) * TRIM_RATIO)
    kept = instants[trim : len(instants) - trim]
    seconds = kept[-1] - kept[0] if kept else 0.0
    return Pace((len(kept) - 1) / seconds, seconds) if seconds > 0 else None
