"""Did a change do what its findings promised?"""

from collections.abc import Sequence
from math import log

from advisor.finding import Gain, Metric
from advisor.ledger.outcome import Measured, Promise, State

LEAST_HELP = 0.02
"""In logarithms: an improvement below it is none that anybody would notice."""


def verdict(promises: Sequence[Promise], promised: Sequence[Gain], measured: Sequence[Measured]) -> tuple[State, str]:
    """`promised`: what the findings together promised. Judged by the metric of which the most was promised and which could
    be compared."""
    seen = {one.metric: one for one in measured if one.matched}
    asked = sorted((g for g in promised if g.metric in seen), key=lambda gain: -_improvement(gain.metric, gain.p50))
    if not promises:
        return "unclear", f"nobody had advised it; {told(measured)}"
    if not asked:
        return "unclear", f"nothing that was promised could be compared; {told(measured)}"
    gain, found = asked[0], seen[asked[0].metric]
    if _improvement(gain.metric, gain.p50) < LEAST_HELP:
        return _nothing_promised(gain, found)
    ends = sorted((_improvement(gain.metric, found.low), _improvement(gain.metric, found.high)))
    least = max(0.0, _improvement(gain.metric, _least(gain)))
    text = f"{told([found])}, promised {gain.p10:.2f}–{gain.p90:.2f}"
    if ends[1] < max(LEAST_HELP, least / 2):
        return "refuted", text
    if ends[0] > LEAST_HELP:
        return "verified", text
    return "unclear", f"{text}: the interval still holds no change"


def covered(promised: Sequence[Gain], measured: Sequence[Measured]) -> dict[Metric, bool]:
    """Whether each comparable ratio lies in the interval that was promised of it."""
    seen = {one.metric: one for one in measured if one.matched}
    return {g.metric: g.p10 <= seen[g.metric].ratio <= g.p90 for g in promised if g.metric in seen}


def told(measured: Sequence[Measured]) -> str:
    found = "; ".join(f"{_name(m.metric)} × {m.ratio:.2f} ({m.low:.2f}–{m.high:.2f})" for m in measured)
    return found or "nothing could be measured"


def _nothing_promised(gain: Gain, found: Measured) -> tuple[State, str]:
    """The finding said that this would not help."""
    text = f"{told([found])}, promised {gain.p10:.2f}–{gain.p90:.2f}"
    if found.low <= gain.p90 and found.high >= gain.p10:
        return "verified", f"it made no difference, as was said: {text}"
    better = _improvement(gain.metric, found.ratio) > 0
    return ("refuted", f"it helped, against what was said: {text}") if better else ("verified", text)


def _improvement(metric: Metric, ratio: float) -> float:
    return log(ratio) if metric == "throughput_ratio" else -log(ratio)


def _least(gain: Gain) -> float:
    return gain.p10 if gain.metric == "throughput_ratio" else gain.p90


def _name(metric: Metric) -> str:
    return metric.removesuffix("_ratio").replace("_", " ")
