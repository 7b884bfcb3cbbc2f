"""R02 on built hosts."""

import msgspec
import pytest

from advisor.rules.workers_below_cores_saturated import WorkersBelowCoresSaturated
from tests.advisor.built import (
    MIB,
    concluded,
    far_below,
    gains,
    healthy,
    narrow_mask,
    numbers,
    one_saturated_worker,
    quota,
    thread,
    too_many_workers,
    verdict,
    view,
    worker,
)

RULE = WorkersBelowCoresSaturated()


def test_one_saturated_worker_beside_an_idle_core_becomes_two():
    found = concluded(RULE, one_saturated_worker())
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("workers", 1, 2)]
    assert numbers(found)["least_worker_busy"] == pytest.approx(1.05)
    assert numbers(found)["cores_unused_ratio"] == pytest.approx(1 - 1.15 / 2)


def test_the_gain_is_bounded_by_the_cores_that_are_left():
    ratio = gains(concluded(RULE, one_saturated_worker()))["throughput_ratio"]
    assert ratio == pytest.approx((0.8 * 2 / 1.15, 0.93 * 2 / 1.15, 1.06 * 2 / 1.15), abs=0.01)


def test_a_node_that_others_use_more_promises_less():
    free = [worker(101, [thread(101, 0.98, 0.05, allowed=range(4))])]
    crowded, alone = view(free, cores=4, others=1.2), view(free, cores=4)
    assert gains(concluded(RULE, crowded))["throughput_ratio"][1] < gains(concluded(RULE, alone))["throughput_ratio"][1]


def test_another_copy_of_the_model_costs_memory_and_says_so():
    memory = gains(concluded(RULE, one_saturated_worker()))["memory_ratio"]
    assert memory[1] == pytest.approx(600 / 400)


def test_no_worker_is_proposed_that_does_not_fit_into_memory():
    assert verdict(RULE, view(one_saturated_worker().workers, available=150 * MIB)) is None


def test_a_worker_with_some_idle_time_just_misses():
    assert verdict(RULE, view([worker(101, [thread(101, 0.84, 0.04)])])) is None


def test_as_many_workers_as_cores_just_miss():
    assert verdict(RULE, view([worker(k, [thread(k, 0.7, 0.25)]) for k in (101, 102)])) is None


def test_a_worker_whose_pool_uses_the_other_core_is_not_its_case():
    seen = view([worker(101, [thread(101, 0.8, 0.1), thread(151, 0.7, 0.1, kind="compute")])], cores=4)
    assert verdict(RULE, seen) is None


def test_a_quota_that_holds_the_worker_explains_it():
    assert verdict(RULE, view(one_saturated_worker().workers, cgroup=quota(2.0, throttled=30))) is None


@pytest.mark.parametrize("host", [healthy, far_below, too_many_workers, narrow_mask])
def test_look_alikes_are_not_taken_for_it(host):
    assert verdict(RULE, host()) is None


def test_what_the_server_says_of_its_load_is_shown_where_it_says_it():
    silent = numbers(concluded(RULE, one_saturated_worker()))
    assert "requests_per_second" not in silent
    assert silent["established_connections"] == 4
    talking = msgspec.structs.replace(one_saturated_worker(), requests_per_second=111.4, server_queue=7.2)
    seen = numbers(concluded(RULE, talking))
    assert (seen["requests_per_second"], seen["server_queue"]) == (111.4, 7.2)
