"""What do several changes bring together, one after the other?

Gains of changes that recover the same thing are not additive: two ways to end the same waiting end it once, and cores can
be used once. Everything is done on logarithms of ratios; independent uncertainties add as squares.
"""

from collections.abc import Sequence
from math import exp, log, sqrt

import msgspec

from advisor.finding import Gain, Metric
from advisor.rule import Recovers

LEAST = 1e-6
_SHARED: frozenset[Recovers] = frozenset(("waiting", "device"))
"""What one change has recovered is not there for the next."""


class Part(msgspec.Struct, frozen=True):
    """One change of a plan: where its gain comes from, and what it would bring by itself."""

    recovers: Recovers
    gains: tuple[Gain, ...]


def conditional(parts: Sequence[Part], cores_left: float) -> list[tuple[Gain, ...]]:
    """What each change brings after those before it. `cores_left`: usable cores / cores used, at least 1: changes that
    recover cores cannot bring more than that together."""
    had: dict[tuple[Recovers, Metric], float] = {}
    ceiling = log(max(1.0, cores_left))
    found = []
    for part in parts:
        gains = []
        for gain in part.gains:
            key = (part.recovers, gain.metric)
            gains.append(_after(gain, part.recovers, had.get(key, 0.0), ceiling))
            own = abs(_log(gain.p50))
            had[key] = max(had.get(key, 0.0), own) if part.recovers in _SHARED else had.get(key, 0.0) + own
        found.append(tuple(gains))
    return found


def together(steps: Sequence[Sequence[Gain]]) -> tuple[Gain, ...]:
    """The product of conditional gains, metric by metric, in the order in which metrics come up."""
    by_metric: dict[Metric, list[Gain]] = {}
    for step in steps:
        for gain in step:
            by_metric.setdefault(gain.metric, []).append(gain)
    return tuple(_product(metric, gains) for metric, gains in by_metric.items())


def _after(gain: Gain, recovers: Recovers, had: float, ceiling: float) -> Gain:
    if had <= 0.0:
        return gain
    if recovers in _SHARED:
        return _less(gain, had)
    if recovers == "cores" and gain.metric == "throughput_ratio":
        return _less(gain, max(0.0, had + _log(gain.p50) - ceiling))
    return gain


def _less(gain: Gain, taken: float) -> Gain:
    """The gain without `taken` of its logarithm; what is left never turns into a loss, and a quarter of its best end stays
    possible: what the changes recover need not be quite the same."""
    sign = 1.0 if gain.metric == "throughput_ratio" else -1.0
    low, middle, high = sorted(sign * _log(value) for value in (gain.p10, gain.p50, gain.p90))
    if middle <= 0.0:
        return gain
    kept = (min(low, max(0.0, low - taken)), max(0.0, middle - taken), max(0.0, high - taken, high / 4))
    first, second, third = sorted(exp(sign * value) for value in kept)
    return Gain(metric=gain.metric, p10=first, p50=second, p90=third)


def _product(metric: Metric, gains: Sequence[Gain]) -> Gain:
    if len(gains) == 1:
        return gains[0]
    middle = sum(_log(gain.p50) for gain in gains)
    below = sqrt(sum((_log(gain.p50) - _log(gain.p10)) ** 2 for gain in gains))
    above = sqrt(sum((_log(gain.p90) - _log(gain.p50)) ** 2 for gain in gains))
    return Gain(metric=metric, p10=exp(middle - below), p50=exp(middle), p90=exp(middle + above))


def _log(ratio: float) -> float:
    return log(max(LEAST, ratio))
