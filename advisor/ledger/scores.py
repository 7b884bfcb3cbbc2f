"""How good were the promises so far: do their intervals hold the truth, and are they narrow?

Interval score of a central 80 % interval, on logarithms (Gneiting and Raftery, "Strictly Proper Scoring Rules", 2007): its
width, and ten times what the truth lies outside of it. Lower is better.
"""

from collections.abc import Iterable, Sequence
from math import log

import msgspec

from advisor.finding import Gain, Metric
from advisor.ledger.baseline import constant
from advisor.ledger.outcome import Outcome

ALPHA = 0.2
LEAST = 1e-6


class Scored(msgspec.Struct, frozen=True):
    """One promised ratio that was measured. `factor`: by how much the interval had been widened by what was learnt."""

    rule: str
    promised: Gain
    ratio: float
    factor: float


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """Promises of one rule on one metric, or of all (`rule` = "all", `metric` None). Widths and scores are of natural
    logarithms; `constant_score` is what constants of a table would have had on the same outcomes."""

    rule: str
    metric: Metric | None
    outcomes: int
    coverage: float
    width: float
    score: float
    constant_coverage: float
    constant_score: float
    factor: float
    """By how much intervals of this rule and metric are widened (above 1) or narrowed from now on."""


def scored(outcomes: Iterable[Outcome]) -> list[Scored]:
    """What counts: final outcomes of one finding alone, set as proposed or by hand with nothing changed beside it, where the
    loads allow the comparison."""
    found = []
    for outcome in outcomes:
        if not outcome.final or len(outcome.promises) != 1:
            continue
        promise = outcome.promises[0]
        if not (promise.as_proposed or outcome.by_hand) or outcome.beside:
            continue
        seen = {m.metric: m.ratio for m in outcome.measured if m.matched}
        found += [
            Scored(promise.rule, gain, seen[gain.metric], promise.factors.get(gain.metric, 1.0))
            for gain in promise.gains
            if gain.metric in seen
        ]
    return found


def scores(found: Sequence[Scored], factors: "Factors") -> tuple[Score, ...]:
    """One for each rule and metric, and one over all, which comes first."""
    keys = sorted({(one.rule, one.promised.metric) for one in found})
    each = [
        _score(
            rule,
            metric,
            [o for o in found if (o.rule, o.promised.metric) == (rule, metric)],
            factors.get((rule, metric), 1.0),
        )
        for rule, metric in keys
    ]
    return (_score("all", None, found, 1.0), *each) if found else ()


Factors = dict[tuple[str, Metric], float]


def interval_score(gain: Gain, ratio: float) -> float:
    low, high, truth = (log(max(LEAST, value)) for value in (gain.p10, gain.p90, ratio))
    return high - low + 2 / ALPHA * (max(0.0, low - truth) + max(0.0, truth - high))


def _score(rule: str, metric: Metric | None, found: Sequence[Scored], factor: float) -> Score:
    constants = [(constant(one.rule, one.promised.metric), one.ratio) for one in found]
    count = len(found)
    return Score(
        rule=rule,
        metric=metric,
        outcomes=count,
        coverage=sum(_holds(one.promised, one.ratio) for one in found) / count,
        width=sum(log(one.promised.p90 / max(LEAST, one.promised.p10)) for one in found) / count,
        score=sum(interval_score(one.promised, one.ratio) for one in found) / count,
        constant_coverage=sum(_holds(gain, ratio) for gain, ratio in constants) / count,
        constant_score=sum(interval_score(gain, ratio) for gain, ratio in constants) / count,
        factor=factor,
    )


def _holds(gain: Gain, ratio: float) -> bool:
    return gain.p10 <= ratio <= gain.p90
