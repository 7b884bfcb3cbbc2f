"""A number that is not known exactly: the least, the likely and the most that it may be."""

from collections.abc import Sequence
from random import Random

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """Drawn from a triangle over `low`, `mode`, `high`. Raises ValueError where these are not in order."""

    low: float
    mode: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.mode <= self.high:
            raise ValueError(f"{self.low}, {self.mode}, {self.high} are not in order")

    @classmethod
    def exactly(cls, value: float) -> "Spread":
        return cls(value, value, value)

    @classmethod
    def around(cls, value: float, part: float) -> "Spread":
        return cls(value * (1 - part), value, value * (1 + part))

    def draw(self, random: Random) -> float:
        return self.mode if self.low == self.high else random.triangular(self.low, self.high, self.mode)

    def times(self, factor: float) -> "Spread":
        return Spread(self.low * factor, self.mode * factor, self.high * factor)


class Percentiles(msgspec.Struct, frozen=True):
    """Of draws: nine in ten lie above `p10`, half above `p50`."""

    p10: float
    p50: float
    p90: float


def percentiles(values: Sequence[float]) -> Percentiles:
    """Nearest ranks of at least one value."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return Percentiles(*(ordered[round(last * q)] for q in (0.1, 0.5, 0.9)))
