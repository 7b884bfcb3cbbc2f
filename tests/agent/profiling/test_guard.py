"""A service that gets slower while it is looked into is left alone."""

import pytest

from agent.profiling.guard import FIRST_REST_SECONDS, LAST_REST_SECONDS, Guard
from tests.agent.profiling.scenes import scene


def begun(**before) -> Guard:
    guard = Guard()
    guard.begin(scene(**before))
    return guard


@pytest.mark.parametrize(
    ("before", "now", "because"),
    [
        ({"latency": 0.020}, {"latency": 0.031}, "its latency rose from 20.0 to 31.0 ms while it was profiled"),
        ({"queue": 2.0}, {"queue": 8.0}, "its queue grew from 2 to 8 while it was profiled"),
    ],
)
def test_more_latency_or_a_longer_queue_ends_it(before, now, because):
    assert begun(**before).hurts(scene(**now), 10.0) == because


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({"latency": 0.020}, {"latency": 0.029}),
        ({"latency": 0.001}, {"latency": 0.004}),  # thrice as long, and still nothing that anybody feels
        ({"queue": 2.0}, {"queue": 6.0}),
        ({"queue": 40.0}, {"queue": 60.0}),
        ({"latency": None}, {"latency": 0.5}),
        ({"latency": 0.5}, {"latency": None}),
    ],
)
def test_noise_does_not(before, now):
    assert begun(**before).hurts(scene(**now), 10.0) is None


def test_each_time_it_rests_twice_as_long():
    guard = Guard()
    now, rests = 0.0, []
    for _ in range(6):
        guard.begin(scene(queue=0.0))
        assert guard.hurts(scene(queue=50.0), now)
        rest = guard.rests("id-app", now)
        rests.append(rest.seconds)
        assert guard.rests("id-app", now + rest.seconds - 1)
        now += rest.seconds
        assert guard.rests("id-app", now) is None
    assert rests[:3] == [FIRST_REST_SECONDS, 2 * FIRST_REST_SECONDS, 4 * FIRST_REST_SECONDS]
    assert rests[-1] == LAST_REST_SECONDS
    assert guard.count == 6


def test_only_a_service_that_is_looked_into_is_watched():
    guard = begun(queue=0.0)
    guard.end("id-app")
    assert guard.hurts(scene(queue=50.0), 1.0) is None
    assert guard.resting(1.0) == {}


def test_a_load_that_only_begins_is_not_taken_for_our_doing():
    guard = begun(queue=0.0, loaded=6)
    assert guard.hurts(scene(queue=50.0), 1.0) is None
    assert guard.count == 0
