"""By how much do the stretches after a change differ from those before it, and may they be compared?

The stability test is that of Triton's perf_analyzer: three windows within ±10 %.
"""

from collections.abc import Sequence
from math import exp, log, sqrt

import msgspec

from advisor.answered import answered_per_second, comparable, seen_by
from advisor.finding import Metric
from advisor.ledger.load import explained_by_clients, why_no_latency, why_no_rate
from advisor.ledger.outcome import Measured
from advisor.ledger.side import RATES, Side

STABLE_RATIO = 1.1
CORRELATION = 1.4
"""By how much neighbouring stretches of five seconds understate the spread of their mean (they share the same
disturbances)."""
LEAST_SPREAD = 0.01
LEAST_LEVELS = 3
_QUANTILE_90 = 1.2816

_TOLD = {
    "requests": "requests that the server counted",
    "connections": "connections accepted, one a request",
    "segments": "segments of requests received",
    "bytes": "bytes of answers sent",
}


def has_rate_of(before: Side, after: Side) -> bool:
    """Whether what tells of the rate before tells of it after: many connections are looked at every half a minute only."""
    return any(after.values(name) for name in RATES if before.values(name)) or not any(map(before.values, RATES))


def is_stable(side: Side) -> bool:
    """The last three stretches are within ±10 % of each other, in rate and in latency."""
    answered = answered_per_second(seen_by(side.mean))
    rate = answered.field if answered is not None else "cores_used"
    watched = [side.values(name)[-3:] for name in (rate, "latency_seconds") if side.values(name)]
    return side.count >= 3 and all(min(v) > 0 and max(v) <= STABLE_RATIO**2 * min(v) for v in watched)


def compared(before: Side, after: Side) -> tuple[Measured, ...]:
    """Every metric of which both sides tell something."""
    rate = _rate(before, after)
    found = [rate, *_latencies(before, after, rate), _memory(before, after)]
    return tuple(one for one in found if one is not None)


def _rate(before: Side, after: Side) -> Measured | None:
    pair = comparable(seen_by(before.mean), seen_by(after.mean))
    if pair is None or not (pair[0].value and pair[1].value):
        return None
    then, now = pair
    what = _TOLD[then.what] if then.what == now.what else f"{_TOLD[then.what]}; then {_TOLD[now.what]}"
    rates = [[value / one.each for value in side.values(one.field)] for one, side in ((then, before), (now, after))]
    found = _ratio("throughput_ratio", rates[0], rates[1], what)
    if found.ratio > 1:
        low = max(found.low / explained_by_clients(before, after), min(1.0, found.low))
        found = msgspec.structs.replace(found, low=low)
    return _unless(found, why_no_rate(found.ratio, before, after))


def _latencies(before: Side, after: Side, rate: Measured | None) -> list[Measured]:
    found = []
    pairs: tuple[tuple[Metric, str, str], ...] = (
        ("latency_p50_ratio", "latency_p50_seconds", "the server's own median"),
        ("latency_p99_ratio", "latency_p99_seconds", "the server's own 99 % point"),
    )
    for metric, field, what in pairs:
        if before.values(field) and after.values(field):
            found.append(_ratio(metric, before.values(field), after.values(field), what))
    if not found and rate is not None and (held := _little(before, after, rate)) is not None:
        found.append(held)
    known, matched = (None, False) if rate is None else (rate.ratio, rate.matched)
    return [_unless(one, why_no_latency(one.ratio, known, matched, before, after)) for one in found]


def _unless(found: Measured, why: str | None) -> Measured:
    return found if why is None else msgspec.structs.replace(found, matched=False, because=why)


def _little(before: Side, after: Side, rate: Measured) -> Measured | None:
    """Mean latency by Little's law, of clients that keep as many connections open and ask again at once."""
    then, now = before.mean("established"), after.mean("established")
    if then is None or now is None or min(then, now) < 1 or not 0.8 <= now / then <= 1.25 or not rate.matched:
        return None
    scale = now / then
    return msgspec.structs.replace(
        rate,
        metric="latency_p50_ratio",
        ratio=scale / rate.ratio,
        low=scale / rate.high,
        high=scale / rate.low,
        what=f"connections / rate (Little's law, a mean), from {rate.what}",
        before=then / rate.before,
        after=now / rate.after,
    )


def _memory(before: Side, after: Side) -> Measured | None:
    """A level, not a rate: what it has come to counts, not how workers loaded their models one after the other."""
    then, now = (side.values("resident_bytes") for side in (before, after))
    if not then or not now:
        return None
    then, now = (values[-max(LEAST_LEVELS, len(values) // 2) :] for values in (then, now))
    return _ratio("memory_ratio", then, now, "resident memory of its processes")


def _ratio(metric: Metric, before: Sequence[float], after: Sequence[float], what: str) -> Measured:
    """Ratio of geometric means; its interval from the spread of each side."""
    (mean_before, error_before), (mean_after, error_after) = _logs(before), _logs(after)
    middle = mean_after - mean_before
    freedom = max(1, len(before) + len(after) - 2)
    half = (_QUANTILE_90 + 1.2 / freedom) * CORRELATION * sqrt(error_before**2 + error_after**2)
    return Measured(
        metric=metric,
        ratio=exp(middle),
        low=exp(middle - half),
        high=exp(middle + half),
        what=what,
        before=exp(mean_before),
        after=exp(mean_after),
        samples_before=len(before),
        samples_after=len(after),
    )


def _logs(values: Sequence[float]) -> tuple[float, float]:
    """Mean of the logarithms and its standard error; of one or two values, that of a tenth either way. A stretch in which
    next to nothing was counted, between two looks, counts as a twentieth of the mean."""
    floor = max(1e-9, 0.05 * sum(values) / len(values))
    logs = [log(max(value, floor)) for value in values]
    mean = sum(logs) / len(logs)
    if len(logs) < 3:
        return mean, log(STABLE_RATIO) / sqrt(len(logs))
    spread = sqrt(sum((each - mean) ** 2 for each in logs) / (len(logs) - 1))
    return mean, max(spread, LEAST_SPREAD) / sqrt(len(logs))
