"""A change is noticed, measured, and told beside what was promised."""

import pytest
from msgspec.structs import replace

from advisor.board import Board
from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.finding import Change, Finding
from advisor.ledger.configuration import LeverChange
from advisor.ledger.ledger import KEPT_DESKS, KEPT_UNTOLD, Ledger
from advisor.ledger.outcome import Outcome
from advisor.ledger.scores import scored
from advisor.trend import Trend
from collectors.levers import Lever, Value
from collectors.reading import Instant
from tests.advisor.built import facts, fighting_pools
from tests.advisor.ledger.built_trends import MINUTE_START, add

SERVICE = fighting_pools().service
BAD, GOOD = {"workers": 2, "compute_threads": "default"}, {"workers": 2, "compute_threads": 1}


def at(unix: float) -> Instant:
    return Instant(int((unix - MINUTE_START) * 1e9), int(unix * 1e9))


def found() -> tuple[Finding, ...]:
    board, seen = Board(), fighting_pools()
    for second in (0, 2):
        judgement = Engine(all_rules()).judge(seen, facts(seen, environ={}))
        board.update(seen.service, judgement, seen, at(MINUTE_START + second))
    return board.findings(at(MINUTE_START + 2))


FINDINGS = found()


class Story:
    """One service over time: stretches of load, looks of the ledger every five seconds."""

    def __init__(self) -> None:
        self.ledger, self.trend, self.end, self.service = Ledger(), Trend(), MINUTE_START, SERVICE
        self.changes: list[LeverChange] = []

    def run(self, count: int, levers: dict, findings: tuple[Finding, ...] = (), **fields: float | None) -> None:
        for _ in range(count):
            self.end = add(self.trend, 1, start=self.end, **fields)
            self.ledger.keep_only([self.service], at(self.end))
            self.changes += self.ledger.changed(self.service, levers, self.trend, at(self.end))
            self.ledger.look(self.service, findings, self.trend, at(self.end))

    def restart(self, seconds: float) -> None:
        """The service is away, and comes back with nothing remembered of its seconds."""
        self.ledger.keep_only([], at(self.end))
        self.end += seconds
        self.trend = Trend()

    @property
    def outcome(self) -> Outcome:
        return list(self.ledger.outcomes.values())[-1]


def test_threads_set_as_proposed_over_a_restart_are_named_measured_and_verified():
    story = Story()
    story.run(12, BAD, FINDINGS, opened_per_second=26.0)
    story.restart(12)
    story.run(4, GOOD, opened_per_second=150.0)
    assert [(c.lever, c.old, c.new) for c in story.changes] == [("compute_threads", "default", 1)]
    assert (story.outcome.state, story.outcome.final) == ("waiting", False)
    story.run(6, GOOD, opened_per_second=150.0)
    assert (story.outcome.state, story.outcome.final, story.outcome.stable) == ("verified", False, True)
    story.run(10, GOOD, opened_per_second=150.0)
    outcome = story.outcome
    assert (outcome.state, outcome.final) == ("verified", True)
    assert [(p.rule, p.as_proposed) for p in outcome.promises] == [("cpu-oversubscribed-openmp", True)]
    throughput = next(m for m in outcome.measured if m.metric == "throughput_ratio")
    assert 5.6 < throughput.ratio < 5.9
    promised = next(g for g in outcome.promises[0].gains if g.metric == "throughput_ratio")
    assert outcome.covered["throughput_ratio"] == (promised.p10 <= throughput.ratio <= promised.p90)


def test_at_another_port_what_was_before_is_still_known():
    story = Story()
    story.run(12, BAD, FINDINGS, opened_per_second=26.0)
    story.restart(12)
    story.service = replace(SERVICE, id="other", port=9000)
    story.run(16, GOOD, opened_per_second=150.0)
    assert (story.outcome.state, story.outcome.service_id) == ("verified", "other")


def test_in_place_what_was_before_the_first_sight_of_the_change_is_before():
    story = Story()
    story.run(12, BAD, FINDINGS, opened_per_second=26.0)
    story.run(16, GOOD, opened_per_second=26.0)
    assert story.outcome.state == "refuted"
    assert story.outcome.rollback == (LeverChange(lever="compute_threads", old=1, new="default"),)


def test_a_change_that_nobody_advised_is_measured_all_the_same():
    story = Story()
    story.run(12, BAD, opened_per_second=26.0)
    story.run(16, {**BAD, "workers": 3}, opened_per_second=39.0)
    assert story.outcome.promises == ()
    assert story.outcome.state == "unclear"
    assert "nobody had advised it; throughput × 1.50" in story.outcome.because


def test_a_change_the_other_way_is_not_what_was_asked_for():
    story = Story()
    story.run(12, {**BAD, "compute_threads": 2}, FINDINGS, opened_per_second=26.0)
    story.run(16, {**BAD, "compute_threads": 4}, opened_per_second=13.0)
    assert story.outcome.promises == ()


@pytest.mark.parametrize(("proposed", "new"), [(1.0, 2.0), (1.0, "none"), (None, "none"), (None, 2.0)])
def test_a_quota_that_is_raised_or_taken_away_is_what_was_asked_for(proposed: Value, new: Value):
    (asked, *_) = FINDINGS
    change = Change(lever=Lever.CPU_QUOTA, current=0.5, proposed=proposed)
    story = Story()
    story.run(12, {"cpu_quota": 0.5}, (replace(asked, changes=(change,)),), opened_per_second=26.0)
    story.run(16, {"cpu_quota": new}, opened_per_second=150.0)
    assert [(p.rule, p.as_proposed) for p in story.outcome.promises] == [
        (asked.rule, proposed is None and new == "none")
    ]
    back = Story()
    back.run(12, {"cpu_quota": 0.5}, (replace(asked, changes=(change,)),), opened_per_second=26.0)
    back.run(16, {"cpu_quota": 0.25}, opened_per_second=26.0)
    assert back.outcome.promises == ()


def test_without_load_before_it_cannot_be_told():
    story = Story()
    story.run(12, BAD, FINDINGS, loaded_seconds=0.0)
    story.run(20, GOOD, opened_per_second=150.0)
    assert (story.outcome.state, story.outcome.because) == ("unclear", "no load was seen before the change")


def test_without_load_afterwards_it_waits_and_after_a_day_it_is_unclear():
    story = Story()
    story.run(12, BAD, FINDINGS, opened_per_second=26.0)
    story.run(4, GOOD, loaded_seconds=0.0)
    assert story.outcome.state == "waiting"
    story.end += 86400
    story.run(2, GOOD, loaded_seconds=0.0)
    assert (story.outcome.state, story.outcome.because) == ("unclear", "no load came within a day")


def test_a_second_change_closes_the_first():
    story = Story()
    story.run(12, BAD, FINDINGS, opened_per_second=26.0)
    story.run(4, GOOD, opened_per_second=150.0)
    story.run(4, {**GOOD, "workers": 1}, opened_per_second=150.0)
    first, second = story.ledger.outcomes.values()
    assert (first.state, first.final) == ("unclear", True)
    assert "changed again" in first.because
    assert second.changes[0].lever == "workers"


def test_by_hand_it_measures_what_no_lever_shows():
    story = Story()
    assert story.ledger.verify(FINDINGS[0].id, at(story.end)) is None
    story.run(12, BAD, FINDINGS, opened_per_second=26.0)
    begun = story.ledger.verify(FINDINGS[0].id, at(story.end))
    assert begun is not None
    assert (begun.by_hand, begun.state) == (True, "waiting")
    story.run(16, BAD, opened_per_second=104.0)
    assert story.outcome.id == begun.id
    assert (story.outcome.state, story.outcome.final) == ("verified", True)


def test_by_hand_it_goes_on_where_the_service_came_back_at_another_port():
    story = Story()
    story.run(12, BAD, FINDINGS, opened_per_second=26.0)
    story.restart(12)
    assert story.ledger.verify(FINDINGS[0].id, at(story.end)) is not None
    story.service = replace(SERVICE, id="other", port=9000)
    story.run(16, BAD, opened_per_second=104.0)
    assert (story.outcome.state, story.outcome.by_hand, len(story.ledger.outcomes)) == ("verified", True, 1)


def test_the_ledger_outlives_a_restart_of_the_agent_and_teaches_later_intervals():
    story = Story()
    story.run(12, BAD, FINDINGS, opened_per_second=26.0)
    story.run(16, GOOD, opened_per_second=150.0)
    done = story.outcome
    open_one = replace(done, id="open", final=False, state="waiting", measured=(), measured_at=None)
    later = Ledger()
    later.restore([*(replace(done, id=str(n)) for n in range(5)), open_one])
    ended = later.outcomes["open"]
    assert (ended.state, ended.because) == ("unclear", "the agent was restarted while it was being measured")
    assert later.news == [ended]
    assert later.calibration.factor("cpu-oversubscribed-openmp", "throughput_ratio") != 1.0


def test_threads_that_were_changed_tell_how_throughput_grows_with_them():
    story = Story()
    story.run(12, {**BAD, "compute_threads": 2}, opened_per_second=30.0)
    story.run(16, {**BAD, "compute_threads": 4}, opened_per_second=30.0)
    assert story.ledger.thread_elasticity(SERVICE) == pytest.approx(0.0, abs=0.02)


def test_a_second_change_is_not_compared_with_what_was_before_the_first():
    story = Story()
    story.run(12, BAD, FINDINGS, opened_per_second=26.0)
    story.run(3, GOOD, opened_per_second=150.0)
    story.run(16, {**GOOD, "workers": 3}, opened_per_second=150.0)
    assert story.outcome.changes[0].lever == "workers"
    assert story.outcome.because == "no load was seen between the change before and this one"
    story.run(16, {**GOOD, "workers": 4}, opened_per_second=300.0)
    assert next(m for m in story.outcome.measured if m.metric == "throughput_ratio").ratio == pytest.approx(2, rel=0.01)


def test_a_change_that_is_undone_at_once_teaches_nothing():
    story = Story()
    story.run(12, {**BAD, "compute_threads": 2}, opened_per_second=26.0)
    story.run(3, {**BAD, "compute_threads": 4}, opened_per_second=26.0)
    story.run(16, {**BAD, "compute_threads": 2}, opened_per_second=26.0)
    assert [one.state for one in story.ledger.outcomes.values()] == ["unclear", "unclear"]
    assert scored(story.ledger.outcomes.values()) == []


def test_what_was_before_a_restart_of_the_agent_and_before_the_last_change_is_not_before_the_next():
    story = Story()
    story.run(12, BAD, FINDINGS, opened_per_second=26.0)
    story.run(3, GOOD, opened_per_second=150.0)
    later, known = Ledger(), story.ledger.watch.remember()
    later.watch.recall(known)
    later.restore(story.ledger.outcomes.values())
    story.ledger = later
    story.run(3, {**GOOD, "workers": 3}, opened_per_second=150.0)
    assert story.outcome.because == "no load was seen between the change before and this one"


def test_what_came_of_two_levers_is_not_told_as_that_of_one():
    story = Story()
    story.run(12, BAD, FINDINGS, opened_per_second=26.0)
    story.run(16, {**GOOD, "workers": 4}, opened_per_second=150.0)
    outcome = story.outcome
    assert (outcome.state, outcome.final, outcome.beside) == ("unclear", True, ("workers",))
    assert outcome.because.endswith("but changed as well: workers")
    assert [p.rule for p in outcome.promises] == ["cpu-oversubscribed-openmp"]
    assert scored([outcome]) == []


def test_one_that_comes_back_beside_its_successor_keeps_what_is_known_of_it():
    """Blue and green: one leaves, another takes its place, and the first is started again."""
    green = replace(SERVICE, id="green", port=9000)
    blue, story = Trend(), Story()
    story.run(12, BAD, FINDINGS, opened_per_second=26.0)
    story.restart(12)
    story.service = green
    story.run(2, BAD, opened_per_second=26.0)
    ledger, end = story.ledger, story.end
    for position in range(12):
        end = add(blue, 1, start=end, opened_per_second=26.0)
        ledger.keep_only([SERVICE, green], at(end))
        for service, trend in ((SERVICE, blue), (green, story.trend)):
            ledger.changed(service, GOOD if service is SERVICE and position > 9 else BAD, trend, at(end))
            ledger.look(service, FINDINGS if service is SERVICE else (), trend, at(end))
    (outcome,) = ledger.outcomes.values()
    assert (outcome.service_id, outcome.because) == (SERVICE.id, "waits for load after the change")
    assert [p.rule for p in outcome.promises] == ["cpu-oversubscribed-openmp"]


def test_by_hand_what_was_noticed_already_is_not_begun_again():
    story = Story()
    story.run(12, BAD, FINDINGS, opened_per_second=26.0)
    story.run(2, GOOD, opened_per_second=150.0)
    assert story.ledger.verify(FINDINGS[0].id, at(story.end)) == story.outcome
    assert len(story.ledger.outcomes) == 1


def test_levers_that_something_else_turns_all_day_fill_nothing():
    story = Story()
    story.run(12, BAD, FINDINGS, opened_per_second=26.0)
    story.run(16, GOOD, opened_per_second=150.0)
    kept = story.outcome
    versions = {f"model {number}": "0" for number in range(10)}
    for minute in range(60):
        versions = {**versions, f"model {minute % 10}": str(minute)}
        story.run(2, {**GOOD, **versions}, opened_per_second=150.0)
    assert len(story.ledger.outcomes) <= KEPT_UNTOLD + 2
    assert kept.id in story.ledger.outcomes
    assert len(story.ledger.dropped) >= 50 - KEPT_UNTOLD - 2


def test_services_that_come_and_go_are_not_all_remembered():
    ledger = Ledger()
    for number in range(KEPT_DESKS + 50):
        service, now = replace(SERVICE, id=str(number), application=str(number)), at(MINUTE_START + number)
        ledger.changed(service, BAD, Trend(), now)
        ledger.keep_only([service], now)
    assert len(ledger.watch.names()) == KEPT_DESKS
    ledger.changed(replace(SERVICE, id="349", application="349"), GOOD, Trend(), at(MINUTE_START + 400))
    assert ledger.changed(replace(SERVICE, id="349", application="349"), GOOD, Trend(), at(MINUTE_START + 405)) != ()


def test_it_waits_for_the_rate_of_connections_that_are_looked_at_rarely():
    story = Story()
    story.run(12, BAD, FINDINGS, opened_per_second=26.0)
    story.run(16, GOOD, opened_per_second=None)
    assert not story.outcome.final
    story.run(3, GOOD, opened_per_second=150.0)
    assert (story.outcome.state, story.outcome.final) == ("verified", True)


def test_what_is_looked_at_rarely_and_tells_nothing_ends_all_the_same():
    story = Story()
    story.run(12, BAD, FINDINGS, opened_per_second=26.0)
    story.run(40, GOOD, opened_per_second=None)
    assert (story.outcome.state, story.outcome.final) == ("unclear", True)


@pytest.mark.parametrize("factor", [2.0, 0.5])
def test_clients_that_ask_for_more_or_less_from_then_on_verify_and_refute_nothing(factor):
    story, load = Story(), {"opened_per_second": 26.0, "established": 2.0, "demand": 0.6}
    story.run(12, BAD, FINDINGS, **load)
    story.run(16, GOOD, **{name: value * factor for name, value in load.items()})
    assert (story.outcome.state, story.outcome.final) == ("unclear", True)
    assert "nothing that was promised could be compared" in story.outcome.because
    assert scored([story.outcome]) == []


def test_a_clock_that_is_set_back_after_a_change_makes_nothing_of_it():
    story = Story()
    story.run(12, BAD, FINDINGS, opened_per_second=26.0)
    story.run(2, GOOD, opened_per_second=26.0)
    story.end -= 3600
    story.run(30, GOOD, opened_per_second=26.0)
    assert (story.outcome.state, story.outcome.measured) == ("waiting", ())
