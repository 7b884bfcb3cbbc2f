"""The knee of queues whose capacity is known is found, and named with the interval in which it lies."""

from collections.abc import Callable

import msgspec
import pytest

from agent.loadtest.knee import KneeSearch
from agent.loadtest.step import Limits, Step
from tests.agent.loadtest.simulated import queue_step


def search(most: float, start: float, measure: Callable[[float], Step]) -> tuple[KneeSearch, list[float]]:
    found, rates = KneeSearch(start, most), []
    while not found.done:
        rates.append(found.rate)
        found.take(measure(found.rate))
        assert len(rates) < 40
    return found, rates


def limits(service_seconds: float) -> Limits:
    return Limits(latency_p99=max(0.02, 5 * service_seconds), spread=service_seconds)


@pytest.mark.parametrize(("service_seconds", "servers"), [(0.02, 1), (0.02, 4), (0.001, 1), (1.3, 1), (0.3, 16)])
def test_it_lies_within_a_tenth_of_what_the_servers_can_do(service_seconds, servers):
    capacity = servers / service_seconds
    seconds = max(10.0, 40 / capacity, 5 * service_seconds)
    found, rates = search(
        5000.0, 0.5 / service_seconds,
        lambda rate: queue_step(rate, limits(service_seconds), seconds, service_seconds=service_seconds, servers=servers),
    )  # fmt: skip
    assert 0.9 * capacity <= found.good <= 1.1 * capacity
    assert found.good < found.bad <= found.good * 1.1
    assert len(rates) <= 12


def test_with_poisson_arrivals_it_is_where_the_tail_of_an_md1_queue_reaches_the_limit():
    found, _ = search(
        500.0, 25.0, lambda rate: queue_step(rate, limits(0.02), 60.0, service_seconds=0.02, pattern="poisson")
    )
    assert found.good < 45.0
    tails = [
        queue_step(rate, limits(0.02), 2000.0, service_seconds=0.02, pattern="poisson", seed=99).latency_p99_seconds
        for rate in (found.good * 0.9, found.bad * 1.1)
    ]
    assert tails[0] < 0.1 < tails[1]


def test_a_service_that_keeps_up_with_all_has_a_lower_bound_only():
    found, rates = search(300.0, 25.0, lambda rate: queue_step(rate, limits(0.001), service_seconds=0.001))
    assert (found.good, found.bad) == (300.0, None)
    assert rates == [25.0, 50.0, 100.0, 200.0, 300.0]


def test_a_moments_trouble_does_not_lower_it():
    """The node stalls for 300 ms the first time that 40/s are offered."""
    seen = []

    def measure(rate: float) -> Step:
        seen.append(rate)
        stall = 0.3 if seen.count(40.0) == 1 and rate == 40.0 else 0.0
        return queue_step(rate, limits(0.02), service_seconds=0.02, stall_at=5.0, stall_seconds=stall)

    found, rates = search(500.0, 20.0, measure)
    assert rates[:3] == [20.0, 40.0, 40.0]
    assert 45.0 <= found.good <= 50.0


def test_where_the_generator_gives_out_nothing_is_said_of_the_service():
    def measure(rate: float) -> Step:
        step = queue_step(rate, limits(0.001), 1.0, service_seconds=0.001)
        return step if rate <= 100 else msgspec.structs.replace(step, verdict="generator saturated", because="late")

    found, _ = search(5000.0, 25.0, measure)
    assert found.bad is None
    assert 90 < found.good <= 100
    assert found.saturated == pytest.approx(found.good, rel=0.1)


def test_it_looks_further_down_where_the_first_rate_is_too_much_and_gives_up_at_last():
    found, _ = search(500.0, 400.0, lambda rate: queue_step(rate, limits(0.02), service_seconds=0.02))
    assert 45.0 <= found.good <= 50.0
    broken, rates = search(
        500.0, 400.0,
        lambda rate: msgspec.structs.replace(
            queue_step(rate, limits(0.02), service_seconds=0.02), verdict="fell behind", answered_per_second=0.0
        ),
    )  # fmt: skip
    assert (broken.good, broken.bad) == (None, rates[-1])
    assert len(rates) == 5
