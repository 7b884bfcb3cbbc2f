"""Which conclusions hold for one service now, after look-alikes have yielded and with the exact changes filled in?"""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Inconclusive, Need, Severity
from advisor.rule import Rule, Settings, subject_of
from advisor.severity import impact, severity
from advisor.view import View
from collectors.places import places_for

Overrides = Mapping[str, Mapping[str, float]]


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One rule's conclusion with its severity. `cause` is the rule of the same service that explains it."""

    rule: str
    conclusion: Conclusion
    severity: Severity
    score: float
    cause: str | None
    after: tuple[str, ...]
    yields_to: tuple[str, ...]
    hold_seconds: float


class Judgement(msgspec.Struct, frozen=True):
    """Everything that one window of one service gave, in rank order."""

    judged: tuple[Judged, ...]
    inconclusive: tuple[Inconclusive, ...]
    broken: tuple[tuple[str, str], ...] = ()
    """Rules that raised, with what they raised: they cost their own verdict only."""


class Engine:
    """Applies the rules to one service's view. Keeps nothing between calls."""

    def __init__(
        self, rules: Sequence[Rule], overrides: Overrides | None = None, off: frozenset[str] = frozenset()
    ) -> None:
        self._rules = tuple(rule for rule in rules if rule.id not in off)
        self._overrides = overrides or {}

    def judge(self, view: View, facts: ServiceFacts, standing: frozenset[str] = frozenset()) -> Judgement:
        """Judge one service. `standing` names the rules whose finding stands: they leave at their lower threshold."""
        found: dict[str, tuple[Rule, Conclusion]] = {}
        missing: list[Inconclusive] = []
        broken: list[tuple[str, str]] = []
        if lacks := self._blind(view):
            return Judgement((), lacks)
        for rule in self._rules:
            if view.samples < rule.minimum_samples:
                continue
            settings = Settings(rule.thresholds, self._overrides.get(rule.id, {}), rule.id in standing)
            try:
                verdict = rule.judge(view, facts, settings)
            except Exception as error:
                broken.append((rule.id, f"{type(error).__name__}: {error}"))
                continue
            if isinstance(verdict, Conclusion):
                found[rule.id] = (rule, verdict)
            elif isinstance(verdict, Need):
                missing.append(Inconclusive(rule=rule.id, subject=subject_of(view), needs=verdict))
        kept = {name: pair for name, pair in found.items() if not set(pair[0].yields_to) & found.keys()}
        judged = [self._judged(rule, conclusion, facts, view, kept.keys()) for rule, conclusion in kept.values()]
        return Judgement(tuple(rank(judged)), tuple(missing), tuple(broken))

    def _blind(self, view: View) -> tuple[Inconclusive, ...]:
        """Without run-queue delay no rule can tell waiting from idling; without load there is nothing to judge."""
        if view.loaded_now and not view.delay_readable:
            need = Need(kind="kernel", text="run-queue delay: a kernel with CONFIG_SCHED_INFO (/proc/PID/schedstat)")
        elif view.loaded_now and view.samples < 15:
            need = Need(kind="time", text=f"{15 - view.samples} more seconds of load")
        else:
            return ()
        return tuple(Inconclusive(rule=rule.id, subject=subject_of(view), needs=need) for rule in self._rules)

    @staticmethod
    def _judged(
        rule: Rule, conclusion: Conclusion, facts: ServiceFacts, view: View, present: Collection[str]
    ) -> Judged:
        cause = next((c for c in rule.caused_by if c in present), None)
        return Judged(
            rule=rule.id,
            conclusion=msgspec.structs.replace(conclusion, changes=tuple(_exact(c, facts) for c in conclusion.changes)),
            severity=severity(rule, conclusion, facts, view.latency_seconds),
            score=impact(conclusion, facts.objective),
            cause=cause,
            after=rule.after,
            yields_to=rule.yields_to,
            hold_seconds=rule.hold_seconds,
        )


def _exact(change: Change, facts: ServiceFacts) -> Change:
    """The change with every place in which it can be made, the one that wins first."""
    how = tuple(places_for(change.lever, change.proposed, facts.service, facts.processes))
    restart = any(place.restart for place in how[:1]) if how else change.restart
    return msgspec.structs.replace(change, how=how, restart=restart)


def rank(judged: Sequence[Judged]) -> list[Judged]:
    """Order of action: causes before symptoms, a change that must come first before the one it enables, then by impact."""
    severities = {j.rule: j.severity for j in judged}
    capped = [_capped(j, severities) for j in judged]
    capped.sort(key=lambda j: (j.cause is not None, -j.severity.level, -j.score, j.rule))
    ordered: list[Judged] = []
    waiting = list(capped)
    while waiting:
        names = {j.rule for j in waiting}
        chosen = next((j for j in waiting if not names & (set(j.after) | {j.cause or ""}) - {j.rule}), waiting[0])
        waiting.remove(chosen)
        ordered.append(chosen)
    return ordered


def _capped(judged: Judged, severities: Mapping[str, Severity]) -> Judged:
    """A symptom is at most as severe as its cause."""
    cause = severities.get(judged.cause or "")
    if cause is None or judged.severity.level <= cause.level:
        return judged
    return msgspec.structs.replace(judged, severity=cause)
