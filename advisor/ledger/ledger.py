"""Which changes were made on the services, and what came of each?

A change opens an outcome: what was before it is kept, what comes after is measured while the service is under load, and a
minute of load, or the end of it, closes the outcome.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b

import msgspec

from advisor.board import timestamp
from advisor.finding import Finding, Gain
from advisor.gain_algebra import Part, conditional, together
from advisor.ledger.calibration import Calibration, calibrated
from advisor.ledger.changes import SETTLE_SECONDS, Changed, ChangeWatch
from advisor.ledger.configuration import ORPHANED, Configuration, LeverChange
from advisor.ledger.elasticity import thread_elasticity
from advisor.ledger.measure import compared, has_rate_of, is_stable
from advisor.ledger.outcome import Outcome
from advisor.ledger.promised import answers, beside_what_was_asked, promise_of
from advisor.ledger.scores import scored
from advisor.ledger.side import Side, side_of
from advisor.ledger.verdict import covered, verdict
from advisor.rule import Recovers
from advisor.trend import SLICE_SECONDS, Trend
from collectors.entities import Service
from collectors.reading import Instant

WARM_UP_SECONDS = 10.0
"""After a change, before what is measured counts: caches fill, and a metrics page spans both configurations."""
BEFORE_SLICES = 24
ENOUGH_SLICES = 4
WHOLE_SLICES = 12
"""A minute of load ends the measuring."""
RATE_SECONDS = 150.0
"""So long after the change it ends also where the rate is still not known."""
QUIET_SECONDS = 30.0
"""No load for so long ends it too, where there was enough."""
PATIENCE_SECONDS = 86400.0
PROMISE_SECONDS = 1800.0
"""A finding that was seen last so long before the change did not ask for it."""
KEPT_OUTCOMES = 1000
KEPT_UNTOLD = 20
"""Of one service, outcomes that nobody had asked for and of which nothing was measured: something else turns its levers."""
KEPT_DESKS = 300
"""Of services, those that are gone included."""
OLDER_SECONDS = 300.0
"""After so long under a new start, what was before that start is not what a change is compared with."""


@dataclass(slots=True)
class _Promised:
    finding: Finding
    seen: Instant
    recovers: Recovers


@dataclass(slots=True)
class _Pending:
    outcome: Outcome
    promised: tuple[Gain, ...]
    before: Side
    since: float
    """Unix seconds from which on a stretch is after the change."""
    loaded_until: float


@dataclass(slots=True)
class _Desk:
    """What is kept of one service, under its present id."""

    name: str
    trend: Trend
    older: Trend | None = None
    """Of the time before it was started anew."""
    begun: float = 0.0
    """Since when it is configured as it is, in Unix seconds: nothing before that is before the next change."""
    promised: dict[str, _Promised] = field(default_factory=dict)
    pending: _Pending | None = None


class Ledger:
    """Outcomes of the node. One thread uses it; what it returns is immutable."""

    def __init__(self, recovers: dict[str, Recovers] | None = None) -> None:
        self.watch = ChangeWatch()
        self.outcomes: dict[str, Outcome] = {}
        self.news: list[Outcome] = []
        """Outcomes that were opened or have changed since the caller last took them."""
        self.dropped: list[str] = []
        """Ids of outcomes that are not kept any longer, since the caller last took them."""
        self.calibration = Calibration()
        self._recovers = recovers or {}
        self._desks: dict[str, _Desk] = {}
        self._elasticities: dict[str, float | None] = {}
        """By the id of a service; worked out again where an outcome of it has changed."""

    def restore(self, outcomes: Iterable[Outcome]) -> None:
        """Outcomes from before a restart; what was being measured then stays unclear."""
        for outcome in outcomes:
            if not outcome.final:
                outcome = _ended(outcome, "the agent was restarted while it was being measured")
                self.news.append(outcome)
            self.outcomes[outcome.id] = outcome
        self._forget()
        self._elasticities.clear()
        self.calibration = calibrated(scored(self.outcomes.values()))

    def changed(self, service: Service, now: Configuration, trend: Trend, at: Instant) -> tuple[LeverChange, ...]:
        """What was changed on the service, told once, when the new configuration has settled."""
        desk = self._desk(service, trend)
        found = self.watch.look(service, now, at)
        before = self.watch.known_before_as(service)
        if before != service.id:
            self.watch.moved(service)
            if (left := self._desks.pop(before, None)) is not None:
                desk.older, desk.promised, desk.pending = left.trend, left.promised, left.pending
                desk.begun = left.begun
        if found is None:
            return ()
        if any(change.lever != ORPHANED for change in found.changes):
            self._open(service, desk, found, at)
        return found.changes

    def look(self, service: Service, findings: Sequence[Finding] | None, trend: Trend, at: Instant) -> None:
        """Take in what is said of the service now, None = what was said last, and measure what is open."""
        desk = self._desk(service, trend)
        for finding in findings or ():
            desk.promised[finding.rule] = _Promised(finding, at, self._recovers.get(finding.rule, "nothing"))
        if desk.pending is not None:
            self._measure(desk, desk.pending, at)
        if desk.older is not None and len(trend.slices) * SLICE_SECONDS > OLDER_SECONDS:
            desk.older = None

    def keep_only(self, services: Sequence[Service], at: Instant) -> None:
        """Services that are gone are remembered for a day."""
        self.watch.keep_only(services, at)
        for name in self._desks.keys() - {s.id for s in services} - self.watch.names():
            del self._desks[name]
            self._elasticities.pop(name, None)
        alive = {service.id for service in services}
        gone = [name for name in self._desks if name not in alive]
        for name in gone[: max(0, len(self._desks) - KEPT_DESKS)]:
            del self._desks[name]
            self.watch.forget(name)

    def verify(self, finding: str, at: Instant, since_seconds: float = 0.0) -> Outcome | None:
        """Somebody says that what `finding` asked for was done, `since_seconds` ago. Where that was noticed already, what is
        being measured of it. None: no such finding is known."""
        for name, desk in self._desks.items():
            noticed = desk.pending.outcome if desk.pending is not None else None
            if noticed is not None and not noticed.by_hand and any(p.finding == finding for p in noticed.promises):
                return noticed
            known = next((p for p in desk.promised.values() if p.finding.id == finding), None)
            if known is not None:
                made = Instant(at.mono_ns, at.wall_ns - int(since_seconds * 1e9))
                return self._begin(name, desk, (), [known], made, at, by_hand=True)
        return None

    def thread_elasticity(self, service: Service) -> float | None:
        """Growth of throughput per growth of compute threads, both as logarithms, the last time that they were changed."""
        if service.id not in self._elasticities:
            found = (o for o in self.outcomes.values() if o.service_id == service.id)
            self._elasticities[service.id] = thread_elasticity(found)
        return self._elasticities[service.id]

    def _desk(self, service: Service, trend: Trend) -> _Desk:
        desk = self._desks.get(service.id)
        if desk is None:
            desk = self._desks[service.id] = _Desk(service.name, trend, begun=self._begun(service.id))
        elif desk.trend is not trend:
            desk.older, desk.trend = desk.trend, trend
        return desk

    def _begun(self, service_id: str) -> float:
        """When it was changed last, as far as the outcomes tell, in Unix seconds."""
        known = (o.changed_at for o in self.outcomes.values() if o.service_id == service_id and o.changes)
        return max((datetime.fromisoformat(text).timestamp() + SETTLE_SECONDS for text in known), default=0.0)

    def _open(self, service: Service, desk: _Desk, found: Changed, at: Instant) -> None:
        recent = [p for p in desk.promised.values() if (found.since.wall_ns - p.seen.wall_ns) * 1e-9 <= PROMISE_SECONDS]
        asked = [p for p in recent if answers(p.finding, found.changes) is not None]
        self._begin(service.id, desk, found.changes, asked, found.since, at)
        desk.promised.clear()
        desk.begun = at.wall_ns * 1e-9

    def _begin(
        self, service_id: str, desk: _Desk, changes: tuple[LeverChange, ...], asked: Sequence[_Promised],
        made: Instant, at: Instant, *, by_hand: bool = False,
    ) -> Outcome:  # fmt: skip
        if desk.pending is not None:
            self._close(desk, desk.pending, at, "the service was changed again while it was being measured")
        until = made.wall_ns * 1e-9
        before = _before(desk, until)
        promises = tuple(promise_of(p.finding, answers(p.finding, changes) or False, self.calibration) for p in asked)
        outcome = Outcome(
            id=_outcome_id(service_id, changes, made),
            service=desk.name,
            service_id=service_id,
            state="waiting",
            changes=changes,
            promises=promises,
            beside=beside_what_was_asked([p.finding for p in asked], changes),
            changed_at=timestamp(made),
            because="waits for load after the change" if before.count else _nothing_before(desk),
            by_hand=by_hand,
        )
        parts = [Part(p.recovers, p.finding.gains) for p in asked]
        promised = together(conditional(parts, _cores_left(before)))
        # after a look at the settled configuration nothing of the old one is left; by hand it is as old as is said
        since = (at.wall_ns * 1e-9 if changes else until) + WARM_UP_SECONDS
        desk.pending = _Pending(outcome, promised, before, since, loaded_until=since)
        self._note(outcome)
        return outcome

    def _measure(self, desk: _Desk, pending: _Pending, at: Instant) -> None:
        now = at.wall_ns * 1e-9
        after = side_of(desk.trend.slices, pending.since + SLICE_SECONDS, now, WHOLE_SLICES)
        if after.ends and after.ends[-1] > pending.loaded_until:
            pending.loaded_until = after.ends[-1]
        elif now - pending.since < PATIENCE_SECONDS and not (
            after.count >= ENOUGH_SLICES and now - pending.loaded_until > QUIET_SECONDS
        ):
            return
        enough = after.count >= WHOLE_SLICES and (
            has_rate_of(pending.before, after) or now - pending.since > RATE_SECONDS
        )
        whole = enough or now - pending.loaded_until > QUIET_SECONDS
        if after.count < ENOUGH_SLICES or not (whole or is_stable(after)):
            if now - pending.since >= PATIENCE_SECONDS:
                self._close(desk, pending, at, "no load came within a day")
            return
        self._judge(desk, pending, after, whole, at)

    def _judge(self, desk: _Desk, pending: _Pending, after: Side, whole: bool, at: Instant) -> None:
        measured = compared(pending.before, after)
        state, because = verdict(pending.outcome.promises, pending.promised, measured)
        if not pending.before.count:
            state, because = "unclear", pending.outcome.because
        elif pending.outcome.beside and state != "unclear":
            state, because = "unclear", f"{because}; but changed as well: {', '.join(pending.outcome.beside)}"
        pending.outcome = msgspec.structs.replace(
            pending.outcome,
            state=state,
            because=because,
            measured=measured,
            covered=covered(pending.promised, measured),
            stable=is_stable(after),
            final=whole,
            measured_at=timestamp(at),
            rollback=_back(pending.outcome.changes) if state == "refuted" else (),
        )
        self._note(pending.outcome)
        if whole:
            desk.pending = None

    def _close(self, desk: _Desk, pending: _Pending, at: Instant, why: str) -> None:
        """End it with what was measured so far."""
        outcome = _ended(pending.outcome, why, timestamp(at))
        desk.pending = None
        self._note(outcome)

    def _note(self, outcome: Outcome) -> None:
        self.outcomes[outcome.id] = outcome
        self._elasticities.pop(outcome.service_id, None)
        self.news.append(outcome)
        self._forget()
        if outcome.final:
            self.calibration = calibrated(scored(self.outcomes.values()))

    def _forget(self) -> None:
        """What nobody asked for and nothing was learnt from is forgotten first."""
        idle: dict[str, list[str]] = {}
        for outcome in self.outcomes.values():
            if outcome.final and not outcome.promises and not outcome.measured:
                idle.setdefault(outcome.service_id, []).append(outcome.id)
        dropped = [name for names in idle.values() for name in names[:-KEPT_UNTOLD]]
        rest = [name for name in self.outcomes if name not in set(dropped)]
        dropped += rest[: max(0, len(rest) - KEPT_OUTCOMES)]
        for name in dropped:
            del self.outcomes[name]
        self.dropped += dropped


def _ended(outcome: Outcome, why: str, at: str | None = None) -> Outcome:
    """The outcome with what was measured so far."""
    if outcome.measured:
        return msgspec.structs.replace(outcome, final=True, because=f"{outcome.because}; {why}")
    return msgspec.structs.replace(outcome, state="unclear", because=why, final=True, measured_at=at)


def _nothing_before(desk: _Desk) -> str:
    return f"no load was seen {'between the change before and this one' if desk.begun else 'before the change'}"


def _before(desk: _Desk, until: float) -> Side:
    """The loaded stretches before, since the change before: of the running service, else of the time before it was started
    anew, else minutes."""
    trends = [t for t in (desk.trend, desk.older) if t is not None]
    for seconds, kept in ((SLICE_SECONDS, [t.slices for t in trends]), (60.0, [t.minutes for t in trends])):
        for stretches in kept:
            side = side_of(stretches, desk.begun + seconds, until, BEFORE_SLICES)
            if side.count >= 3:
                return side
    return Side({}, ())


def _cores_left(before: Side) -> float:
    used, others = before.mean("cores_used"), before.mean("others_cores")
    cores = before.mean("pool_cores")
    return 1.0 if not used or cores is None else max(1.0, (cores - (others or 0.0)) / used)


def _back(changes: Sequence[LeverChange]) -> tuple[LeverChange, ...]:
    return tuple(LeverChange(lever=c.lever, old=c.new, new=c.old) for c in changes)


def _outcome_id(service: str, changes: Sequence[LeverChange], made: Instant) -> str:
    text = "\x1f".join((service, str(made.wall_ns), *(f"{c.lever}={c.new}" for c in changes)))
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
