"""What becomes of findings, kept across restarts: which turn of a finding is worth a row, and when?"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from threading import Lock

import msgspec

from advisor.board import Acknowledged
from advisor.documents import Snapshot, Turn
from advisor.finding import Acknowledgement, Finding, Severity
from advisor.ledger.outcome import Outcome, Promise
from agent.http.deps import AckRequest
from agent.http.encoded import encode
from agent.judging import Judging
from agent.store.documents import DocumentKind, StoredEvent
from collectors.reading import Instant

RENEW_SECONDS = 60.0
SETTLED_SECONDS = 60.0
"""A severity counts as changed once it has held this long: one that lies on a threshold would fill the history."""
NOT_SEEN = "not seen again since the agent started"
Save = Callable[[DocumentKind, str, bytes], None]
Forget = Callable[[DocumentKind, str], None]


@dataclass(slots=True)
class _Known:
    """A finding that stands, as it was written last."""

    finding: Finding
    services: tuple[str, ...]
    severity: Severity
    """As it was told last."""
    differs: tuple[Severity, float] | None = None
    """Another severity, and since when (monotonic seconds)."""
    written: float = 0.0


class FindingsLog:
    """Writes a finding when it opens, changes its state or severity, ends, and once a minute while it stands; each of these
    turns, and what people do about it, as a row of its own. Any thread may call."""

    def __init__(self, save: Save, forget: Forget, hold_seconds: float = 900.0) -> None:
        """`hold_seconds`: how long a finding from before the start is waited for."""
        self._save = save
        self._forget = forget
        self._hold_seconds = hold_seconds
        self.on_news: Callable[[Finding, Severity | None], None] = lambda finding, before: None
        """Told of each finding that opens, and of one whose severity has changed with what it was. Must not block."""
        self._lock = Lock()
        self._known: dict[str, _Known] = {}
        self._muted: set[str] = set()
        self._awaited: dict[str, Finding] = {}
        self._awaited_until: float | None = None
        self._number = count()

    def restore(
        self, findings: Iterable[Finding], entries: Mapping[str, Acknowledgement], now: Instant
    ) -> dict[str, Acknowledged]:
        """Take up what was kept, and return the acknowledgements that still hold."""
        kept = {one.id: one for one in findings}
        self._awaited = {name: one for name, one in kept.items() if one.state not in ("resolved", "superseded")}
        holding: dict[str, Acknowledged] = {}
        for name, entry in entries.items():
            found = restored(entry)
            if found is not None and (found.until_ns is None or found.until_ns > now.wall_ns):
                holding[name] = found
                self._muted.add(name)
            else:
                self._expire(kept.get(name), name, found)
        return holding

    def take(self, snapshot: Snapshot, judging: Judging, now: Instant) -> None:
        """After each judgement."""
        with self._lock:
            ended, expired = judging.turns()
            seen = {one.id: one for one in (*snapshot.advice.findings, *(one for one, _ in ended))}
            for name, entry in expired:
                self._expire(seen.get(name), name, entry)
            for finding, how in ended:
                self._end(finding, how, now, services_of(finding, snapshot))
            for finding in snapshot.advice.findings:
                self._see(finding, now, services_of(finding, snapshot))
            self._give_up(now)

    def judged(self, outcomes: Iterable[Outcome], snapshot: Snapshot, now: Instant) -> None:
        """What came of changes that findings had asked for: the last word on each is a turn of the finding."""
        with self._lock:
            for outcome in outcomes:
                if outcome.final and outcome.state in ("verified", "refuted", "unclear"):
                    for promise in outcome.promises:
                        self._tell_outcome(promise, outcome, now)

    def acknowledge(
        self, judging: Judging, name: str, request: AckRequest, now: Instant, stored: Callable[[str], Finding | None]
    ) -> Finding | None:
        """Apply and keep an acknowledgement. None: no such finding is open. `stored` knows those that have ended."""
        seconds = request.expires_seconds
        until_ns = None if seconds is None else now.wall_ns + int(seconds * 1e9)
        entry = None
        if request.state != "open":
            entry = Acknowledged(request.state, request.reason, until_ns, request.owner, now.wall_ns)
        with self._lock:
            if not judging.acknowledge(name, entry):
                return None
            found = judging.finding(name) or stored(name)
            if found is None:
                return None
            if entry is not None:
                self._muted.add(name)
                self._save("acknowledgement", name, encode(entry.told()))
            elif name in self._muted:
                self._muted.discard(name)
                self._forget("acknowledgement", name)
            else:
                return found
            if entry is None:
                found = msgspec.structs.replace(found, acknowledgement=None)
            turn: Turn = "reopened" if entry is None else entry.state
            self._tell(found, turn, now.wall_ns, owner=request.owner, note=_note(request.reason, entry))
            self._write(found, now)
            return found

    def _see(self, finding: Finding, now: Instant, services: tuple[str, ...]) -> None:
        known, seconds = self._known.get(finding.id), now.mono_ns * 1e-9
        if known is None:
            before = self._awaited.pop(finding.id, None)
            known = _Known(finding, services, before.severity if before is not None else finding.severity)
            self._known[finding.id] = known
            if before is None:
                self._tell(finding, "opened", now.wall_ns, note=_standing(finding.acknowledgement))
                self.on_news(finding, None)
            self._write(finding, now)
        changed = (known.finding.state, known.finding.severity) != (finding.state, finding.severity)
        known.finding, known.services = finding, services
        if changed or seconds - known.written >= RENEW_SECONDS:
            self._write(finding, now)
        if finding.severity == known.severity:
            known.differs = None
        elif known.differs is None or known.differs[0] != finding.severity:
            known.differs = (finding.severity, seconds)
        elif seconds - known.differs[1] >= SETTLED_SECONDS:
            self._tell(finding, "severity-changed", now.wall_ns, note=f"was {known.severity}")
            self.on_news(finding, known.severity)
            known.severity, known.differs = finding.severity, None

    def _end(
        self, finding: Finding, how: Turn, now: Instant, services: tuple[str, ...], note: str | None = None
    ) -> None:
        self._tell(finding, how, now.wall_ns, note=note, services=services)
        self._known.pop(finding.id, None)
        self._save("finding", finding.id, encode(msgspec.structs.replace(finding, state=how)))

    def _give_up(self, now: Instant) -> None:
        """What stood when the agent ended and is not there any more is over."""
        seconds = now.mono_ns * 1e-9
        if self._awaited_until is None:
            self._awaited_until = seconds + self._hold_seconds
        if seconds >= self._awaited_until:
            for finding in self._awaited.values():
                self._end(finding, "resolved", now, (), NOT_SEEN)
            self._awaited.clear()

    def _expire(self, finding: Finding | None, name: str, entry: Acknowledged | None) -> None:
        self._muted.discard(name)
        self._forget("acknowledgement", name)
        if finding is not None and entry is not None and entry.until_ns is not None:
            self._tell(finding, "expired", entry.until_ns, owner=entry.owner, note=entry.reason)

    def _write(self, finding: Finding, now: Instant) -> None:
        self._save("finding", finding.id, encode(finding))
        if (known := self._known.get(finding.id)) is not None:
            known.finding, known.written = finding, now.mono_ns * 1e-9

    def _tell_outcome(self, promise: Promise, outcome: Outcome, now: Instant) -> None:
        made = ", ".join(f"{c.lever} {c.old} → {c.new}" for c in outcome.changes) or "by hand"
        self._save_event(
            StoredEvent(
                finding=promise.finding,
                event=outcome.state,
                rule=promise.rule,
                subject=outcome.service,
                services=(outcome.service,),
                severity=Severity.INFO,
                title=promise.title,
                note=f"{made}: {outcome.because}",
            ),
            now.wall_ns,
        )

    def _save_event(self, body: StoredEvent, wall_ns: int) -> None:
        at_ns = wall_ns // 1000 * 1000 + next(self._number) % 1000
        self._save("finding_event", str(at_ns), encode(body))

    def _tell(
        self, finding: Finding, event: Turn, wall_ns: int, *, owner: str | None = None, note: str | None = None,
        services: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        known = self._known.get(finding.id)
        own = (finding.subject.name,) if finding.subject.kind == "service" else ()
        body = StoredEvent(
            finding=finding.id,
            event=event,
            rule=finding.rule,
            subject=finding.subject.name,
            services=services or (known.services if known is not None else own),
            severity=finding.severity,
            title=finding.title,
            owner=owner,
            note=note or None,
        )
        self._save_event(body, wall_ns)


def services_of(finding: Finding, snapshot: Snapshot) -> tuple[str, ...]:
    """Names of the services that a finding concerns: its own, or those whose processes it means."""
    pids = frozenset(finding.subject.pids)
    return tuple(
        one.name for one in snapshot.services if one.name == finding.subject.name or not pids.isdisjoint(one.pids)
    )


def restored(entry: Acknowledgement) -> Acknowledged | None:
    """An acknowledgement as it was kept; None if it cannot be read."""
    try:
        until, at = (None if text is None else round(_unix_seconds(text)) * 10**9 for text in (entry.until, entry.at))
    except ValueError:
        return None
    return Acknowledged(entry.state, entry.reason, until, entry.owner, at or 0)


def _unix_seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _note(reason: str, entry: Acknowledged | None) -> str:
    until = entry.told().until if entry is not None else None
    return f"{reason} (until {until})" if until else reason


def _standing(entry: Acknowledgement | None) -> str | None:
    return None if entry is None else f"{entry.state} by {entry.owner}: {entry.reason}"
