"""Which cores a service has, after masks, cpuset, quota and what others use."""

import pytest

from advisor.view import quantile, within
from collectors.facts import Limits
from tests.advisor.built import fighting_pools, narrow_mask, quota, thread, view, worker


def test_the_mask_is_what_the_workers_may_use_and_the_pool_what_they_could():
    seen = narrow_mask()
    assert (seen.mask, seen.pool, seen.pool_cores) == (frozenset({0}), frozenset({0, 1}), 2.0)


def test_a_quota_bounds_the_pool_and_a_cpuset_cuts_it():
    workers = [worker(101, [thread(101, 0.5, allowed=range(8))])]
    assert view(workers, cores=8, cgroup=quota(2.5)).pool_cores == 2.5
    assert view(workers, cores=8, cgroup=quota(None, cpus=(0, 1, 2))).pool_cores == 3.0


def test_effective_cores_are_what_others_leave():
    seen = view([worker(101, [thread(101, 0.5, allowed=range(4))])], cores=4, others=1.5)
    assert seen.others(seen.pool) == pytest.approx(1.5)
    assert seen.effective_cores == pytest.approx(2.5)


def test_a_siblings_own_limits_count_where_its_cgroup_is_out_of_sight():
    seen = within(fighting_pools(), Limits(cpu_quota_cores=1.5, cpuset="0-1", memory_max_bytes=1 << 30))
    assert seen.pool_cores == 1.5
    assert seen.cgroup is not None
    assert seen.cgroup.throttled_ratio is None
    assert seen.cgroup.memory_limit_bytes == 1 << 30


def test_limits_that_we_see_ourselves_stand():
    own = view(fighting_pools().workers, cgroup=quota(1.0, throttled=5))
    assert within(own, Limits(cpu_quota_cores=4.0)) is own
    assert within(own, None) is own


def test_a_quantile_is_the_nearest_rank_and_none_of_nothing():
    assert quantile([], 0.9) is None
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([1.0] * 9 + [7.0], 1.0) == 7.0
