"""R02 on built hosts."""

import msgspec
import pytest

from advisor.finding import Need
from advisor.rules.workers_below_cores_saturated import WorkersBelowCoresSaturated
from advisor.view import View
from collectors.entities import Role
from collectors.levers import Lever
from tests.advisor.built import (
    MIB,
    concluded,
    facts,
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
from tests.advisor.gpu_services import SYNC, looked_into, on_gpu, with_settings
from tests.advisor.gpus_built import GIB, gpu, on_gpus
from tests.advisor.trends_built import past, steady

RULE = WorkersBelowCoresSaturated()


def test_one_saturated_worker_beside_an_idle_core_becomes_two():
    found = concluded(RULE, one_saturated_worker())
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("workers", 1, 2)]
    assert numbers(found)["least_worker_busy"] == pytest.approx(1.05)
    assert numbers(found)["cores_unused_ratio"] == pytest.approx(1 - 1.15 / 2)


def test_the_gain_is_bounded_by_the_cores_that_are_left():
    ratio = gains(concluded(RULE, one_saturated_worker()))["throughput_ratio"]
    assert ratio == pytest.approx((0.8 * 2 / 1.15, 0.93 * 2 / 1.15, 1.06 * 2 / 1.15), abs=0.01)


def test_the_process_before_the_workers_bounds_how_many_are_kept_busy():
    """As recorded of MLServer on 16 cores (0.46 cores of its own process at 260 requests a second): five workers answered 3.27
    times as many as one."""
    front = worker(100, [thread(100, 0.46, 0.0, allowed=range(16))], role=Role.FRONT_END)
    seen = view([front, worker(101, [thread(101, 1.0, 0.02, allowed=range(16))])], cores=16)
    found = concluded(RULE, seen)
    assert [(c.current, c.proposed) for c in found.changes] == [(1, 4)]
    passed = 1 / 0.46
    expected = (0.8 * passed, 0.93 * passed, 1.06 * 1.5 * passed)
    assert gains(found)["throughput_ratio"] == pytest.approx(expected, rel=0.01)
    full = worker(100, [thread(100, 0.91, 0.0, allowed=range(16))], role=Role.FRONT_END)
    assert verdict(RULE, view([full, *seen.serving], cores=16)) is None


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


LAUNCH = {"cuda-launch": 0.4, "array": 0.4}


def test_a_worker_that_waits_for_a_gpu_on_a_cpu_is_not_saturated_by_computing():
    seen = on_gpu()
    need = verdict(RULE, seen)
    assert isinstance(need, Need)
    assert (need.kind, "wait for the GPU" in need.text) == ("profile", True)
    assert verdict(RULE, seen, looked_into(seen, SYNC)) is None
    assert verdict(RULE, seen, looked_into(seen, LAUNCH)) is not None


def test_no_more_workers_than_the_gpu_has_idle_time_and_memory_for():
    seen = on_gpu(busy_ratio=0.3)
    found = concluded(RULE, seen, looked_into(seen, LAUNCH))
    assert [c.proposed for c in found.changes] == [4]  # 1 / 0.3, not one for each of eight cores
    assert gains(found)["throughput_ratio"][2] == pytest.approx(1 / 0.3, abs=1e-3)  # then it is full
    little = on_gpu(busy_ratio=0.3, copy=20 * GIB)
    assert [c.proposed for c in concluded(RULE, little, looked_into(little, LAUNCH)).changes] == [3]
    for known in ({"copy": None}, {"busy_ratio": None, "sm_active_ratio": None}, {"busy_ratio": 0.9}):
        unknown = on_gpu(**known)
        assert verdict(RULE, unknown, looked_into(unknown, LAUNCH)) is None


def test_an_exclusive_device_takes_no_second_process():
    seen = on_gpu(compute_mode="exclusive-process")
    assert verdict(RULE, seen, looked_into(seen, LAUNCH)) is None


@pytest.mark.parametrize("framework", ["vllm", "sglang", "tgi", "llama-server", "ollama", "triton"])
def test_a_server_without_a_number_of_workers_is_told_none(framework: str):
    spinning = on_gpu(framework=framework, busy_ratio=0.5)
    assert verdict(RULE, spinning, with_settings(looked_into(spinning, LAUNCH), {})) is None
    loading = loaded_by(framework)
    assert verdict(RULE, loading, with_settings(looked_into(loading, LAUNCH), {})) is None


def test_workers_that_are_not_on_their_device_yet_are_still_loading():
    assert verdict(RULE, loaded_by("gunicorn")) is None
    bare = msgspec.structs.replace(loaded_by("gunicorn"), node_gpus=())
    assert verdict(RULE, bare) is not None


def loaded_by(framework: str) -> View:
    """One process at a core, with CUDA mapped, beside a GPU on which it has no context yet."""
    seen = view([worker(101, [thread(101, 0.99, 0.03, allowed=range(8))])], cores=8, libraries=("torch",))
    workers = tuple(msgspec.structs.replace(w, drivers=("cuda",)) for w in seen.service.workers)
    service = msgspec.structs.replace(seen.service, framework=framework, workers=workers)
    return on_gpus(msgspec.structs.replace(seen, service=service), gpu())


def test_a_worker_for_each_pool_is_several_processes():
    each = [worker(k, [thread(k, 0.95, 0.02, allowed=range(12))]) for k in range(101, 107)]
    seen = view(each, cores=12)
    pooled = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, framework="mlserver"))
    found = concluded(RULE, pooled, with_settings(facts(pooled), {Lever.WORKERS: 2}))
    assert [(c.current, c.proposed) for c in found.changes] == [(2, 4)]
    assert "run 4 for each pool" in found.title
    assert gains(found)["memory_ratio"][1] == pytest.approx(2.0)
    eleven = view([*each, worker(107, [thread(107, 0.95, 0.02, allowed=range(12))])], cores=12)
    odd = msgspec.structs.replace(eleven, service=msgspec.structs.replace(eleven.service, framework="mlserver"))
    assert verdict(RULE, odd, with_settings(facts(odd), {Lever.WORKERS: 2})) is None


def test_clients_in_a_closed_loop_make_it_less_sure():
    """Four connections stand still: one request is worked on, three wait."""
    host = one_saturated_worker()
    slices = [steady(1.0, workers=1, queue=3.0, established=4.0)] * 12
    closed = msgspec.structs.replace(past(host, slices), accept_queue=(3.0,) * 15)
    assert concluded(RULE, host).confidence == 0.85
    assert concluded(RULE, closed).confidence == 0.7
    assert concluded(RULE, closed).changes == concluded(RULE, host).changes
