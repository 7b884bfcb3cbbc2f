"""What do paired measurements say about a ratio, and how surely?"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

RESAMPLES = 10_000
Pair = TypeVar("Pair")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A ratio over several pairs with its bootstrap interval."""

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
    if ratios and min(ratios) <= 0:
        raise ValueError("a ratio is not above zero")
    return _bootstrap(ratios, geometric_mean, level, resamples, seed)


def estimate_of_sums(
    pairs: Sequence[tuple[float, float]], level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """Sum of the first quantities / sum of the second, with its interval: for counts that may be zero in one window.

    ValueError for fewer than two pairs, or where the second quantities are zero.
    """
    if not sum(second for _, second in pairs) > 0:
        raise ValueError("nothing to divide by")
    return _bootstrap(pairs, _ratio_of_sums, level, resamples, seed)


def _ratio_of_sums(pairs: Sequence[tuple[float, float]]) -> float:
    divisor = math.fsum(second for _, second in pairs)
    return math.fsum(first for first, _ in pairs) / divisor if divisor else math.inf


def _bootstrap(
    pairs: Sequence[Pair], statistic: Callable[[Sequence[Pair]], float], level: float, resamples: int, seed: int
) -> Estimate:
    """`statistic` of the pairs, and its percentiles over resampled pairs."""
    if len(pairs) < 2:
        raise ValueError(f"{len(pairs)} pairs are too few for an interval")
    chance = random.Random(seed)
    resampled = [statistic(chance.choices(pairs, k=len(pairs))) for _ in range(resamples)]
    tail = (1 - level) / 2
    return Estimate(statistic(pairs), percentile(resampled, tail), percentile(resampled, 1 - tail), len(pairs))
