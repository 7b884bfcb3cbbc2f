"""When did each finding of a recording begin, change and end?"""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path

import msgspec

from advisor.board import timestamp
from advisor.documents import FindingEvent, Turn
from advisor.finding import Finding
from agent.config import LoadedConfig
from agent.played import Played, play
from agent.recorded import digest_of
from agent.store.recorded_ticks import RecordedJudgement


class RecordedHistory(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to the findings in order of time, and how many of the judgements that have a digest said the very same
    then: None where none has."""

    node: str
    events: tuple[FindingEvent, ...]
    judgements: int
    same: int | None


def history_of(loaded: LoadedConfig, path: Path, *, compare: bool = True) -> tuple[RecordedHistory, Played]:
    """Play a recording and note each turn in the life of a finding. `compare`: hold each judgement against what was said then,
    which costs as much again. Raises BadRecording."""
    watcher = Watcher(compare)
    played = play(loaded, path, watcher.look)
    same = watcher.same if watcher.compared else None
    document = played.advice
    return RecordedHistory(
        node=document.node, events=tuple(watcher.events), judgements=played.judgements, same=same
    ), played


class Watcher:
    """Looks on while a recording plays, and answers as a running agent does what became of its findings."""

    def __init__(self, compare: bool = False) -> None:
        self.events: list[FindingEvent] = []
        self.compared = self.same = 0
        self._compare = compare
        self._known: dict[str, Finding] = {}
        self._last: dict[str, Finding] = {}
        """Those that have ended too."""

    def look(self, played: Played, judgement: RecordedJudgement) -> None:
        if self._compare and judgement.digest:
            self.compared += 1
            self.same += digest_of(msgspec.json.encode(played.advice)) == judgement.digest
        at = timestamp(judgement.at)
        board = played.judging.board
        ended, board.ended = board.ended, []
        for finding, how in ended:
            self._known.pop(finding.id, None)
            self.events.append(_event(at, how, finding))
        for finding in board.findings(judgement.at):
            self.events += (_event(at, turn, finding) for turn in _turns(self._known.get(finding.id), finding))
            self._known[finding.id] = self._last[finding.id] = finding

    def finding(self, identity: str) -> Finding | None:
        """As it was seen last."""
        return self._last.get(identity)

    def history(
        self, *, finding: str | None = None, service: str | None = None, start: float = 0.0, end: float = 9e9,
        limit: int = 100,
    ) -> tuple[FindingEvent, ...]:  # fmt: skip
        """Newest first, with `at` from `start` to `end` (Unix seconds). `service`: its name, as the findings' subject."""
        wanted = (
            event
            for event in reversed(self.events)
            if (finding is None or event.finding == finding)
            and (service is None or event.subject == service)
            and start <= datetime.fromisoformat(event.at).timestamp() <= end
        )
        return tuple(islice(wanted, limit))


def _turns(before: Finding | None, now: Finding) -> Iterator[Turn]:
    if before is None:
        yield "opened"
    elif before.severity != now.severity:
        yield "severity-changed"
    was = "open" if before is None else before.state
    if now.state != was:
        yield "reopened" if now.state == "open" else "acknowledged" if now.state == "acknowledged" else "snoozed"


def _event(at: str, turn: Turn, finding: Finding) -> FindingEvent:
    return FindingEvent(
        at=at,
        finding=finding.id,
        event=turn,
        rule=finding.rule,
        subject=finding.subject.name,
        severity=finding.severity,
        title=finding.title,
    )
