"""R12 on built hosts."""

import pytest

from advisor.finding import Need
from advisor.rules.cgroup_cpu_throttled import CgroupCpuThrottled
from tests.advisor.built import (
    concluded,
    gains,
    healthy,
    noisy_neighbour,
    numbers,
    quota,
    throttled_bursts,
    verdict,
    view,
)

RULE = CgroupCpuThrottled()


def test_bursts_against_half_a_core_get_the_cores_that_they_use_at_once():
    found = concluded(RULE, throttled_bursts())
    assert numbers(found)["throttled_ratio"] == pytest.approx(27 / 65, abs=1e-4)
    assert numbers(found)["throttled_seconds_per_second"] == pytest.approx(3.76 / 15, abs=1e-4)
    assert [(c.lever, c.current, c.proposed, c.restart) for c in found.changes] == [("cpu_quota", 0.5, 2.0, False)]


def test_the_gain_is_the_time_that_the_bursts_need_without_the_quota():
    """27 throttled periods of 0.1 s, then 2.55 - 1.35 s of CPU time on two threads; 2.55 s on two threads without."""
    tail = gains(concluded(RULE, throttled_bursts()))["latency_p99_ratio"]
    spent, elapsed = 0.17 * 15, 2.7 + (0.17 * 15 - 1.35) / 2
    assert tail[0] == pytest.approx(0.7 * spent / 2 / elapsed, abs=0.01)
    assert tail[1] == pytest.approx(0.95 * spent / 2 / elapsed, abs=0.01)
    assert tail[2] == pytest.approx(spent / elapsed, abs=0.01)


def test_more_throttling_promises_more():
    seen = throttled_bursts()
    worse = view(seen.workers, cgroup=quota(0.5, throttled=50, periods=65, seconds=8))
    assert gains(concluded(RULE, worse))["latency_p99_ratio"][1] < gains(concluded(RULE, seen))["latency_p99_ratio"][1]


def test_a_use_far_below_the_quota_promises_no_throughput():
    assert gains(concluded(RULE, throttled_bursts()))["throughput_ratio"][1] == 1.0


def test_a_use_at_the_quota_promises_throughput():
    seen = throttled_bursts()
    tight = view(seen.workers, cgroup=quota(0.17, throttled=60, periods=100, seconds=8))
    assert gains(concluded(RULE, tight))["throughput_ratio"][1] > 1.3


def test_throttling_in_a_fifth_of_the_periods_just_misses():
    assert verdict(RULE, view(throttled_bursts().workers, cgroup=quota(0.5, throttled=20))) is None


def test_too_few_periods_are_not_enough_to_tell():
    need = verdict(RULE, view(throttled_bursts().workers, cgroup=quota(0.5, throttled=4, periods=8)))
    assert isinstance(need, Need)
    assert need.kind == "load"


def test_no_quota_no_verdict():
    assert verdict(RULE, view(throttled_bursts().workers, cgroup=quota(None, throttled=0, periods=0))) is None


@pytest.mark.parametrize("host", [healthy, noisy_neighbour])
def test_look_alikes_are_not_taken_for_it(host):
    assert verdict(RULE, host()) is None
