"""R20 on built hosts: a server whose own metrics show that more requests in progress get less done."""

from collections.abc import Callable, Iterable

import msgspec
import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.facts import ServiceFacts
from advisor.rules.scaling_knee_passed import ScalingKneePassed
from advisor.view import Load, View
from collectors.levers import Lever, Setting
from tests.advisor.built import concluded, facts, gains, numbers, thread, verdict, view, worker

RULE = ScalingKneePassed()
PEAK = (0.95 / 0.005) ** 0.5


def law(n: float) -> float:
    return 50 * n / (1 + 0.05 * (n - 1) + 0.005 * n * (n - 1))


def seen_at(
    levels: Iterable[float], of: Callable[[float], float] = law, *, scatter: float = 0.01, workers: int = 2
) -> View:
    """A service that was seen four times at each of these loads, the last of which is the present one."""
    loads = [Load(n, of(n) * (1 + sign * scatter)) for n in levels for sign in (-1, 1, -1, 1)]
    busy = [worker(101 + i, [thread(101 + i, 0.6 / workers, 0.04 / workers)]) for i in range(workers)]
    return msgspec.structs.replace(view(busy), loads=tuple(loads), requests_per_second=loads[-1].per_second)


def set_to(seen: View, **levers: int | None) -> ServiceFacts:
    settings = tuple(Setting(lever=Lever(name), value=value, origin="default") for name, value in levers.items())
    return msgspec.structs.replace(facts(seen, environ={}), settings=settings)


LEVELS = (2, 4, 8, 16, 40)


def test_forty_requests_in_progress_past_a_knee_at_fourteen():
    seen = seen_at(LEVELS)
    found = concluded(RULE, seen, set_to(seen, request_threads=20))
    shown = numbers(found)
    assert shown["requests_in_progress"] == 40
    assert shown["load_levels"] == 5
    assert (shown["usl_alpha"], shown["usl_beta"]) == pytest.approx((0.05, 0.005), rel=0.05)
    assert found.evidence[0].threshold == pytest.approx(PEAK, rel=0.02)
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("request_threads", 20, 6)]


def test_the_gain_is_the_laws_with_the_interval_of_the_resamples():
    seen = seen_at(LEVELS)
    low, likely, high = gains(concluded(RULE, seen))["throughput_ratio"]
    assert likely == pytest.approx(law(PEAK) / law(40), rel=0.02)
    assert low <= likely <= high
    assert low > 1.3
    wide = gains(concluded(RULE, seen_at(LEVELS, scatter=0.04)))["throughput_ratio"]
    assert wide[2] - wide[0] > high - low


def test_workers_of_one_thread_are_made_fewer_and_give_memory_back():
    seen = seen_at(LEVELS, workers=40)
    found = concluded(RULE, seen, set_to(seen, request_threads=1))
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("workers", 40, 13)]
    assert gains(found)["memory_ratio"][1] == pytest.approx(13 / 40)


def test_workers_of_two_pools_are_made_fewer_in_each():
    seen = seen_at(LEVELS, workers=40)
    pooled = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, framework="mlserver"))
    found = concluded(RULE, pooled, set_to(pooled, request_threads=1, workers=20))
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("workers", 20, 7)]
    assert gains(found)["memory_ratio"][1] == pytest.approx(14 / 40)


def test_a_limit_of_requests_is_set_for_each_worker_and_without_any_lever_the_clients_are_held():
    seen = seen_at(LEVELS)
    limited = concluded(RULE, seen, set_to(seen, max_requests_in_flight=1000))
    assert [(c.lever, c.proposed) for c in limited.changes] == [("max_requests_in_flight", 6)]
    bare = concluded(RULE, seen)
    assert bare.changes == ()
    assert "hold the clients or the balancer to 13" in bare.summary


def test_three_levels_of_load_say_nothing():
    assert verdict(RULE, seen_at((4, 8, 40))) is None
    once = seen_at(LEVELS)
    assert verdict(RULE, msgspec.structs.replace(once, loads=once.loads[::4])) is None


def test_no_metrics_say_nothing():
    assert verdict(RULE, msgspec.structs.replace(seen_at(LEVELS), loads=())) is None
    assert verdict(RULE, msgspec.structs.replace(seen_at(LEVELS), requests_per_second=None)) is None


def test_a_load_below_the_knee_says_nothing():
    assert verdict(RULE, seen_at((2, 3, 5, 8, 12))) is None
    assert verdict(RULE, seen_at((40, 16, 4, 2, 8))) is None  # it was past the knee, and is not now


def test_throughput_that_only_levels_off_has_no_knee():
    assert verdict(RULE, seen_at(LEVELS, lambda n: 50 * n / (1 + 0.3 * (n - 1)))) is None


def test_a_loss_that_the_scatter_explains_says_nothing():
    assert verdict(RULE, seen_at((2, 4, 8, 14, 18), scatter=0.1)) is None


def test_points_that_follow_no_law_say_nothing():
    mixed = {2: 100.0, 4: 60.0, 8: 300.0, 16: 90.0, 40: 200.0}  # as payloads of several sizes give
    assert verdict(RULE, seen_at(LEVELS, lambda n: mixed[int(n)])) is None


def test_waiting_for_a_core_fakes_a_knee():
    seen = seen_at(LEVELS)
    fighting = [worker(k, [thread(k, 0.3, 0.4)]) for k in (101, 102)]
    assert verdict(RULE, msgspec.structs.replace(seen, workers=tuple(fighting))) is None


def test_oversubscription_takes_its_place_among_all_rules():
    seen = seen_at(LEVELS)
    found = Engine(all_rules()).judge(seen, set_to(seen, request_threads=20))
    assert "scaling-knee-passed" in [j.rule for j in found.judged]
    assert found.broken == ()
    assert set(RULE.yields_to) >= {"cpu-oversubscribed-openmp", "cgroup-cpu-throttled", "cpu-noisy-neighbour"}
