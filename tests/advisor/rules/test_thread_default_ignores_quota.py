"""R07 on built hosts."""

import pytest

from advisor.finding import Need
from advisor.rules.cgroup_cpu_throttled import CgroupCpuThrottled
from advisor.rules.thread_default_ignores_quota import ThreadDefaultIgnoresQuota
from tests.advisor.built import (
    concluded,
    default_pool_under_quota,
    facts,
    judged,
    numbers,
    quota,
    thread,
    threads_set,
    verdict,
    view,
    worker,
)

RULE = ThreadDefaultIgnoresQuota()


def test_eight_default_threads_under_two_cores_become_two():
    found = concluded(RULE, default_pool_under_quota())
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("compute_threads", 8, 2)]
    assert numbers(found)["quota_cores"] == 2.0
    assert numbers(found)["active_compute_threads"] == 8


def test_it_explains_the_throttling():
    ranked = judged([CgroupCpuThrottled(), RULE], default_pool_under_quota()).judged
    assert [(j.rule, j.cause) for j in ranked] == [
        ("thread-default-ignores-quota", None),
        ("cgroup-cpu-throttled", "thread-default-ignores-quota"),
    ]
    assert ranked[1].severity.level <= ranked[0].severity.level


def test_a_quota_of_most_cores_just_misses():
    assert verdict(RULE, view(default_pool_under_quota().workers, cores=8, cgroup=quota(6.5, throttled=5))) is None


def test_a_thread_count_that_is_set_is_not_a_default():
    seen = default_pool_under_quota()
    assert verdict(RULE, seen, facts(seen, threads_set(8), environ={})) is None


def test_one_thread_for_one_cpu_is_no_default_to_lower():
    """A mask of one CPU beside a quota of half a core: it is the quota that is small."""
    pool = [thread(101 + k, 0.25, 0.3, kind="compute" if k else "main", allowed=(0,)) for k in range(3)]
    assert verdict(RULE, view([worker(101, pool)], cgroup=quota(0.5, throttled=50))) is None


def test_a_pool_that_does_not_compute_costs_nothing():
    seen = view([worker(101, [thread(101, 0.9, 0.1, allowed=range(8))])], cores=8, cgroup=quota(2.0, throttled=0))
    assert verdict(RULE, seen) is None


@pytest.mark.parametrize("libraries", [None, ("openblas",)])
def test_without_maps_or_environment_it_says_which_right_is_missing(libraries):
    seen = view(default_pool_under_quota().workers, cores=8, cgroup=quota(2.0, throttled=80), libraries=libraries)
    need = verdict(RULE, seen, facts(seen, None))
    assert isinstance(need, Need)
    assert need.kind == "privilege"
