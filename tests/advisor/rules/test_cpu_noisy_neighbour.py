"""R13 on built hosts."""

import msgspec
import pytest

from advisor.rules.cpu_noisy_neighbour import CpuNoisyNeighbour
from tests.advisor.built import (
    concluded,
    fighting_pools,
    gains,
    healthy,
    noisy_neighbour,
    numbers,
    overlapping_pins,
    quota,
    thread,
    too_many_workers,
    verdict,
    view,
    worker,
)

RULE = CpuNoisyNeighbour()


def test_hogs_on_the_services_cpus_are_named_with_their_cores():
    found = concluded(RULE, noisy_neighbour())
    assert numbers(found)["others_cores"] == pytest.approx(2 - 0.66)
    assert numbers(found)["run_delay_share"] == pytest.approx(1.24 / 1.9, abs=0.001)
    assert "1.34 of its 2 CPUs" in found.title


def test_the_gain_is_at_most_everything_that_it_waits_for():
    ratio = gains(concluded(RULE, noisy_neighbour()))["throughput_ratio"]
    whole = 1.9 / 0.66
    assert ratio == pytest.approx((1 + 0.3 * (whole - 1), 1 + 0.8 * (whole - 1), whole), abs=0.01)


def test_a_service_that_answers_all_that_is_asked_gains_time_and_not_throughput():
    """Three workers of which half are busy, and nobody waits to be accepted."""
    met = view([worker(k, [thread(k, 0.3, 0.2)]) for k in (101, 102, 103)], busy=(1.0, 1.0))
    whole = 1.5 / 0.9
    found = concluded(RULE, met)
    assert gains(found)["throughput_ratio"] == pytest.approx((1.0, 1.0, whole), abs=0.001)
    assert gains(found)["latency_p99_ratio"][1] == pytest.approx(0.8 / (1 + 0.8 * (whole - 1)), abs=0.001)
    assert "It answers all that is asked of it" in found.summary
    queued = concluded(RULE, msgspec.structs.replace(met, accept_queue=(2.0,) * 15))
    assert gains(queued)["throughput_ratio"][1] > 1.5
    assert "It answers all" not in queued.summary


def test_the_weight_is_raised_in_the_units_of_its_cgroup_and_none_is_invented():
    seen = noisy_neighbour()
    shares = view(seen.workers, busy=(1.0, 1.0), cgroup=msgspec.structs.replace(quota(None), weight=1024))
    assert [(c.lever, c.current, c.proposed) for c in concluded(RULE, shares).changes] == [("cpu_weight", 1024, 10240)]
    root = concluded(RULE, seen)
    assert root.changes == ()
    assert "no CPU weight of its own" in root.summary


def test_a_gang_of_threads_may_lose_more_than_the_share():
    pair = view([worker(101, [thread(101, 0.33, 0.6), thread(151, 0.33, 0.6, kind="compute")])], busy=(1.0, 1.0))
    assert (
        gains(concluded(RULE, pair))["throughput_ratio"][2]
        > gains(concluded(RULE, noisy_neighbour()))["throughput_ratio"][2]
    )


def test_time_stolen_by_the_hypervisor_counts_as_a_neighbour():
    stolen = view([worker(k, [thread(k, 0.5, 0.4)]) for k in (101, 102)], busy=(0.6, 0.6), steal=0.3)
    assert "30% of the CPU is stolen" in concluded(RULE, stolen).title


def test_little_foreign_use_just_misses():
    assert verdict(RULE, view([worker(k, [thread(k, 0.6, 0.35)]) for k in (101, 102)], others=0.3)) is None


def test_more_own_threads_than_cpus_is_the_services_own_doing():
    assert verdict(RULE, view(fighting_pools().workers, busy=(1.0, 1.0))) is None


@pytest.mark.parametrize("host", [fighting_pools, too_many_workers, overlapping_pins, healthy])
def test_look_alikes_are_not_taken_for_it(host):
    assert verdict(RULE, host()) is None


def test_throttling_explains_the_waiting():
    assert verdict(RULE, view(noisy_neighbour().workers, busy=(1.0, 1.0), cgroup=quota(1.0, throttled=30))) is None


def test_a_service_that_hardly_computes_is_not_judged():
    assert verdict(RULE, view([worker(101, [thread(101, 0.1, 0.9)])], busy=(1.0, 1.0))) is None
