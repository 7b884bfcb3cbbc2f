"""A step says what was answered, how long it took from the planned instants on, and which limit was not kept."""

from dataclasses import replace

import pytest

from agent.loadtest.outcome import DROPPED, TIMEOUT, Outcome
from agent.loadtest.step import Limits, step_of
from tests.agent.loadtest.simulated import EFFORT, queue_outcomes, queue_step

LIMITS = Limits(latency_p99=0.1, spread=0.02, late_p99=0.01)


def test_below_its_capacity_a_queue_keeps_up():
    step = queue_step(40.0, LIMITS, service_seconds=0.02)
    assert (step.verdict, step.because, step.requests, step.answered) == ("kept up", "", 400, 400)
    assert step.answered_per_second == pytest.approx(40.0)
    assert step.latency_p50_seconds == pytest.approx(0.02)
    assert step.latency_p99_seconds == pytest.approx(0.02)
    assert step.failures == {}


def test_above_it_what_was_answered_is_the_capacity_and_latencies_grow():
    step = queue_step(100.0, LIMITS, service_seconds=0.02)
    assert step.verdict == "fell behind"
    assert step.answered_per_second == pytest.approx(50.0, rel=0.01)
    assert step.latency_p99_seconds == pytest.approx(9.9, abs=0.1)
    assert step.because.startswith("50% of the rate was answered; p99 of 9.9")


def test_a_stall_is_in_the_latencies_of_all_that_were_due_meanwhile():
    """A closed loop would have sent nothing during the stall: one slow request of four hundred."""
    step = queue_step(40.0, LIMITS, service_seconds=0.02, stall_at=5.0, stall_seconds=1.0)
    slow = [one for one in queue_outcomes(40.0, 10.0, service_seconds=0.02, stall_at=5.0, stall_seconds=1.0)
            if one.latency(0.0) > 0.1]  # fmt: skip
    assert len(slow) > 100
    assert step.latency_p99_seconds == pytest.approx(0.98, abs=0.05)
    assert step.verdict == "fell behind"


@pytest.mark.parametrize(
    ("failure", "text"), [("HTTP 503", "2.0% were not answered (8 HTTP 503)"), (DROPPED, "(8 dropped)")]
)
def test_more_than_one_in_a_hundred_that_fail_are_too_many(failure, text):
    outcomes = queue_outcomes(40.0, 10.0, service_seconds=0.02)
    spoilt = [replace(one, failure=failure) if n % 50 == 0 else one for n, one in enumerate(outcomes)]
    step = step_of(40.0, spoilt, EFFORT, LIMITS)
    assert (step.verdict, step.failed_ratio, step.failures) == ("fell behind", 0.02, {failure: 8})
    assert text in step.because
    few = [replace(one, failure=failure) if n % 101 == 0 else one for n, one in enumerate(outcomes)]
    assert step_of(40.0, few, EFFORT, LIMITS).verdict == "kept up"


def test_what_timed_out_counts_with_the_time_waited():
    outcomes = queue_outcomes(40.0, 10.0, service_seconds=0.02)
    for one in outcomes[-4:]:
        one.ended, one.failure = one.planned + 5.0, TIMEOUT
    step = step_of(40.0, outcomes, EFFORT, LIMITS)
    assert step.failed_ratio == 0.01
    assert step.latency_p99_seconds == pytest.approx(0.02)
    outcomes[-5].ended, outcomes[-5].failure = outcomes[-5].planned + 5.0, TIMEOUT
    assert step_of(40.0, outcomes, EFFORT, LIMITS).latency_p99_seconds == pytest.approx(5.0)


def test_a_generator_that_was_late_explains_latencies_but_not_what_was_not_answered():
    late = queue_outcomes(40.0, 10.0, service_seconds=0.02)
    for one in late[200:220]:
        one.sent, one.ended = one.planned + 0.3, one.planned + 0.32
    step = step_of(40.0, late, EFFORT, LIMITS)
    assert step.verdict == "generator saturated"
    assert "p99 of 300 ms late when sent is over 10 ms" in step.because
    behind = queue_outcomes(100.0, 10.0, service_seconds=0.02)
    for one in behind[200:220]:
        one.sent = one.planned + 0.3
    assert step_of(100.0, behind, EFFORT, LIMITS).verdict == "fell behind"


def test_latencies_that_differ_by_themselves_are_no_lost_rate():
    """Ten requests of 1 to 3 s: their answers take longer than the requests did, by chance."""
    outcomes = [Outcome(planned=n / 2, sent=n / 2, ended=n / 2 + 1 + 2 * (n == 9)) for n in range(10)]
    assert step_of(2.0, outcomes, EFFORT, Limits(latency_p99=5.0, spread=2.0)).verdict == "kept up"
    assert step_of(2.0, outcomes, EFFORT, Limits(latency_p99=5.0, spread=0.5)).verdict == "fell behind"


def test_streamed_answers_have_a_first_token_and_gaps_with_a_limit_of_their_own():
    outcomes = [
        Outcome(n / 10, n / 10, n / 10 + 1.0, first_token=n / 10 + 0.2, last_token=n / 10 + 1.0, tokens=9)
        for n in range(100)
    ]
    step = step_of(10.0, outcomes, EFFORT, Limits(latency_p99=2.0, first_token_p99=0.3))
    assert step.verdict == "kept up"
    assert step.first_token_p50_seconds == pytest.approx(0.2)
    assert step.between_tokens_p99_seconds == pytest.approx(0.1)
    assert step.tokens_per_second == pytest.approx(90.0)
    slow = step_of(10.0, outcomes, EFFORT, Limits(latency_p99=2.0, first_token_p99=0.1))
    assert slow.because == "p99 of the first token of 200 ms is over 100 ms"


def test_nothing_answered_is_nothing_measured():
    outcomes = [Outcome(n / 10, n / 10, n / 10 + 0.01, failure="not connected") for n in range(20)]
    step = step_of(10.0, outcomes, EFFORT, LIMITS)
    assert (step.verdict, step.answered_per_second, step.latency_p99_seconds) == ("fell behind", 0.0, None)
