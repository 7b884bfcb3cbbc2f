"""What profiling may cost is held, per worker and per node."""

import pytest

from agent.profiling.budget import ProfilingBudget
from tests.agent.profiling.scenes import key


def spend(budget, now, pid=101, cpu=0.4, stopped=0.0, seconds=4.0, asked=True, probe=False):
    budget.spend(now, key(pid), cpu=cpu, stopped=stopped, seconds=seconds, asked=asked, probe=probe)


def test_a_worker_gives_one_percent_of_a_core_over_a_minute():
    budget = ProfilingBudget(0.005, 0.01)
    assert budget.burst_seconds(0.0, key(101), 4.0) == 4.0
    spend(budget, 4.0, cpu=0.5)
    assert budget.worker_ratio(10.0, key(101)) == pytest.approx(0.5 / 60)
    assert budget.burst_seconds(10.0, key(101), 4.0) == 0.0
    assert budget.burst_seconds(10.0, key(102), 4.0) == 4.0
    assert budget.burst_seconds(65.0, key(101), 4.0) == 4.0


def test_a_burst_is_shortened_to_what_is_left_but_never_to_less_than_half():
    budget = ProfilingBudget(0.005, 0.01)
    spend(budget, 0.0, cpu=0.25, seconds=2.0)
    left = budget.burst_seconds(1.0, key(101), 4.0)
    assert 2.0 <= left < 4.0
    spend(budget, 2.0, cpu=0.2, seconds=2.0)
    assert budget.burst_seconds(3.0, key(101), 4.0) == 0.0


def test_time_for_which_a_worker_stood_still_counts_like_cpu():
    budget = ProfilingBudget(0.005, 0.01)
    spend(budget, 0.0, cpu=0.1, stopped=0.6)
    assert budget.worker_ratio(1.0, key(101)) == pytest.approx(0.7 / 60)
    assert (budget.cpu_seconds, budget.stopped_seconds) == (0.1, 0.6)


def test_the_steady_state_is_what_nobody_asked_for():
    budget = ProfilingBudget(0.005, 0.01)
    spend(budget, 0.0, cpu=2.0, asked=True)
    assert budget.may_renew(1.0)
    spend(budget, 1.0, cpu=3.1, asked=False)
    assert budget.node_ratio(2.0) == pytest.approx(3.1 / 600)
    assert not budget.may_renew(2.0)
    assert budget.may_renew(602.0)


def test_probes_keep_the_distance_that_their_measured_cost_asks_for():
    budget = ProfilingBudget(0.005, 0.01)
    for moment in range(40):
        spend(budget, float(moment), pid=moment, cpu=0.06, seconds=0.05, asked=False, probe=True)
    assert budget.probe_seconds_apart() == pytest.approx(0.06 / 0.003, rel=0.05)
    gaps = [budget.jittered_gap() for _ in range(200)]
    assert min(gaps) < 0.7 * budget.probe_seconds_apart() < 1.3 * budget.probe_seconds_apart() < max(gaps)


def test_probes_leave_half_of_a_workers_minute_for_a_suspicion():
    budget = ProfilingBudget(0.005, 0.01)
    assert budget.may_probe(0.0, key(101))
    spend(budget, 0.0, cpu=0.3, asked=False)
    assert not budget.may_probe(1.0, key(101))


def test_suspicions_buy_ten_times_the_steady_state_and_people_are_not_counted():
    budget = ProfilingBudget(0.005, 0.01)
    spend(budget, 0.0, cpu=100.0)
    assert budget.may_buy(1.0)
    budget.spend(1.0, key(102), cpu=30.0, stopped=0.0, seconds=4.0, asked=True, probe=False, bought=True)
    assert not budget.may_buy(2.0)
    assert budget.may_buy(602.0)


def test_one_costly_burst_does_not_end_all_others_for_good():
    budget = ProfilingBudget(0.005, 0.01)
    for moment in range(10):
        spend(budget, float(moment), pid=moment, cpu=4.0)
    assert budget.burst_seconds(10.0, key(200), 4.0) == 0.0
    assert budget.burst_seconds(2000.0, key(200), 4.0) >= 2.0


def test_one_costly_probe_does_not_end_all_others_for_good():
    """A process with thousands of threads was looked at once: the others are probed again."""
    budget = ProfilingBudget(0.005, 0.01)
    spend(budget, 0.0, cpu=3.0, seconds=0.0, asked=False, probe=True)
    assert not budget.may_probe(1.0, key(200))
    assert budget.may_probe(1500.0, key(200))
