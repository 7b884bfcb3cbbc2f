"""How many requests a second, and how is that known?"""

from typing import Literal

import msgspec

Bound = Literal["measured", "estimate", "lower bound"]


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """Requests per second: the likely value within what the evidence leaves open. `told_by` is the method in words."""

    per_second: float
    low: float
    high: float
    bound: Bound
    told_by: str


def shown(per_second: float) -> str:
    """Three digits, and no exponent."""
    return f"{per_second:.0f}" if per_second >= 100 else f"{per_second:.3g}"
