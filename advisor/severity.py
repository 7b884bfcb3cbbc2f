"""How much does a conclusion matter? The only place where severity is computed: impact × confidence × objective, and at
least what its harm alone makes of it."""

from math import log2

from advisor.facts import Objective, ServiceFacts
from advisor.finding import Conclusion, Gain, Harm, Severity
from advisor.rule import Rule

_WEIGHT: dict[str, dict[str, float]] = {
    "latency": {"throughput": 0.7, "latency": 1.0, "memory": 0.3, "cost": 0.3},
    "throughput": {"throughput": 1.0, "latency": 0.6, "memory": 0.3, "cost": 0.5},
    "cost": {"throughput": 0.8, "latency": 0.3, "memory": 1.0, "cost": 1.0},
    "none": {"throughput": 1.0, "latency": 1.0, "memory": 0.5, "cost": 0.5},
}
_STEPS = ((1.0, Severity.HIGH), (0.4, Severity.MEDIUM), (0.08, Severity.LOW))
"""In doublings: a likely factor of 2 is high, of 1.3 medium, of 1.06 low."""
_HARM: dict[Harm, Severity] = {
    "holds-port": Severity.MEDIUM,
    "takes-requests": Severity.HIGH,
    "runs-out-of-memory": Severity.HIGH,
}
_SURE = 0.5
"""A harm of which we are less sure than this counts for no more than low."""


def improvement(gain: Gain) -> float:
    """A gain's likely improvement in doublings; negative for a loss."""
    return log2(gain.p50) if gain.metric == "throughput_ratio" else -log2(gain.p50)


def impact(conclusion: Conclusion, objective: Objective | None) -> float:
    """The best weighted improvement, in doublings, times the confidence."""
    weights = _WEIGHT[objective or "none"]
    best = max((improvement(g) * weights[g.metric.split("_")[0]] for g in conclusion.gains), default=0.0)
    return best * conclusion.confidence


def severity(rule: Rule, conclusion: Conclusion, facts: ServiceFacts, latency_seconds: float | None) -> Severity:
    """Critical only where the service's own objective is missed by a factor of two and this would help."""
    if not rule.proven or (conclusion.spares and facts.objective != "cost"):
        return Severity.INFO
    score = impact(conclusion, facts.objective)
    found = next((level for limit, level in _STEPS if score >= limit), Severity.INFO)
    if conclusion.harm is not None:
        least = _HARM[conclusion.harm] if conclusion.confidence >= _SURE else Severity.LOW
        found = max(found, least, key=lambda level: level.level)
    if conclusion.hypothetical:
        return min(found, Severity.LOW, key=lambda level: level.level)
    slo = facts.slo_p99_seconds
    if found is Severity.HIGH and slo is not None and latency_seconds is not None and latency_seconds > 2 * slo:
        return Severity.CRITICAL
    return found
