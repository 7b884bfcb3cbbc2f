"""R01 on built hosts."""

import msgspec
import pytest

from advisor.rules.workers_exceed_cores import WorkersExceedCores
from tests.advisor.built import (
    concluded,
    fighting_pools,
    gains,
    healthy,
    noisy_neighbour,
    numbers,
    quota,
    thread,
    too_many_workers,
    verdict,
    view,
    worker,
)
from tests.advisor.trends_built import past, steady

RULE = WorkersExceedCores()


def test_eight_workers_on_two_cores_become_two():
    found = concluded(RULE, too_many_workers())
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("workers", 8, 2)]
    assert numbers(found)["busy_workers"] == 8
    assert numbers(found)["run_delay_share"] == pytest.approx(0.785, abs=0.005)


def test_it_is_sold_as_a_memory_fix():
    found = concluded(RULE, too_many_workers())
    per = gains(found)
    assert per["memory_ratio"][1] == pytest.approx(
        600 / 1800, abs=0.001
    )  # front-end and two of eight workers, 200 MiB each
    assert per["throughput_ratio"][0] < 1 < per["throughput_ratio"][2] < 1.3
    assert "memory fix" in found.summary


def test_more_switches_promise_more_throughput():
    calm = too_many_workers()
    busy = view([worker(w.key.pid, w.threads, role=w.role, switches=5000) for w in calm.workers])
    assert gains(concluded(RULE, busy))["throughput_ratio"][1] > gains(concluded(RULE, calm))["throughput_ratio"][1]


def test_one_worker_more_than_the_threshold_allows_just_misses():
    assert verdict(RULE, view([worker(k, [thread(k, 0.98, 0.7)]) for k in (101, 102)])) is None


def test_workers_that_leave_cores_idle_are_not_too_many():
    waiting = [worker(k, [thread(k, 0.15, 0.14)]) for k in range(101, 109)]
    assert verdict(RULE, view(waiting)) is None


@pytest.mark.parametrize("host", [fighting_pools, noisy_neighbour, healthy])
def test_look_alikes_are_not_taken_for_it(host):
    assert verdict(RULE, host()) is None


def test_throttling_explains_the_waiting():
    assert verdict(RULE, view(too_many_workers().workers, cgroup=quota(2.0, throttled=10))) is None


def test_workers_whose_size_is_not_known_leave_the_ratio_a_ratio():
    few = [
        worker(k, [thread(k, 0.218, 0.78)], switches=550, resident=200 << 20 if k < 103 else None)
        for k in range(101, 109)
    ]
    assert gains(concluded(RULE, view(few)))["memory_ratio"][1] == pytest.approx(0.25)


def test_ranks_of_one_model_are_not_too_many_workers():
    seen = too_many_workers()
    ranks = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, framework="vllm"))
    assert verdict(RULE, ranks) is None


def test_cores_that_others_use_all_the_time_are_left_out_of_the_proposal():
    crowd = [worker(k, [thread(k, 0.25, 0.75, allowed=range(4))]) for k in range(101, 109)]
    seen = view(crowd, cores=4, others=2.0)
    assert concluded(RULE, seen).changes[0].proposed == 4
    busy, calm = steady(8.0, workers=8, used=2.0, others=2.0), steady(8.0, workers=8, used=4.0, others=0.1)
    assert concluded(RULE, past(seen, minutes=[busy] * 40)).changes[0].proposed == 2
    assert concluded(RULE, past(seen, minutes=[calm] * 10 + [busy] * 40)).changes[0].proposed == 4
    assert concluded(RULE, past(seen, minutes=[busy] * 29)).changes[0].proposed == 4
