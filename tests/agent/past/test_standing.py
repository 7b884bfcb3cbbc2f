"""Which findings stood at a moment, and as what, by their history alone?"""

from itertools import count
from typing import Any

import msgspec

from advisor.board import Acknowledged
from advisor.finding import Finding, Severity
from agent.past.standing import SUMMARY, Standing, told
from agent.store.reader import StoredTurn
from collectors.reading import Instant
from tests.snapshots import example_snapshot

SECOND = 1_000_000_000
START = 1_793_448_000
BODY = msgspec.structs.replace(
    example_snapshot().advice.findings[0],
    first_seen="2026-10-31T12:00:10Z",
    last_seen="2026-10-31T13:00:00Z",
    state="resolved",
)


def turn(second: float, event: str, finding: str = BODY.id, **changes: Any) -> StoredTurn:
    made = StoredTurn(
        at_ns=START * SECOND + round(second * SECOND), finding=finding, event=event, severity=Severity.HIGH, title="it waits",
        owner=None, note=None,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def at(standing: Standing, second: float, *played: Finding, whole_run: bool = False) -> list[Finding]:
    now = Instant(0, START * SECOND + round(second * SECOND))
    standing.until(now.wall_ns)
    return list(told(standing, played, now, whole_run=whole_run).findings)


def standing(*turns: StoredTurn) -> Standing:
    return Standing(turns, {BODY.id: BODY})


def test_a_finding_stands_from_its_opening_to_its_end_with_the_severity_of_then() -> None:
    found = standing(
        turn(20, "opened"),
        turn(40, "severity-changed", severity=Severity.LOW),
        turn(60, "resolved"),
        turn(80, "opened"),
    )
    shown = [at(found, second) for second in (10, 30, 50, 70, 90)]
    assert [[one.severity for one in each] for each in shown] == [[], ["high"], ["low"], [], ["high"]]
    (one,) = shown[1]
    assert (one.summary, one.evidence, one.changes, one.gains) == (SUMMARY, (), (), ())
    assert (one.first_seen, one.last_seen) == ("2026-10-31T12:00:10Z", "2026-10-31T12:00:30Z")


def test_who_had_taken_note_of_it_then_and_who_no_more() -> None:
    found = standing(
        turn(20, "opened"),
        turn(30, "acknowledged", owner="ann", note="known (until 2026-11-07T12:00:30Z)"),
        turn(50, "reopened", owner="ann"),
        turn(60, "snoozed", owner="bob", note="later"),
        turn(80, "expired", owner="bob", note="later"),
    )
    states = [(one.state, one.acknowledgement) for second in (25, 35, 55, 65, 85) for one in at(found, second)]
    assert [state for state, _ in states] == ["open", "acknowledged", "open", "snoozed", "open"]
    assert (
        states[1][1]
        == Acknowledged(
            "acknowledged", "known", (START + 7 * 86_400 + 30) * SECOND, "ann", (START + 30) * SECOND
        ).told()
    )
    assert states[3][1] == Acknowledged("snoozed", "later", None, "bob", (START + 60) * SECOND).told()


def test_what_can_be_judged_again_is_and_what_was_not_told_then_is_left_out() -> None:
    found = standing(turn(20, "opened"))
    judged = msgspec.structs.replace(BODY, state="open", because_of="elsewhere")
    other = msgspec.structs.replace(judged, id="never-told")
    assert at(found, 30, judged, other) == [msgspec.structs.replace(judged, because_of=None)]
    assert told(found, (judged, other), Instant(0, 0), whole_run=False)[1:] == (0, 1)


def test_after_a_restart_only_what_was_seen_again_stands() -> None:
    never = standing(turn(20, "opened"), turn(900, "resolved", note="not seen again since the agent started"))
    assert at(never, 100) == []
    again = standing(turn(20, "opened"), turn(900, "resolved"))
    assert len(at(again, 100)) == 1
    assert at(again, 101, whole_run=True) == []


def test_without_any_history_what_is_judged_is_told() -> None:
    assert at(standing(), 30, BODY) == [BODY]


def test_many_turns_are_gone_through_once() -> None:
    number = count()
    found = standing(
        *(turn(second, event) for second in range(1000) for event in ("opened", "resolved") if next(number) >= 0)
    )
    assert at(found, 999.5) == []
    assert found._next == 2000
