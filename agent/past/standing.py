"""Which findings stood at a moment of the past, and who had taken note of them, as their history tells?"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import msgspec

from advisor.board import Acknowledged, timestamp
from advisor.finding import Finding, Inconclusive, Severity
from agent.findings_log import NOT_SEEN
from agent.store.reader import StoredTurn
from collectors.reading import Instant

WRITTEN_NS = 250_000_000
"""A turn is written this long after the judgement that made it, at most."""
SUMMARY = (
    "It stood at this moment, as its history says, which has this title; what was measured of it then is not kept."
)
_UNTIL = re.compile(r" \(until (\S+)\)$")


@dataclass(slots=True)
class Stood:
    """A finding that stands. `opened_ns`: when that was told (Unix time); None = longer ago than is kept."""

    turn: StoredTurn
    opened_ns: int | None
    severity: Severity


@dataclass(slots=True)
class Standing:
    """What stood after the turns until some instant. `bodies`: findings as they were saved last, by id."""

    turns: Sequence[StoredTurn]
    bodies: Mapping[str, Finding]
    stood: dict[str, Stood] = field(default_factory=dict)
    muted: dict[str, Acknowledged] = field(default_factory=dict)
    _next: int = 0

    def until(self, wall_ns: int) -> None:
        """Go on to a judgement at this instant. Call it in order of time."""
        while self._next < len(self.turns) and self.turns[self._next].at_ns <= wall_ns + WRITTEN_NS:
            self._take(self.turns[self._next])
            self._next += 1

    def seen_again(self, finding: str) -> bool:
        """Whether it was seen after all: not where its end is that the agent, started anew, has not seen it."""
        later = (turn for turn in self.turns[self._next :] if turn.finding == finding)
        return getattr(next(later, None), "note", None) != NOT_SEEN

    def first_seen(self) -> dict[str, Instant]:
        """When each that stands was seen first; on the wall clock only."""
        found = {}
        for name, one in self.stood.items():
            opened = one.opened_ns
            body = self.bodies.get(name)
            first = None if body is None else _ns(body.first_seen)
            if first is not None and (opened is None or first <= opened):
                opened = first
            if opened is not None:
                found[name] = Instant(0, opened)
        return found

    def _take(self, turn: StoredTurn) -> None:
        match turn.event:
            case "opened":
                self.stood[turn.finding] = Stood(turn, turn.at_ns, turn.severity)
            case "resolved" | "superseded":
                self.stood.pop(turn.finding, None)
            case "severity-changed" | "acknowledged" | "snoozed" | "reopened" | "expired":
                known = self.stood.setdefault(turn.finding, Stood(turn, None, turn.severity))
                known.severity = turn.severity
                self._mute(turn)

    def _mute(self, turn: StoredTurn) -> None:
        if turn.event in ("acknowledged", "snoozed"):
            reason, until = turn.note or "", _UNTIL.search(turn.note or "")
            self.muted[turn.finding] = Acknowledged(
                "snoozed" if turn.event == "snoozed" else "acknowledged",
                reason if until is None else reason[: until.start()],
                None if until is None else _ns(until[1]),
                turn.owner or "token",
                turn.at_ns,
            )
        elif turn.event in ("reopened", "expired"):
            self.muted.pop(turn.finding, None)


class Told(NamedTuple):
    """The findings of a moment: those that were told then. `unjudged`: how many of them could not be judged again; `untold`:
    how many that are found today were not told then, and are left out."""

    findings: tuple[Finding, ...]
    unjudged: int = 0
    untold: int = 0


def told(standing: Standing, played: tuple[Finding, ...], now: Instant, *, whole_run: bool) -> Told:
    """`played`: as they are judged again; `whole_run`: from the start of the agent on, so that there were no others."""
    if not standing.turns:
        return Told(played)
    kept = [one for one in played if one.id in standing.stood]
    ids, ranks = {one.id for one in kept}, Counter(one.subject.name for one in kept)
    more = []
    for name, one in standing.stood.items() if not whole_run else ():
        body = standing.bodies.get(name)
        if name not in ids and body is not None and standing.seen_again(name):
            ranks[body.subject.name] += 1
            more.append(_unjudged(body, one, standing.muted.get(name), ranks[body.subject.name], now))
    ids |= {one.id for one in more}
    alone = [msgspec.structs.replace(one, because_of=None) if one.because_of not in ids else one for one in kept]
    return Told((*alone, *more), len(more), len(played) - len(kept))


def without_profiles(inconclusive: Iterable[Inconclusive]) -> tuple[Inconclusive, ...]:
    """What could not be concluded, but for what only a profile would have told: that may have been known then."""
    return tuple(one for one in inconclusive if one.needs.kind != "profile")


def _unjudged(body: Finding, stood: Stood, muted: Acknowledged | None, rank: int, now: Instant) -> Finding:
    """As its history tells: nothing of what was measured."""
    opened = Instant(0, stood.opened_ns or stood.turn.at_ns)
    return msgspec.structs.replace(
        body,
        rank=rank,
        severity=stood.severity,
        state=muted.state if muted is not None else "open",
        title=stood.turn.title,
        summary=SUMMARY,
        evidence=(),
        rejected=(),
        changes=(),
        gains=(),
        because_of=None,
        first_seen=min(body.first_seen, timestamp(opened)),
        last_seen=min(body.last_seen, timestamp(now)),
        acknowledgement=muted.told() if muted is not None else None,
    )


def _ns(text: str) -> int | None:
    try:
        return round(datetime.fromisoformat(text).timestamp()) * 1_000_000_000
    except ValueError:
        return None
