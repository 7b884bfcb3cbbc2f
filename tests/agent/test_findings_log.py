"""Is every turn in the life of a finding a row, once, also over a restart, and does an acknowledgement hold as long as told?"""

import json
from typing import Any

from msgspec.structs import replace

from advisor.board import Acknowledged
from advisor.finding import Finding, Severity
from advisor.history import History
from agent.config import Config
from agent.findings_log import NOT_SEEN, FindingsLog
from agent.http.deps import AckRequest
from agent.judging import Judging
from collectors.reading import Instant
from tests.advisor.built import fighting_pools, healthy
from tests.advisor.test_board import say
from tests.snapshots import example_findings, example_snapshot

SECOND = 1_000_000_000
NAME = fighting_pools().service.name


def at(seconds: float) -> Instant:
    return Instant(int(seconds * SECOND), 1_700_000_000 * SECOND + int(seconds * SECOND))


class Life:
    """A board that judges one service, and what the log saves of it."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Any] = {}
        self.judging = Judging(Config(), History(), lambda: at(self.seconds))
        self.log = FindingsLog(self.save, lambda kind, key: self.kept.pop((kind, key), None), hold_seconds=100.0)
        self.seconds = 0.0

    def save(self, kind: str, key: str, body: bytes) -> None:
        self.kept[kind, key] = json.loads(body)

    def judge(self, seconds: float, troubled: bool = True, **changes: Any) -> tuple[Finding, ...]:
        """Judge once; `changes` replace fields of what is found."""
        self.seconds = seconds
        say(self.judging.board, fighting_pools() if troubled else healthy(), seconds)
        return self.take(**changes)

    def take(self, **changes: Any) -> tuple[Finding, ...]:
        found = tuple(replace(one, **changes) for one in self.judging.board.findings(at(self.seconds)))
        example = example_snapshot()
        service = replace(example.services[0], name=NAME, pids=(101, 102))
        advice = replace(example.advice, findings=found)
        self.log.take(replace(example, services=(service,), advice=advice), self.judging, at(self.seconds))
        return found

    def opened(self) -> Finding:
        self.judge(0)
        return self.judge(2)[0]

    def ask(self, name: str, state: Any, **more: Any) -> Finding | None:
        request = AckRequest(state=state, owner="ada", **more)
        return self.log.acknowledge(self.judging, name, request, at(self.seconds), lambda _: None)

    def events(self) -> list[dict[str, Any]]:
        return [body for (kind, _), body in sorted(self.kept.items()) if kind == "finding_event"]

    def turns(self) -> list[str]:
        return [event["event"] for event in self.events()]


def test_opening_and_ending_are_told_once_each_with_rule_service_and_severity() -> None:
    life = Life()
    found = life.opened()
    for second in range(4, 200, 2):
        life.judge(second)
    assert life.turns() == ["opened"]
    assert life.events()[0] == {
        "finding": found.id, "event": "opened", "rule": "cpu-oversubscribed-openmp", "subject": NAME,
        "services": [NAME], "severity": "high", "title": found.title, "owner": None, "note": None,
    }  # fmt: skip
    life.judging.board.keep_only(())
    life.take()
    assert life.turns() == ["opened", "resolved"]
    assert life.kept["finding", found.id]["state"] == "resolved"


def test_a_severity_that_lies_on_a_threshold_fills_no_history_and_one_that_holds_is_told() -> None:
    life = Life()
    life.opened()
    for second in range(4, 120, 2):
        life.judge(second, severity=Severity.MEDIUM if second % 4 else Severity.HIGH)
    assert life.turns() == ["opened"]
    for second in range(120, 184, 2):
        life.judge(second, severity=Severity.MEDIUM)
    assert [(one["event"], one["severity"], one["note"]) for one in life.events()[1:]] == [
        ("severity-changed", "medium", "was high")
    ]


def test_an_acknowledgement_is_kept_with_its_owner_and_runs_out_by_itself() -> None:
    life = Life()
    name = life.opened().id
    found = life.ask(name, "acknowledged", reason="new node on Friday", expires_in="60s")
    assert found is not None
    assert (found.state, found.acknowledgement and found.acknowledgement.owner) == ("acknowledged", "ada")
    assert life.kept["acknowledgement", name] == {
        "state": "acknowledged", "reason": "new node on Friday", "owner": "ada", "at": "2023-11-14T22:13:22Z",
        "until": "2023-11-14T22:14:22Z",
    }  # fmt: skip
    assert life.judge(30)[0].state == "acknowledged"
    assert life.judge(64)[0].state == "open"
    assert ("acknowledgement", name) not in life.kept
    assert [(one["event"], one["owner"], one["note"]) for one in life.events()] == [
        ("opened", None, None),
        ("acknowledged", "ada", "new node on Friday (until 2023-11-14T22:14:22Z)"),
        ("expired", "ada", "new node on Friday"),
    ]
    assert life.kept["finding", name]["state"] == "open"


def test_reopening_is_told_once_and_what_is_open_already_stays_as_it_is() -> None:
    life = Life()
    name = life.opened().id
    assert life.ask(name, "snoozed", reason="later", expires_in="1h")
    reopened = life.ask(name, "open", reason="it hurts")
    assert reopened is not None
    assert (reopened.state, reopened.acknowledgement) == ("open", None)
    assert life.ask(name, "open")
    assert life.turns() == ["opened", "snoozed", "reopened"]
    assert life.events()[-1]["note"] == "it hurts"
    assert ("acknowledgement", name) not in life.kept


def test_a_snapshot_from_before_an_acknowledgement_makes_no_turn() -> None:
    """The judgement and the person come in different threads."""
    life = Life()
    name = life.opened().id
    stale = life.judging.board.findings(at(2))
    assert life.ask(name, "acknowledged", reason="known")
    example = example_snapshot()
    life.log.take(replace(example, advice=replace(example.advice, findings=stale)), life.judging, at(2))
    life.judge(4)
    assert life.turns() == ["opened", "acknowledged"]
    assert life.kept["finding", name]["state"] == "acknowledged"


def test_what_is_not_open_is_not_acknowledged() -> None:
    life = Life()
    life.judge(0)
    assert life.ask("0000", "acknowledged", reason="known") is None
    assert life.kept == {}


def test_after_a_restart_what_still_stands_is_not_opened_again_and_what_does_not_is_over() -> None:
    first = Life()
    standing = first.opened()
    gone = replace(example_findings()[1], id="gone")
    over = replace(example_findings()[2], id="over", state="resolved")
    again = Life()
    again.log.restore((standing, gone, over), {}, at(0))
    again.judge(300)
    again.judge(302)
    assert again.events() == []
    again.judge(401)
    assert [(one["finding"], one["event"], one["note"]) for one in again.events()] == [("gone", "resolved", NOT_SEEN)]
    assert again.kept["finding", "gone"]["state"] == "resolved"


def test_after_a_restart_acknowledgements_hold_and_those_that_ran_out_meanwhile_are_told_of_their_time() -> None:
    first = Life()
    found = first.opened()
    holds = Acknowledged("snoozed", "later", at(1000).wall_ns, "ada", at(0).wall_ns)
    ended = replace(holds.told(), until="2023-11-14T22:14:20Z")
    again = Life()
    kept = again.log.restore((found,), {"other": holds.told(), found.id: ended}, at(300))
    assert kept == {"other": holds}
    (((_, stamp), event),) = [(key, body) for key, body in again.kept.items() if key[0] == "finding_event"]
    assert (event["event"], event["owner"], int(stamp) // SECOND) == ("expired", "ada", 1_700_000_060)
