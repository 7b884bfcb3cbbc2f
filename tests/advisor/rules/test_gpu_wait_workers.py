"""Workers that wait for their GPU while it is far from full, and what looks like that."""

import msgspec
import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.finding import Need
from advisor.gpu.room import with_more
from advisor.rules.gpu_wait_workers import GpuWaitWorkers
from collectors.levers import Lever, Setting
from collectors.profiles.profile import Missing
from tests.advisor import built
from tests.advisor.built import concluded, gains, numbers, quota, verdict
from tests.advisor.gpu_services import SYNC, looked_into, on_gpu, with_profiles, with_settings
from tests.advisor.gpus_built import GIB, TOTAL, gpu, hidden, on_gpus, process
from tests.advisor.gpus_recorded import recorded_gpu, recorded_profile
from tests.advisor.profiles_built import thread_share, worker_profile

RULE = GpuWaitWorkers()


def test_one_more_worker_where_the_only_one_waits_for_a_gpu_with_room() -> None:
    seen = on_gpu()
    found = concluded(RULE, seen, looked_into(seen, SYNC))
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("workers", 1, 2)]
    shown = numbers(found)
    assert shown["gpu_wait_share"] == pytest.approx(0.8)
    assert shown["gpu_sm_active_p95"] == 0.3
    assert (shown["gpu_copy"], shown["gpu_free"]) == (6 * GIB, TOTAL - 503_316_480 - 6 * GIB)
    assert shown["waiting_requests_p50"] == 3
    assert "take turns" in found.summary
    assert "6.0 GiB there, 73.2 GiB were free" in found.summary


def test_the_gain_is_what_a_queue_for_the_idle_time_gives_and_never_more_than_the_copies() -> None:
    seen = on_gpu()
    low, likely, high = gains(concluded(RULE, seen, looked_into(seen, SYNC)))["throughput_ratio"]
    # 0.6 of the time beside the GPU, 0.4 on it: with two, 2 / (0.6 + 0.4 × 1.4) of what is now 1
    assert (low, likely, high) == (1.0, pytest.approx(2 / 1.16, abs=1e-3), 2.0)
    fuller = on_gpu(busy_ratio=0.6, busy_p95=0.65)
    assert gains(concluded(RULE, fuller, looked_into(fuller, SYNC)))["throughput_ratio"][2] == pytest.approx(
        1 / 0.6, abs=1e-3
    )


@pytest.mark.parametrize("busy", [0.1, 0.4, 0.9])
def test_one_more_customer_of_a_station_that_one_keeps_busy(busy: float) -> None:
    assert with_more(1, busy) == pytest.approx(2 / (1 - busy + busy * (1 + busy)))


def test_a_full_station_gives_no_more_to_any_number_of_customers() -> None:
    assert with_more(4, 0.999) == pytest.approx(1.0, abs=2e-3)
    assert with_more(4, 1.0) == with_more(0, 0.4) == 1.0
    assert 1 < with_more(3, 0.6) < 4 / 3


def test_instances_inside_one_process_run_side_by_side() -> None:
    seen = on_gpu(busy_ratio=0.9, busy_p95=0.95, framework="litserve")
    known = with_settings(looked_into(seen, SYNC), {Lever.MODEL_INSTANCES: 1, Lever.WORKERS: 1})
    found = concluded(RULE, seen, known)
    assert [(c.lever, c.proposed) for c in found.changes] == [("model_instances", 2)]
    assert gains(found)["throughput_ratio"][2] == 2.0
    assert "side by side" in found.summary


def test_an_exclusive_device_takes_another_instance_and_under_mps_another_process() -> None:
    mode = {"compute_mode": "exclusive-process"}
    inside = on_gpu(framework="litserve", **mode)
    known = with_settings(looked_into(inside, SYNC), {Lever.MODEL_INSTANCES: 1, Lever.WORKERS: 1})
    assert [c.lever for c in concluded(RULE, inside, known).changes] == ["model_instances"]
    shared = on_gpu(mps=True, **mode)
    assert [c.lever for c in concluded(RULE, shared, looked_into(shared, SYNC)).changes] == ["workers"]


def test_one_more_for_each_pool_is_a_process_for_each() -> None:
    """Three pools of two workers: the setting counts for each."""
    for copy, fits in ((10 * GIB, False), (8 * GIB, True)):
        seen = on_gpu(workers=6, cores=16, framework="mlserver", copy=copy)
        known = with_settings(looked_into(seen, SYNC), {Lever.WORKERS: 2})
        assert (verdict(RULE, seen, known) is not None) is fits, copy
    found = concluded(RULE, seen, known)
    assert [(c.current, c.proposed) for c in found.changes] == [(2, 3)]
    assert "run 3 workers for each pool" in found.title
    low, likely, high = gains(found)["throughput_ratio"]
    assert (low, likely, high) == (1.0, pytest.approx(with_more(6, 0.4, 3), abs=1e-3), 1.5)
    assert gains(found)["memory_ratio"][2] == pytest.approx(1.5)


def test_how_many_more_instances_is_not_guessed() -> None:
    seen = on_gpu(framework="triton")
    settings = (Setting(lever=Lever.MODEL_INSTANCES, value=None, origin="differs between models: a 1, b 4"),)
    known = msgspec.structs.replace(looked_into(seen, SYNC), settings=settings)
    assert verdict(RULE, seen, known) is None


def test_the_device_that_tells_nothing_is_named() -> None:
    seen = on_gpu(workers=2)
    read = gpu([process(seen.workers[0])], busy_ratio=0.4, sm_active_ratio=0.2)
    two = on_gpus(seen, read, gpu([process(seen.workers[1])], uuid="GPU-2", index=1))
    need = verdict(RULE, two, looked_into(two, SYNC))
    assert isinstance(need, Need)
    assert need.text.startswith("GPU 1 ")


def test_processes_that_take_turns_have_only_the_time_in_which_nothing_runs() -> None:
    """As recorded with one CUDA graph after the other: 0.7 % of the multiprocessors work, 95 % of the time."""
    seen = on_gpu(busy_ratio=0.95, busy_p95=0.96, sm_active_ratio=0.007, sm_active_p95=0.008)
    assert verdict(RULE, seen, looked_into(seen, SYNC)) is None
    shared = on_gpu(busy_ratio=0.95, busy_p95=0.96, sm_active_ratio=0.007, sm_active_p95=0.008, mps=True)
    assert gains(concluded(RULE, shared, looked_into(shared, SYNC)))["throughput_ratio"][2] == 2.0


def test_busy_time_alone_is_said_and_lowers_the_confidence() -> None:
    counted, alone = on_gpu(), on_gpu(sm_active_ratio=None, sm_active_p95=None, dram_active_ratio=None)
    found = concluded(RULE, alone, looked_into(alone, SYNC))
    assert "Busy-time only" in found.summary
    assert numbers(found)["gpu_busy_p95"] == 0.5
    sure = concluded(RULE, counted, looked_into(counted, SYNC)).confidence
    assert found.confidence == pytest.approx(0.7 * sure, abs=1e-3)


def test_others_on_the_device_lower_the_confidence() -> None:
    seen = on_gpu()
    (mine,) = (p for one in seen.gpus for p in one.own)
    crowded = on_gpus(seen, msgspec.structs.replace(seen.gpus[0].gpu, processes=(mine, hidden(7, GIB))))
    found = concluded(RULE, crowded, looked_into(crowded, SYNC))
    assert "Others use it too" in found.summary
    assert found.confidence < concluded(RULE, seen, looked_into(seen, SYNC)).confidence


@pytest.mark.parametrize(
    "known",
    [
        {"sm_active_p95": 0.71},  # the GPU is used well
        {"sm_active_ratio": 0.95, "sm_active_p95": 0.97, "busy_ratio": 0.99, "busy_p95": 1.0},
        {"busy_p95": 0.71},
        {"pcie_rx_bytes_per_second": 40e9, "pcie_tx_bytes_per_second": 1e9},
        {"compute_mode": "exclusive-process"},
        {"copy": 40 * GIB},  # no second one fits
        {"queue": 0.4},
        {"used": 0.3},
    ],
    ids=lambda known: next(iter(known)),
)
def test_what_just_misses(known) -> None:
    seen = on_gpu(**known)
    assert verdict(RULE, seen, looked_into(seen, SYNC)) is None


@pytest.mark.parametrize(
    "classes",
    [{"cuda-sync": 0.5, "cuda-launch": 0.5}, {"cuda-launch": 0.8, "array": 0.2}, {"kernel": 1.0}, {"decode": 0.9}],
    ids=lambda classes: "+".join(classes),
)
def test_workers_that_do_something_else_are_not_its_case(classes) -> None:
    seen = on_gpu()
    assert verdict(RULE, seen, looked_into(seen, classes)) is None


def test_calls_for_memory_wait_in_the_driver_too_and_do_not_count() -> None:
    """As recorded: 44 % of the time in the driver, for cudaMalloc and cudaFree."""
    seen = on_gpu(0.56)
    assert verdict(RULE, seen, looked_into(seen, {"allocation": 0.92}, waits={"device": 0.44})) is None
    waiting = looked_into(seen, {"cuda-sync": 0.4, "array": 0.6}, waits={"device": 0.44})
    assert numbers(concluded(RULE, seen, waiting))["gpu_wait_share"] == pytest.approx(0.4 * 0.56 + 0.44, abs=1e-3)


def test_free_request_threads_need_no_second_worker() -> None:
    seen = on_gpu(request_threads=4, queue=3.0)
    pool = [thread_share(1010 + i, 0.25, waits={"futex": 0.75}) for i in range(4)]
    facts = with_profiles(seen, worker_profile(101, 1.0, SYNC, threads=[thread_share(101, 0.0), *pool]))
    assert verdict(RULE, seen, facts) is None


def test_without_readings_it_asks_or_is_silent_and_never_guesses() -> None:
    seen = on_gpu(busy_ratio=None, busy_p95=None, sm_active_ratio=None, sm_active_p95=None)
    need = verdict(RULE, seen, looked_into(seen, SYNC))
    assert isinstance(need, Need)
    assert need.kind == "metrics"
    young = on_gpu(samples=4)
    need = verdict(RULE, young, looked_into(young, SYNC))
    assert isinstance(need, Need)
    assert (need.kind, need.text.split()[0]) == ("time", "6")
    secret = on_gpu(copy=None)
    need = verdict(RULE, secret, looked_into(secret, SYNC))
    assert isinstance(need, Need)
    assert (need.kind, "hostPID" in need.text) == ("privilege", True)


def test_a_profile_is_asked_for_where_requests_wait_and_not_elsewhere() -> None:
    seen = on_gpu()
    bare = with_settings(built.facts(seen, environ={}), {Lever.WORKERS: 1})
    need = verdict(RULE, seen, bare)
    assert isinstance(need, Need)
    assert (need.kind, "wait for the GPU" in need.text) == ("profile", True)
    idle = on_gpu(queue=0.0)
    assert verdict(RULE, idle, with_settings(built.facts(idle), {Lever.WORKERS: 1})) is None
    blind = msgspec.structs.replace(
        looked_into(seen, SYNC).profile, missing=(Missing(part="states", reason="no look", hint="CAP_SYS_PTRACE"),)
    )
    need = verdict(RULE, seen, msgspec.structs.replace(looked_into(seen, SYNC), profile=blind))
    assert isinstance(need, Need)
    assert need.kind == "privilege"


def test_a_server_without_such_a_setting_and_one_without_a_gpu_are_not_judged() -> None:
    seen = on_gpu()
    assert verdict(RULE, seen, with_settings(looked_into(seen, SYNC), {Lever.DATA_PARALLEL: 1})) is None
    bare = msgspec.structs.replace(seen, gpus=())
    assert verdict(RULE, bare, looked_into(bare, SYNC)) is None


def test_the_recorded_full_gpu_is_left_alone_though_its_worker_waits_all_the_time() -> None:
    """As recorded: 97 % of the CPU time waits for a GPU whose multiprocessors work 95 % of the time."""
    seen = on_gpu(1.0)
    full = on_gpus(seen, recorded_gpu("h100", "sync", [process(seen.workers[0], 2 * GIB)]))
    facts = with_profiles(full, recorded_profile("sync.chained", 101))
    assert verdict(RULE, full, facts) is None
    assert not [j for j in Engine(all_rules()).judge(full, facts).judged if j.conclusion.changes]


def test_it_is_the_root_cause_on_its_host_and_cores_are_not_taken_for_it() -> None:
    seen = on_gpu()
    found = Engine(all_rules()).judge(seen, looked_into(seen, SYNC))
    assert [j.rule for j in found.judged if j.cause is None] == ["gpu-wait-workers"]
    assert found.broken == ()
    assert found.judged[0].severity == "medium"


def test_look_alikes_are_listed_with_their_numbers() -> None:
    seen = on_gpu(pcie_tx_bytes_per_second=1e9, pcie_rx_bytes_per_second=5.67e9)
    listed = {r.cause: r.because for r in concluded(RULE, seen, looked_into(seen, SYNC)).rejected}
    assert listed["gpu-full"] == "the 95 % point of its use is 50%"
    assert listed["pcie-bound"] == "PCIe carries 10% of what the link can"
    assert listed["gpu-launch-bound"].startswith("launches took 10%")
    assert listed["io-bound-workers"] == "0.0 request threads wait for something outside"


def test_throttling_explains_the_queue() -> None:
    seen = msgspec.structs.replace(on_gpu(), cgroup=quota(1.0, throttled=40))
    rules = [j.rule for j in Engine(all_rules()).judge(seen, looked_into(seen, SYNC)).judged]
    assert "gpu-wait-workers" not in rules
