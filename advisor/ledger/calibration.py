"""By how much are the intervals of a rule to be widened or narrowed, after what became of its promises?

A conformal quantile (Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World", 2005): of the distances between
promise and truth, in units of the promised half-width, the one that four in five do not exceed; drawn towards 1 while there
are few of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil, exp, log

import msgspec

from advisor.finding import Gain, Metric
from advisor.ledger.scores import LEAST, Factors, Scored

TARGET = 0.8
LEAST_OUTCOMES = 3
PRIOR_OUTCOMES = 8
"""So many outcomes weigh as much as what the rule says of itself."""
NARROWEST, WIDEST = 0.4, 4.0
LEAST_HALF_WIDTH = 0.02
"""In logarithms: a narrower half is taken for this wide."""


class Calibration(msgspec.Struct, frozen=True):
    """Factors on half-widths, by `RULE/METRIC`. Travels with a recording."""

    factors: Mapping[str, float] = {}

    def factor(self, rule: str, metric: Metric) -> float:
        return self.factors.get(f"{rule}/{metric}", 1.0)

    def gains(self, rule: str, gains: Sequence[Gain]) -> tuple[Gain, ...]:
        """The gains of one rule, with half-widths as the outcomes so far ask for."""
        return tuple(_scaled(gain, self.factor(rule, gain.metric)) for gain in gains)


NOT_CALIBRATED = Calibration()


def calibrated(found: Iterable[Scored]) -> Calibration:
    return Calibration({f"{rule}/{metric}": factor for (rule, metric), factor in factors(found).items()})


def factors(found: Iterable[Scored]) -> Factors:
    """For every rule and metric with outcomes enough."""
    distances: dict[tuple[str, Metric], list[float]] = {}
    for one in found:
        distances.setdefault((one.rule, one.promised.metric), []).append(distance(one.promised, one.ratio) * one.factor)
    return {key: _factor(many) for key, many in sorted(distances.items()) if len(many) >= LEAST_OUTCOMES}


def distance(gain: Gain, ratio: float) -> float:
    """How far the truth is from the middle of the promise, in half-widths of that side."""
    low, middle, high, truth = (log(max(LEAST, value)) for value in (gain.p10, gain.p50, gain.p90, ratio))
    half = high - middle if truth >= middle else middle - low
    return abs(truth - middle) / max(LEAST_HALF_WIDTH, half)


def _factor(distances: Sequence[float]) -> float:
    ordered, count = sorted(distances), len(distances)
    reached = ordered[min(count, ceil(TARGET * (count + 1))) - 1]
    weight = count / (count + PRIOR_OUTCOMES)
    return round(exp(weight * log(min(WIDEST, max(NARROWEST, reached)))), 4)


def _scaled(gain: Gain, factor: float) -> Gain:
    if factor == 1.0:
        return gain
    middle = max(LEAST, gain.p50)
    return Gain(
        metric=gain.metric,
        p10=middle * (max(LEAST, gain.p10) / middle) ** factor,
        p50=gain.p50,
        p90=middle * (gain.p90 / middle) ** factor,
    )
