"""The life of a finding: opens, stands, is superseded or resolved, is acknowledged."""

from msgspec.structs import replace

from advisor.board import Acknowledged, Board
from advisor.catalogue import all_rules
from advisor.engine import Engine, Judgement
from advisor.finding import Acknowledgement, Subject, finding_id
from advisor.view import View
from collectors.reading import Instant
from tests.advisor.built import facts, fighting_pools, healthy, view

ENGINE = Engine(all_rules())
SECOND = 1_000_000_000


def at(seconds: float) -> Instant:
    return Instant(int(seconds * SECOND), 1_700_000_000 * SECOND + int(seconds * SECOND))


def say(board: Board, seen: View, seconds: float) -> None:
    judgement = ENGINE.judge(seen, facts(seen, environ={}), board.standing(seen.service))
    board.update(seen.service, judgement, seen, at(seconds))


def rules(board: Board, seconds: float) -> list[str]:
    return [f.rule for f in board.findings(at(seconds))]


def test_one_judgement_alone_opens_nothing():
    board = Board()
    say(board, fighting_pools(), 0)
    assert rules(board, 0) == []
    say(board, healthy(), 2)
    say(board, fighting_pools(), 4)
    assert rules(board, 4) == []


def test_two_judgements_in_a_row_open_a_finding_with_a_stable_id():
    board, other = Board(), Board()
    for second in (0, 2):
        say(board, fighting_pools(), second)
        say(other, fighting_pools(), second + 100)
    found = board.findings(at(2))
    assert [f.rule for f in found] == ["cpu-oversubscribed-openmp"]
    assert found[0].id == other.findings(at(102))[0].id
    assert found[0].rank == 1
    assert found[0].severity == "high"


def test_a_finding_grows_surer_while_it_stands():
    board = Board()
    for second in range(0, 60, 2):
        say(board, fighting_pools(), second)
        if second == 2:
            early = board.findings(at(2))[0].confidence
    assert board.findings(at(60))[0].confidence > early


def test_a_rule_on_hours_is_as_sure_as_it_says_however_long_it_stands():
    board, seen = Board(), fighting_pools()
    rules_of_hours = [rule for rule in all_rules() if rule.of_trend]
    assert {"workers-idle-rightsizing", "oom-eta"} <= {rule.id for rule in rules_of_hours}
    judgement = ENGINE.judge(seen, facts(seen, environ={}))
    sure = judgement.judged[0].conclusion.confidence
    said = Judgement((replace(judgement.judged[0], surest=sure),), ())
    for second in range(0, 60, 2):
        board.update(seen.service, said, seen, at(second))
    assert [f.confidence for f in board.findings(at(60))] == [sure]


def test_a_finding_on_a_framework_known_from_documentation_only_never_grows_surer():
    board, seen = Board(), fighting_pools()
    documented = replace(seen, service=replace(seen.service, framework="triton"))
    for second in range(0, 60, 2):
        say(board, documented, second)
    assert [f.confidence for f in board.findings(at(60))] == [0.3]


def test_a_finding_stands_through_its_hold_time_and_is_resolved_after_it():
    board = Board(longest_hold_seconds=30)
    say(board, fighting_pools(), 0)
    say(board, fighting_pools(), 2)
    say(board, healthy(), 20)
    assert rules(board, 20) == ["cpu-oversubscribed-openmp"]
    say(board, healthy(), 40)
    assert rules(board, 40) == []
    assert [(f.rule, how) for f, how in board.ended] == [("cpu-oversubscribed-openmp", "resolved")]


def test_without_load_a_finding_is_not_resolved():
    board = Board(longest_hold_seconds=30)
    say(board, fighting_pools(), 0)
    say(board, fighting_pools(), 2)
    board.update(fighting_pools().service, Judgement((), ()), view(healthy().workers, samples=3), at(400))
    assert rules(board, 400) == ["cpu-oversubscribed-openmp"]


def test_a_changed_lever_supersedes_at_once():
    board = Board()
    say(board, fighting_pools(), 0)
    say(board, fighting_pools(), 2)
    board.supersede(fighting_pools().service)
    assert rules(board, 3) == []
    assert [(f.rule, how) for f, how in board.ended] == [("cpu-oversubscribed-openmp", "superseded")]


def test_findings_of_a_service_that_is_gone_are_resolved():
    board = Board()
    say(board, fighting_pools(), 0)
    say(board, fighting_pools(), 2)
    board.keep_only([])
    assert rules(board, 3) == []
    assert board.ended[0][1] == "resolved"


def test_a_snooze_runs_out():
    board = Board()
    say(board, fighting_pools(), 0)
    say(board, fighting_pools(), 2)
    name = board.findings(at(2))[0].id
    assert board.acknowledge(name, Acknowledged("snoozed", "later", at(10).wall_ns))
    assert board.findings(at(5))[0].state == "snoozed"
    assert board.findings(at(11))[0].state == "open"
    assert board.acknowledge("0000", Acknowledged("acknowledged", "", None)) is False


def test_an_acknowledgement_outlives_a_restart():
    board = Board()
    say(board, fighting_pools(), 0)
    say(board, fighting_pools(), 2)
    again = Board()
    again.restore({board.findings(at(2))[0].id: Acknowledged("acknowledged", "known", None)})
    say(again, fighting_pools(), 100)
    say(again, fighting_pools(), 102)
    assert again.findings(at(102))[0].state == "acknowledged"


def test_an_acknowledgement_says_by_whom_why_and_until_when_and_is_reported_when_it_runs_out():
    board = Board()
    say(board, fighting_pools(), 0)
    say(board, fighting_pools(), 2)
    name = board.findings(at(2))[0].id
    entry = Acknowledged("acknowledged", "until the new node is there", at(60).wall_ns, "ada", at(3).wall_ns)
    assert board.acknowledge(name, entry)
    assert board.findings(at(4))[0].acknowledgement == Acknowledgement(
        state="acknowledged",
        reason="until the new node is there",
        owner="ada",
        at="2023-11-14T22:13:23Z",
        until="2023-11-14T22:14:20Z",
    )
    assert board.expired == []
    assert board.findings(at(61))[0].acknowledgement is None
    assert board.expired == [(name, entry)]


def test_only_an_open_finding_is_acknowledged_but_an_ended_one_is_still_taken_back():
    board = Board()
    say(board, fighting_pools(), 0)
    service = fighting_pools().service
    name = finding_id("cpu-oversubscribed-openmp", Subject(kind="service", name=service.name), service.id)
    entry = Acknowledged("acknowledged", "known", None)
    assert board.acknowledge(name, entry) is False
    say(board, fighting_pools(), 2)
    assert board.acknowledge(name, entry)
    board.keep_only([])
    assert board.acknowledge(name, entry) is False
    assert board.acknowledge(name, None)
    say(board, fighting_pools(), 10)
    say(board, fighting_pools(), 12)
    assert board.findings(at(12))[0].state == "open"
