"""R08 on built hosts."""

import pytest

from advisor.finding import Conclusion
from advisor.rules.affinity_too_narrow import AffinityTooNarrow
from tests.advisor.built import (
    concluded,
    fighting_pools,
    gains,
    narrow_mask,
    numbers,
    overlapping_pins,
    quota,
    thread,
    verdict,
    view,
    worker,
)
from tests.advisor.profiles_built import profiled, worker_profile

RULE = AffinityTooNarrow()


def test_two_threads_inside_one_cpu_beside_an_idle_one_are_let_out():
    found = concluded(RULE, narrow_mask())
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("affinity", "0", "0-1")]
    assert numbers(found)["idle_outside_cores"] == pytest.approx(1.0)
    assert numbers(found)["runnable_threads"] == pytest.approx(1.72)


def test_the_gain_is_what_is_runnable_at_least_and_the_cores_at_most():
    low, likely, high = gains(concluded(RULE, narrow_mask()))["throughput_ratio"]
    assert low == pytest.approx(1.72 * 0.88, abs=0.01)
    assert high == pytest.approx(2.0, abs=0.01)
    assert low < likely < high


def test_threads_that_share_one_lock_gain_little_from_more_cpus():
    """Measured on a pure Python handler: 0.7 to 1.5 times (the machine was busy) for the mask alone, with two processes 2."""
    threads = [thread(111 + k, 0.125, 0.07, kind="python", allowed=(0,)) for k in range(8)]
    seen = view([worker(101, threads)], libraries=(), request_threads=8)
    known = profiled(seen, worker_profile(101, 1.0, {"python": 0.93}, gil_held=0.92, active=6.5))
    found = concluded(RULE, seen, known)
    held = 0.92 - (0.92 * 0.08 / 300) ** 0.5
    assert gains(found)["throughput_ratio"] == pytest.approx((1.0, 1 / held, 1 / held**2), abs=0.001)
    assert numbers(found)["gil_held_share"] == pytest.approx(held, abs=1e-4)
    assert "alone, the mask brings little" in found.summary
    plain = gains(concluded(RULE, seen, profiled(seen, worker_profile(101, 1.0, {"kernel": 0.9}, gil_held=0.3))))
    assert plain["throughput_ratio"][1] > 1.35
    two = view([worker(k, [thread(k * 10 + i, 0.125, 0.1, kind="python", allowed=(0,)) for i in range(4)]) for k in (1, 2)],
               libraries=(), request_threads=4)  # fmt: skip
    locks = profiled(two, *(worker_profile(k, 0.5, {"python": 0.93}, gil_held=0.92, active=3.0) for k in (1, 2)))
    assert gains(concluded(RULE, two, locks))["throughput_ratio"][1] > 1.5  # processes spread, whatever their locks


def test_a_busy_cpu_outside_the_mask_just_misses():
    assert verdict(RULE, view(narrow_mask().workers, busy=(1.0, 0.35))) is None


def test_one_thread_inside_one_cpu_just_misses():
    one = [worker(101, [thread(101, 0.95, 0.02, allowed=(0,))])]
    assert verdict(RULE, view(one)) is None


def test_cpus_outside_the_cpuset_are_no_idle_pool():
    assert verdict(RULE, view(narrow_mask().workers, cgroup=quota(None, cpus=(0,)))) is None


def test_a_worker_whose_masks_cannot_be_read_gives_no_verdict():
    hidden = [worker(101, [thread(101, 1.0, 0.7, allowed=None)])]
    assert not isinstance(verdict(RULE, view(hidden)), Conclusion)


@pytest.mark.parametrize("host", [fighting_pools, overlapping_pins])
def test_look_alikes_are_not_taken_for_it(host):
    assert verdict(RULE, host()) is None
