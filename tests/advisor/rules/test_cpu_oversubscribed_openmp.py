"""R05 on built hosts."""

import pytest

from advisor.finding import Need
from advisor.rules.cpu_oversubscribed_openmp import CpuOversubscribedOpenmp
from advisor.view import View
from tests.advisor.built import (
    concluded,
    facts,
    fighting_pools,
    gains,
    narrow_mask,
    noisy_neighbour,
    numbers,
    quota,
    thread,
    threads_set,
    too_many_workers,
    verdict,
    view,
    worker,
)

RULE = CpuOversubscribedOpenmp()


def test_two_workers_of_two_threads_on_two_cores_get_one_thread_each():
    found = concluded(RULE, fighting_pools())
    seen = numbers(found)
    assert seen["active_compute_threads"] == 4
    assert seen["waiting_cores"] == pytest.approx(2.02)
    assert seen["run_delay_share"] == pytest.approx(0.505, abs=0.001)
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("compute_threads", 2, 1)]


def test_the_gain_follows_from_overlap_and_collisions_of_this_window():
    ratio = gains(concluded(RULE, fighting_pools()))["throughput_ratio"]
    share = 1.98 / 4.0  # run / runnable of the pool's threads
    assert ratio[0] == pytest.approx(0.8 / (2 * share**2), abs=0.01)
    assert ratio[1] == pytest.approx(1 / (2 * share**2 * 0.5), abs=0.01)
    assert ratio[2] == pytest.approx(3 * ratio[1], abs=0.01)


def test_less_waiting_gives_a_smaller_gain():
    calmer = view([worker(k, [thread(k, 0.5, 0.36), thread(k + 50, 0.5, 0.36, kind="compute")]) for k in (101, 102)])
    assert (
        gains(concluded(RULE, calmer))["throughput_ratio"][1]
        < gains(concluded(RULE, fighting_pools()))["throughput_ratio"][1]
    )


def test_two_active_threads_on_two_cores_just_miss():
    mild = view([worker(101, [thread(101, 0.9, 0.4), thread(151, 0.9, 0.4, kind="compute")])])
    assert verdict(RULE, mild) is None


def test_threads_that_wait_too_little_just_miss():
    assert (
        verdict(
            RULE,
            view([worker(k, [thread(k, 0.5, 0.11), thread(k + 50, 0.5, 0.11, kind="compute")]) for k in (101, 102)]),
        )
        is None
    )


def test_a_pool_that_is_already_limited_to_one_thread_is_not_its_case():
    seen = fighting_pools()
    assert verdict(RULE, seen, facts(seen, threads_set(1), environ={})) is None


def test_without_the_maps_it_says_which_right_is_missing():
    unnamed = [
        worker(k, [thread(k, 0.5, 0.5), thread(k + 50, 0.49, 0.51, kind="python")]) for k in (101, 102)
    ]  # a thread whose process could not be looked into counts as Python's
    blind = view(unnamed, libraries=None)
    need = verdict(RULE, blind, facts(blind))
    assert isinstance(need, Need)
    assert need.kind == "privilege"
    assert "CAP_SYS_PTRACE" in need.text


def test_an_unknown_environment_lowers_the_confidence():
    seen = fighting_pools()
    assert concluded(RULE, seen, facts(seen, None)).confidence < concluded(RULE, seen).confidence


@pytest.mark.parametrize("host", [too_many_workers, noisy_neighbour, narrow_mask])
def test_look_alikes_are_not_taken_for_it(host):
    assert verdict(RULE, host()) is None


def test_throttling_explains_the_waiting_of_threads_that_fit_the_cpus():
    one = worker(101, [thread(101, 0.5, 0.45), thread(151, 0.5, 0.45, kind="compute")])
    assert verdict(RULE, view([one], cgroup=quota(1.0, throttled=80, seconds=12.0))) is None


def test_threads_that_are_too_many_for_the_cpus_are_named_whatever_the_quota():
    """Measured with OMP_NUM_THREADS=2 under a quota of one core: one thread each gave 5 and 22 times the throughput, without
    a quota instead it was 1.3 and 2.5 times. What the quota stops, it stops together: the least that is promised is less."""
    fight = [worker(k, [thread(k, 0.25, 0.7), thread(k + 50, 0.25, 0.7, kind="compute")]) for k in (101, 102)]
    seen = view(fight, cgroup=quota(1.0, throttled=80, seconds=10.0))
    found = concluded(RULE, seen, facts(seen, threads_set(2), environ={}))
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("compute_threads", 2, 1)]
    low, _, high = gains(found)["throughput_ratio"]
    alone = 0.4 / (1 / (1 + 2.8 - 10 / 15 * 4 / 2)) ** 2
    assert low == pytest.approx(alone / 2, abs=0.01)  # two workers are left half of the quota's core each
    assert low < 5.3 < 22 < high
    listed = {r.cause: r.because for r in found.rejected}
    assert listed["cgroup-cpu-throttled"] == "80% of periods throttled, 4 threads for 2 CPUs whatever the quota"


def test_threads_that_a_mask_holds_on_one_cpu_fight_for_it_less():
    """Measured: 0.9 and 1.7 times for one thread each with numpy, 1.1 and 1.4 times with torch; the mask is what holds them."""
    own = [
        (thread(k, 0.25, 0.7, allowed=(0,)), thread(k + 50, 0.25, 0.7, kind="compute", allowed=(0,))) for k in (1, 2)
    ]
    found = gains(concluded(RULE, view([worker(each[0].tid, each) for each in own])))
    assert found["throughput_ratio"] == pytest.approx((0.95, 2**0.5, 2.0), abs=0.001)
    assert found["latency_p99_ratio"] == pytest.approx((0.45, 2**-0.5, 1.2), abs=0.001)


def test_look_alikes_that_were_ruled_out_are_listed_with_their_numbers():
    listed = {r.cause: r.because for r in concluded(RULE, fighting_pools()).rejected}
    assert listed["workers-exceed-cores"].startswith("2.0 active threads")
    assert "0%" in listed["cgroup-cpu-throttled"]
    assert "own threads want 4.0 of 2" in listed["cpu-noisy-neighbour"]


def test_a_library_without_a_thread_pool_gives_no_advice_on_threads():
    assert verdict(RULE, view(fighting_pools().workers, libraries=("cuda",))) is None


def test_a_standing_finding_leaves_at_a_lower_threshold_than_it_entered():
    milder = view([worker(k, [thread(k, 0.5, 0.2), thread(k + 50, 0.5, 0.2, kind="compute")]) for k in (101, 102)])
    assert verdict(RULE, milder) is None
    assert verdict(RULE, milder, standing=True) is not None


def request_threads_in_pools() -> View:
    """Two workers of four request threads, each of which calls into the pool: eight Python threads and the pools' own."""
    return view(
        [worker(k, [thread(k + 10 * i, 0.25, 0.7, kind="python") for i in range(1, 5)]) for k in (101, 102)],
        request_threads=4,
    )


def test_request_threads_that_call_into_default_pools_count_as_computing():
    found = concluded(RULE, request_threads_in_pools())
    assert numbers(found)["active_compute_threads"] == 8
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("compute_threads", 2, 1)]


def test_request_threads_over_pools_of_one_thread_are_not_its_case():
    seen = request_threads_in_pools()
    assert verdict(RULE, seen, facts(seen, threads_set(1), environ={})) is None
