"""What do paired measurements say about a ratio, and how surely?"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A ratio (geometric mean of the pairs' ratios) with its bootstrap interval."""

    ratio: float
    low: float
    high: float
    pairs: int

    def __str__(self) -> str:
        return f"{self.ratio:.4f} (95 % interval {self.low:.4f} to {self.high:.4f}, {self.pairs} pairs)"


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank: the smallest value that at least `share` (0..1) of the values do not exceed."""
    if not values:
        raise ValueError("a percentile of nothing")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def geometric_mean(ratios: Sequence[float]) -> float:
    """The mean for ratios: twice as much and half as much cancel out."""
    return math.exp(math.fsum(map(math.log, ratios)) / len(ratios))


def estimate(ratios: Sequence[float], level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """The mean ratio of the pairs, and the percentile-bootstrap interval of it at `level`; the same for the same seed.

    ValueError for fewer than two pairs, or a ratio that is not above zero.
    """
    if len(ratios) < 2:
        raise ValueError(f"{len(ratios)} pairs are too few for an interval")
    if min(ratios) <= 0:
        raise ValueError("a ratio is not above zero")
    logarithms = [math.log(ratio) for ratio in ratios]
    chance = random.Random(seed)
    count = len(logarithms)
    means = [math.fsum(chance.choices(logarithms, k=count)) / count for _ in range(resamples)]
    tail = (1 - level) / 2
    return Estimate(
        ratio=geometric_mean(ratios),
        low=math.exp(percentile(means, tail)),
        high=math.exp(percentile(means, 1 - tail)),
        pairs=count,
    )
