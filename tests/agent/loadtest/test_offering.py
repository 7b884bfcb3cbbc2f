"""The schedule waits for nobody: what is slow is dropped or times out, and is told."""

import asyncio

from agent.loadtest.arrivals import arrivals
from agent.loadtest.offering import Clock, Offered, Plan, Watching, offer
from agent.loadtest.outcome import DROPPED, TIMEOUT, Outcome
from agent.loadtest.steadiness import has_settled, is_hopeless
from tests.agent.loadtest.simulated import run_jumping


def never(outcomes: list[Outcome], now: float) -> bool:
    return False


def always(outcomes: list[Outcome], now: float) -> bool:
    return True


def plan(rate: float = 10.0, **change: float) -> Plan:
    return Plan(
        due=arrivals(rate, "constant", 1),
        **{"seconds": 5.0, "most_seconds": 10.0, "most_requests": 1000, "most_in_flight": 8, "drain_seconds": 3.0, **change},
    )  # fmt: skip


def offered(chosen: Plan, answer_seconds, hopeless=never, steady=always) -> Offered:
    """`answer_seconds(planned)`: how long the answer to the request that was planned then takes."""

    async def send(outcome: Outcome, clock: Clock) -> None:
        outcome.sent = clock()
        await asyncio.sleep(answer_seconds(outcome.planned))
        outcome.ended = clock()

    return run_jumping(offer(chosen, send, Watching(chosen, hopeless, steady)))


def test_each_request_is_sent_when_it_is_due():
    found = offered(plan(), lambda due: 0.02)
    assert [one.planned for one in found.outcomes] == [n / 10 for n in range(50)]
    assert all(one.sent is not None and abs(one.sent - one.planned) < 0.005 for one in found.outcomes)
    assert all(one.answered and abs(one.latency(0.0) - 0.02) < 0.005 for one in found.outcomes)


def test_a_server_that_stalls_delays_nothing_and_what_is_beyond_the_bound_is_dropped():
    """From 1 s to 2.95 s nothing is answered; eight are under way, the others of that time are never sent."""
    found = offered(plan(), lambda due: max(0.02, 2.95 - due) if 1.0 <= due < 2.95 else 0.02)
    assert [one.planned for one in found.outcomes] == [n / 10 for n in range(50)]
    dropped = [one.planned for one in found.outcomes if one.failure == DROPPED]
    assert dropped == [n / 10 for n in range(18, 30)]
    waited = [one.latency(0.0) for one in found.outcomes if one.answered and 1.0 <= one.planned < 1.8]
    assert len(waited) == 8
    assert all(latency > 1.1 for latency in waited)


def test_what_does_not_end_within_the_drain_timed_out():
    found = offered(plan(most_in_flight=100), lambda due: 60.0 if due >= 4.5 else 0.02)
    late = [one for one in found.outcomes if one.planned >= 4.5]
    assert {one.failure for one in late} == {TIMEOUT}
    assert all(one.latency(0.0) >= 3.0 for one in late)


def test_it_ends_at_the_bound_of_requests():
    assert len(offered(plan(most_requests=7), lambda due: 0.02).outcomes) == 7


def test_an_unsteady_step_is_longer_and_a_hopeless_one_shorter():
    assert len(offered(plan(), lambda due: 0.02, steady=never).outcomes) == 100
    assert len(offered(plan(), lambda due: 0.02, hopeless=always).outcomes) == 30


def outcomes(*latencies: float) -> list[Outcome]:
    return [Outcome(planned=n / 10, sent=n / 10, ended=n / 10 + latency) for n, latency in enumerate(latencies)]


def test_a_step_has_settled_when_three_windows_are_alike_or_all_is_far_below_the_limit():
    alike = outcomes(*[0.080] * 20, *[0.084] * 10)
    rising = outcomes(*[0.060] * 10, *[0.070] * 10, *[0.080] * 10)
    assert has_settled(alike, 3.0, window_seconds=1.0, limit_seconds=0.1)
    assert not has_settled(rising, 3.0, window_seconds=1.0, limit_seconds=0.1)
    assert has_settled(rising, 3.0, window_seconds=1.0, limit_seconds=0.2)
    assert not has_settled(alike[:12], 3.0, window_seconds=1.0, limit_seconds=0.1)


def test_a_step_is_hopeless_once_too_many_of_all_its_requests_are_over():
    """Of 500 planned requests five may take long: six that already do decide it, also while they are under way."""
    under_way = [Outcome(planned=n / 100, sent=n / 100) for n in range(20)]
    assert not is_hopeless(under_way, 0.145, planned_requests=500, limit_seconds=0.1)
    assert is_hopeless(under_way, 0.155, planned_requests=500, limit_seconds=0.1)
    assert not is_hopeless(under_way[:3], 9.0, planned_requests=10, limit_seconds=0.1)
