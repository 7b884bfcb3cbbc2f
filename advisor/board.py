"""How does a conclusion become a finding, stay one, and end?

Identity is (rule, subject): seeing it again renews it. It opens after two judgements in a row, later where it may pass by
itself, stands until its hold time has passed without confirmation under load, and is superseded at once when a lever of its
service changed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from advisor.engine import Judged, Judgement
from advisor.finding import Acknowledgement, Finding, Inconclusive, finding_id
from advisor.view import View
from collectors.entities import Service
from collectors.reading import Instant

CONFIRMATIONS = 2
Ended = Literal["resolved", "superseded"]


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Why an open finding is not to be shown as open: acknowledged or snoozed by `owner` until `until_ns` (wall), None =
    for good."""

    state: Literal["acknowledged", "snoozed"]
    reason: str
    until_ns: int | None
    owner: str = "token"
    at_ns: int = 0

    def told(self) -> Acknowledgement:
        until = None if self.until_ns is None else timestamp(Instant(0, self.until_ns))
        return Acknowledgement(
            state=self.state, reason=self.reason, owner=self.owner, at=timestamp(Instant(0, self.at_ns)), until=until
        )


@dataclass(slots=True)
class _Standing:
    judged: Judged
    id: str
    first: Instant
    last: Instant
    seen: int = 1
    rank: int = 1
    open: bool = False

    def renew(self, judged: Judged, now: Instant, rank: int) -> bool:
        """Whether it has opened by this."""
        self.judged, self.last, self.rank = judged, now, rank
        self.seen += 1
        stood = (now.mono_ns - self.first.mono_ns) * 1e-9
        was = self.open
        self.open |= self.seen >= CONFIRMATIONS and stood >= judged.conclusion.told_after_seconds
        return self.open and not was


@dataclass(slots=True)
class _Desk:
    """The findings of one service."""

    service: Service
    standing: dict[str, _Standing] = field(default_factory=dict)
    inconclusive: tuple[Inconclusive, ...] = ()


class Board:
    """All findings of the node. One thread uses it."""

    def __init__(self, longest_hold_seconds: float = 900.0) -> None:
        self._longest_hold_seconds = longest_hold_seconds
        self._desks: dict[str, _Desk] = {}
        self._acknowledged: dict[str, Acknowledged] = {}
        self._stood: dict[str, Instant] = {}
        self.ended: list[tuple[Finding, Ended]] = []
        """Findings that ended since the caller last took them."""
        self.expired: list[tuple[str, Acknowledged]] = []
        """Acknowledgements that ran out, by finding id, since the caller last took them."""

    def standing(self, service: Service) -> frozenset[str]:
        desk = self._desks.get(service.id)
        return frozenset(desk.standing) if desk else frozenset()

    def supersede(self, service: Service) -> None:
        """A lever of the service was changed: what was said of the configuration before no longer holds."""
        if (desk := self._desks.get(service.id)) is not None:
            self._end(desk, list(desk.standing), "superseded")

    def update(self, service: Service, judgement: Judgement, view: View, now: Instant) -> bool:
        """Take in one judgement of a service. Whether a finding has opened."""
        opened = False
        desk = self._desks.setdefault(service.id, _Desk(service))
        desk.service, desk.inconclusive = service, judgement.inconclusive
        present = {j.rule for j in judgement.judged}
        for position, judged in enumerate(judgement.judged, start=1):
            known = desk.standing.get(judged.rule)
            if known is None:
                name = finding_id(judged.rule, judged.conclusion.subject, service.id)
                first = self._stood.pop(name, None)
                desk.standing[judged.rule] = _Standing(
                    judged, name, first or now, now, rank=position, open=first is not None
                )
            else:
                opened |= known.renew(judged, now, position)
        judged_now = view.loaded_now and view.samples >= 15
        for rule, known in list(desk.standing.items()):
            if rule in present:
                continue
            if set(known.judged.yields_to) & present:
                self._end(desk, [rule], "superseded")
            elif not known.open:
                del desk.standing[rule]
            elif (judged_now or not known.judged.needs_load) and (now.mono_ns - known.last.mono_ns) * 1e-9 >= min(
                known.judged.hold_seconds, self._longest_hold_seconds
            ):
                self._end(desk, [rule], "resolved")
        return opened

    def keep_only(self, services: Iterable[Service]) -> None:
        """Findings of services that are gone are resolved."""
        alive = {service.id for service in services}
        for name in [n for n in self._desks if n not in alive]:
            desk = self._desks.pop(name)
            self._end(desk, list(desk.standing), "resolved")

    def acknowledge(self, finding: str, entry: Acknowledged | None) -> bool:
        """Acknowledge or snooze an open finding, or take that back with None. False if no such finding is open; what was
        acknowledged before it ended can be taken back all the same."""
        if entry is None and self._acknowledged.pop(finding, None) is not None:
            return True
        if not any(k.id == finding and k.open for d in self._desks.values() for k in d.standing.values()):
            return False
        if entry is not None:
            self._acknowledged[finding] = entry
        return True

    def restore(self, entries: Mapping[str, Acknowledged]) -> None:
        """Acknowledgements from before a restart, by finding id: they hold when the finding is seen again."""
        self._acknowledged.update(entries)

    def recall(self, stood: Mapping[str, Instant]) -> None:
        """Findings that are known to stand already, by id, with when each was seen first: one opens when it is seen."""
        self._stood.update(stood)

    def findings(self, now: Instant) -> tuple[Finding, ...]:
        """Open findings, by service and rank."""
        return tuple(f for desk in self._desks.values() for f in self._of(desk, now))

    def findings_of(self, service: Service, now: Instant) -> Sequence[Finding]:
        """Open findings about one service, by rank."""
        desk = self._desks.get(service.id)
        return self._of(desk, now) if desk is not None else ()

    def inconclusive(self) -> tuple[Inconclusive, ...]:
        return tuple(entry for desk in self._desks.values() for entry in desk.inconclusive)

    def _of(self, desk: _Desk, now: Instant) -> Sequence[Finding]:
        shown = [k for k in desk.standing.values() if k.open]
        ids = {k.judged.rule: k.id for k in shown}
        newest = max((k.last for k in shown), default=now)
        shown.sort(key=lambda k: (k.last < newest, k.rank))
        return [self._finding(k, rank, ids, now) for rank, k in enumerate(shown, start=1)]

    def _finding(self, known: _Standing, rank: int, ids: dict[str, str], now: Instant) -> Finding:
        conclusion = known.judged.conclusion
        stood = (known.last.mono_ns - known.first.mono_ns) * 1e-9
        surer = conclusion.confidence + (1 - conclusion.confidence) / 3 * min(1.0, stood / 45)
        surer = min(surer, known.judged.surest)
        entry = self._entry(known.id, now)
        return Finding(
            id=known.id,
            rank=rank,
            rule=known.judged.rule,
            severity=known.judged.severity,
            confidence=round(surer, 3),
            state=entry.state if entry else "open",
            subject=conclusion.subject,
            title=conclusion.title,
            summary=conclusion.summary,
            evidence=conclusion.evidence,
            rejected=conclusion.rejected,
            changes=conclusion.changes,
            gains=conclusion.gains,
            because_of=ids.get(known.judged.cause or ""),
            first_seen=timestamp(known.first),
            last_seen=timestamp(known.last),
            rule_version=known.judged.version,
            acknowledgement=entry.told() if entry else None,
        )

    def _entry(self, finding: str, now: Instant) -> Acknowledged | None:
        """What holds for a finding now; an acknowledgement that has run out is dropped."""
        entry = self._acknowledged.get(finding)
        if entry is not None and entry.until_ns is not None and entry.until_ns <= now.wall_ns:
            del self._acknowledged[finding]
            self.expired.append((finding, entry))
            return None
        return entry

    def _end(self, desk: _Desk, rules: Sequence[str], how: Ended) -> None:
        for rule in rules:
            known = desk.standing.pop(rule)
            if known.open:
                self.ended.append((self._finding(known, 1, {}, known.last), how))


def timestamp(instant: Instant) -> str:
    """RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(instant.wall_ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
