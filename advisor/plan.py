"""What is to be done first on a service, what after it, and what is all of it worth?"""

from collections.abc import Mapping, Sequence
from math import log2

import msgspec

from advisor.facts import Objective
from advisor.finding import Change, Finding, Gain, Severity
from advisor.gain_algebra import Part, conditional, together
from advisor.rule import Recovers
from advisor.view import View

ASSUMED = "no objective is configured: throughput and latency count alike, memory and cost half"
_OBJECTIVES: dict[Objective, str] = {
    "latency": "latency counts most: a change that costs throughput or memory for it still comes first",
    "throughput": "throughput counts most: a change that costs latency for it still comes first",
    "cost": "cost counts most: a change that saves memory or nodes comes before one that saves time",
}
_WORTH = 0.05
"""In doublings: a step that is likely to bring less is left out of the sentence, not of the plan."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a plan. `gains`: what it brings after the steps before it; alone it may bring more, or harm."""

    finding: str
    rule: str
    title: str
    changes: tuple[Change, ...]
    gains: tuple[Gain, ...]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to do about one service, in order. `total`: of all steps together, never the sum of what each finding says."""

    service: str
    verdict: str
    steps: tuple[Step, ...]
    total: tuple[Gain, ...]
    will_not_help: tuple[str, ...]
    """Ids of findings that say what would be done in vain."""
    assumes: str
    """What was taken to matter."""


def plan_of(
    service: str,
    view: View | None,
    findings: Sequence[Finding],
    recovers: Mapping[str, Recovers],
    objective: Objective | None,
    slo_p99_seconds: float | None,
    otherwise: str,
) -> Plan:
    """`findings`: the open ones about the service, in rank order. `otherwise`: the verdict where none of them is to be acted
    on. A symptom is no step: it goes with its cause. Nor is what would turn a lever again that an earlier step has turned: it
    is judged anew after that step."""
    acted = _apart([f for f in findings if f.changes and f.because_of is None and f.severity is not Severity.INFO])
    parts = [Part(recovers.get(f.rule, "nothing"), f.gains) for f in acted]
    steps = tuple(
        Step(finding=f.id, rule=f.rule, title=f.title, changes=f.changes, gains=gains)
        for f, gains in zip(acted, conditional(parts, _cores_left(view)), strict=True)
    )
    total = together([step.gains for step in steps])
    return Plan(
        service=service,
        verdict=_sentence(view, findings, steps, total, slo_p99_seconds) or otherwise,
        steps=steps,
        total=total,
        will_not_help=tuple(f.id for f in findings if not f.changes and _none(f.gains)),
        assumes=_OBJECTIVES[objective] if objective else ASSUMED,
    )


def _apart(findings: Sequence[Finding]) -> list[Finding]:
    turned: set[tuple[str, str | None]] = set()
    kept = []
    for finding in findings:
        levers = {(change.lever, change.model) for change in finding.changes}
        if turned.isdisjoint(levers):
            kept.append(finding)
            turned |= levers
    return kept


def _cores_left(view: View | None) -> float:
    """Usable cores / cores used now."""
    return 1.0 if view is None else view.effective_cores / max(0.05, view.cores_used)


def _sentence(
    view: View | None, findings: Sequence[Finding], steps: Sequence[Step], total: Sequence[Gain], slo: float | None
) -> str:
    """The first thing to do, how many more follow, and what that brings."""
    if not findings:
        return ""
    first = next((f for f in findings if f.severity is not Severity.INFO), findings[0])
    text = first.title
    if len(steps) > 1:
        text += f"; then {len(steps) - 1} more step{'s' if len(steps) > 2 else ''}"
        throughput = next((g for g in total if g.metric == "throughput_ratio"), None)
        if throughput is not None and log2(throughput.p50) >= _WORTH:
            text += f", together throughput × {_times(throughput.p10)}–{_times(throughput.p90)}"
    return f"{_missed(view, slo)}{text}"


def _times(ratio: float) -> str:
    """Two digits, and no exponent."""
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.2g}"


def _missed(view: View | None, slo: float | None) -> str:
    """Whether the service keeps what its owner asks for."""
    if view is None or slo is None:
        return ""
    seen = view.latency_p99_seconds if view.latency_p99_seconds is not None else view.latency_seconds
    if seen is None or seen <= slo:
        return ""
    what = "p99" if view.latency_p99_seconds is not None else "mean latency"
    return f"{what} {seen * 1e3:.0f} ms misses {slo * 1e3:.0f} ms: "


def _none(gains: Sequence[Gain]) -> bool:
    """Whether the gains say that nothing is to be gained."""
    return bool(gains) and all(abs(log2(max(1e-6, gain.p50))) < _WORTH for gain in gains)
