"""Which conclusions hold for one service now, after look-alikes have yielded and with the exact changes filled in?"""

from collections.abc import Hashable, Mapping, Sequence
from math import inf

import msgspec

from advisor.catalogue import version_of
from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Inconclusive, Need, Severity
from advisor.gpu.devices import DEVICE
from advisor.ledger.calibration import NOT_CALIBRATED
from advisor.order import stage
from advisor.rule import Rule, Settings, subject_of, yields_of
from advisor.severity import impact, severity
from advisor.view import View
from collectors.entities import Service
from collectors.facts import Facts
from collectors.framework import Framework
from collectors.levers import Place
from collectors.places import places_for
from collectors.registry import framework_named

Overrides = Mapping[str, Mapping[str, float]]

LOW_CONFIDENCE = 0.3
"""The most that is claimed about a service whose framework is known from documentation only."""
MOST_PLACED = 500


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One rule's conclusion with its severity. `cause` is the rule of the same service that explains it."""

    rule: str
    conclusion: Conclusion
    severity: Severity
    score: float
    cause: str | None
    causes: tuple[str, ...] = ()
    """Rules that would explain it; `cause` is the first of them that concluded."""
    after: tuple[str, ...]
    yields_to: tuple[str, ...]
    hold_seconds: float
    needs_load: bool = True
    surest: float = 1.0
    """The most confidence that it may come to while it stands."""
    version: str = ""
    """Of the rule."""
    weighs: bool = True
    """Whether it may be more than worth knowing: not of an experimental rule, nor of what could be given up."""


class Judgement(msgspec.Struct, frozen=True):
    """Everything that one window of one service gave, in rank order."""

    judged: tuple[Judged, ...]
    inconclusive: tuple[Inconclusive, ...]
    broken: tuple[tuple[str, str], ...] = ()
    """Rules that raised, with what they raised: they cost their own verdict only."""


class Engine:
    """Applies the rules to one service's view. Keeps nothing between calls that would change what it says."""

    def __init__(
        self, rules: Sequence[Rule], overrides: Overrides | None = None, off: frozenset[str] = frozenset()
    ) -> None:
        used = [rule for rule in rules if rule.id not in off]
        own = overrides or {}
        self._of = {key: tuple(rule for rule in used if _kind(rule) == key) for key in {_kind(rule) for rule in used}}
        self._settings = {
            (rule.id, standing): Settings(rule.thresholds, own.get(rule.id, {}), standing)
            for rule in used
            for standing in (False, True)
        }
        self._yields = {rule.id: yields_of(rule, used) for rule in used}
        self._placed: dict[Hashable, tuple[tuple[Service, Facts], tuple[Place, ...]]] = {}
        """Where changes are made that were asked for lately, of the same processes."""
        self.calibration = NOT_CALIBRATED
        """What outcomes so far ask of the intervals."""

    def judge(self, view: View, facts: ServiceFacts, standing: frozenset[str] = frozenset()) -> Judgement:
        """Judge one service. `standing` names the rules whose finding stands: they leave at their lower threshold."""
        found: dict[str, Judged] = {}
        missing: list[Inconclusive] = []
        broken: list[tuple[str, str]] = []
        rules = self._of.get((view.service.orphaned, view.service.framework == DEVICE), ())
        need = _blind(view)
        if need is not None:
            missing += (Inconclusive(rule=r.id, subject=subject_of(view), needs=need) for r in rules if r.needs_load)
        for rule in rules:
            if view.samples < rule.minimum_samples or (need is not None and rule.needs_load):
                continue
            try:
                verdict = rule.judge(view, facts, self._settings[rule.id, rule.id in standing])
                if isinstance(verdict, Conclusion):
                    gains = self.calibration.gains(rule.id, _sound(verdict).gains)
                    learnt = msgspec.structs.replace(verdict, gains=gains)
                    found[rule.id] = self._judged(rule, _as_known(learnt, facts), facts, view)
            except Exception as error:
                broken.append((rule.id, f"{type(error).__name__}: {error}"))
                continue
            if isinstance(verdict, Need):
                missing.append(Inconclusive(rule=rule.id, subject=subject_of(view), needs=verdict))
        kept = {name: one for name, one in found.items() if not set(one.yields_to) & found.keys()}
        judged = [
            msgspec.structs.replace(one, cause=next((c for c in one.causes if c in kept), None))
            for one in kept.values()
        ]
        return Judgement(tuple(rank(judged)), tuple(missing), tuple(broken))

    def _judged(self, rule: Rule, conclusion: Conclusion, facts: ServiceFacts, view: View) -> Judged:
        """The conclusion by itself: what explains it is told from all that were found."""
        return Judged(
            rule=rule.id,
            conclusion=msgspec.structs.replace(
                conclusion, changes=tuple(self._exact(c, facts) for c in conclusion.changes)
            ),
            severity=severity(rule, conclusion, facts, view.latency_seconds),
            score=impact(conclusion, facts.objective),
            cause=None,
            causes=rule.caused_by,
            after=rule.after,
            yields_to=self._yields[rule.id],
            hold_seconds=rule.hold_seconds,
            surest=LOW_CONFIDENCE
            if _documented(facts)
            else conclusion.confidence
            if rule.of_trend or rule.of_model
            else 1.0,
            needs_load=rule.needs_load,
            version=version_of(rule),
            weighs=bool(rule.proven) and not conclusion.spares,
        )

    def _exact(self, change: Change, facts: ServiceFacts) -> Change:
        """The change with every place in which it can be made, the one that wins first."""
        key, on = (facts.service.id, change.lever, change.proposed, change.model), (facts.service, facts.processes)
        found = self._placed.get(key)
        if found is None or found[0][0] is not on[0] or found[0][1] is not on[1]:
            if len(self._placed) >= MOST_PLACED:
                self._placed.clear()
            found = on, places_for(change.lever, change.proposed, facts.service, facts.processes, change.model)
            self._placed[key] = found
        how = found[1]
        restart = any(place.restart for place in how[:1]) if how else change.restart
        return msgspec.structs.replace(change, how=how, restart=restart)


def _kind(rule: Rule) -> tuple[bool, bool]:
    """Of which services it has something to say."""
    return rule.of_orphans, rule.of_devices


def _blind(view: View) -> Need | None:
    """Without run-queue delay no rule on load can tell waiting from idling; without load there is nothing to judge."""
    if view.loaded_now and not view.delay_readable:
        return Need(kind="kernel", text="run-queue delay: a kernel with CONFIG_SCHED_INFO (/proc/PID/schedstat)")
    if view.loaded_now and view.samples < 15:
        return Need(kind="time", text=f"{15 - view.samples} more seconds of load")
    return None


def _as_known(conclusion: Conclusion, facts: ServiceFacts) -> Conclusion:
    """The conclusion with no more confidence than is known of the service's framework."""
    framework = _documented(facts)
    if framework is None:
        return conclusion
    known = f"{framework.name} is known here from documentation only ({framework.versions or 'version not stated'})."
    sure = min(conclusion.confidence, LOW_CONFIDENCE)
    return msgspec.structs.replace(conclusion, confidence=sure, summary=f"{conclusion.summary} {known}")


def _documented(facts: ServiceFacts) -> Framework | None:
    """The service's framework if it is known from documentation only."""
    framework = framework_named(facts.service.framework)
    return framework if framework is not None and framework.evidence == "documented" else None


def rank(judged: Sequence[Judged]) -> list[Judged]:
    """Order of action: causes before symptoms, the severest first, a change that must come first before the one it enables;
    of the equally severe, by the order in which levers are turned, then by impact."""
    found = {j.rule: j for j in judged}
    capped = [_lifted(j, judged) for j in (_capped(j, found) for j in judged)]
    capped.sort(key=lambda j: (j.cause is not None, -j.severity.level, stage(j.conclusion.changes), -j.score, j.rule))
    ordered: list[Judged] = []
    waiting = list(capped)
    while waiting:
        names = {j.rule for j in waiting}
        chosen = next((j for j in waiting if not names & (set(j.after) | {j.cause or ""}) - {j.rule}), waiting[0])
        waiting.remove(chosen)
        ordered.append(chosen)
    return ordered


def _capped(judged: Judged, found: Mapping[str, Judged]) -> Judged:
    """A symptom is at most as severe as its cause, and as the cause of that."""
    lowest, passed = judged, {judged.rule}
    cause = found.get(judged.cause or "")
    while cause is not None and cause.rule not in passed:
        lowest = min(lowest, cause, key=lambda one: one.severity.level)
        passed.add(cause.rule)
        cause = found.get(cause.cause or "")
    return msgspec.structs.replace(judged, severity=lowest.severity)


def _lifted(judged: Judged, beside: Sequence[Judged]) -> Judged:
    """A change that must come first is at least as severe as what it makes possible, little as it may bring by itself."""
    if not judged.weighs or judged.cause is not None or not judged.conclusion.changes:
        return judged
    waiting = [one.severity for one in beside if judged.rule in one.after and one.cause is None]
    return msgspec.structs.replace(judged, severity=max((judged.severity, *waiting), key=lambda one: one.level))


def _sound(conclusion: Conclusion) -> Conclusion:
    """Raises ValueError for a gain that is no ratio."""
    for gain in conclusion.gains:
        if not (0 <= gain.p10 < inf and 0 < gain.p50 < inf and 0 < gain.p90 < inf):
            raise ValueError(f"{gain.metric} of {gain.p10}, {gain.p50}, {gain.p90}")
    return conclusion
