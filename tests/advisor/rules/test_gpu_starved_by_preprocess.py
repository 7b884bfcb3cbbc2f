"""A GPU that waits for its inputs to be prepared, and what looks like that."""

import msgspec
import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.facts import ServiceFacts
from advisor.finding import Need
from advisor.rules.gpu_starved_by_preprocess import GpuStarvedByPreprocess
from advisor.view import View
from collectors.entities import Role
from collectors.levers import Lever
from tests.advisor import built, profiled_hosts
from tests.advisor.built import concluded, gains, numbers, thread, verdict, view, worker
from tests.advisor.gpu_services import SYNC, looked_into, on_gpu, with_settings
from tests.advisor.gpus_built import GIB, gpu, on_gpus, process
from tests.advisor.profiles_built import profiled, worker_profile

RULE = GpuStarvedByPreprocess()
DECODE = {"decode": 0.6, "cuda-launch": 0.15, "cuda-sync": 0.05, "array": 0.1}
IDLE = {"busy_ratio": 0.2, "busy_p95": 0.3, "sm_active_ratio": 0.05, "sm_active_p95": 0.08}


def full(**known) -> View:
    """Two workers that use both cores."""
    return on_gpu(0.97, workers=2, cores=2, others=0.0, **{**IDLE, **known})


def tokenising(engine: float = 0.5) -> tuple[View, ServiceFacts]:
    """An API server at one core in front of an engine that has little to do; six cores idle."""
    front = worker(100, [thread(100, 0.98, 0.02, allowed=range(8))], role=Role.FRONT_END)
    core = worker(101, [thread(101, engine, 0.01, allowed=range(8))])
    seen = on_gpus(view([front, core], cores=8), gpu([process(core, 60 * GIB)], **IDLE))
    facts = profiled(
        seen,
        worker_profile(100, 0.98, {"tokenise": 0.55, "glue": 0.3, "serialise": 0.1}),
        worker_profile(101, 0.5, {"cuda-launch": 0.6, "array": 0.3}),
    )
    return seen, with_settings(facts, {Lever.API_SERVERS: 1})


def test_full_cores_that_decode_for_an_idle_gpu() -> None:
    seen = full()
    found = concluded(RULE, seen, looked_into(seen, DECODE))
    assert [(c.lever, c.proposed) for c in found.changes] == [("preprocessing", "decode at the needed scale")]
    shown = numbers(found)
    assert shown["preprocess_share"] == pytest.approx(0.6)
    assert shown["gpu_sm_active_p95"] == 0.08
    assert shown["cores_full_ratio"] == pytest.approx(0.97)
    assert "room for at most 5.0 times" in found.summary


def test_the_gain_is_that_of_the_stage_until_the_gpu_is_busy() -> None:
    seen = full()
    low, likely, high = gains(concluded(RULE, seen, looked_into(seen, DECODE)))["throughput_ratio"]
    error = (0.6 * 0.4 / 600) ** 0.5
    assert (low, likely, high) == (
        1.0, pytest.approx(1 / (1 - 0.3), abs=1e-3), pytest.approx(1 / (1 - 0.6 - error), abs=0.02),
    )  # fmt: skip
    fuller = full(busy_ratio=0.65, busy_p95=0.69)
    bound = gains(concluded(RULE, fuller, looked_into(fuller, DECODE)))["throughput_ratio"]
    assert bound[2] == pytest.approx(1 / 0.65, abs=1e-3)


def test_one_saturated_worker_beside_idle_cores_gets_company_as_gpu_and_memory_allow() -> None:
    seen = on_gpu(**IDLE)
    found = concluded(RULE, seen, looked_into(seen, DECODE))
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("workers", 1, 5)]
    assert gains(found)["throughput_ratio"] == (1.0, 3.0, 5.0)
    little = on_gpu(copy=20 * GIB, **IDLE)
    assert [c.proposed for c in concluded(RULE, little, looked_into(little, DECODE)).changes] == [3]
    none = on_gpu(copy=45 * GIB, **IDLE)
    assert [c.lever for c in concluded(RULE, none, looked_into(none, DECODE)).changes] == ["preprocessing"]


def test_a_saturated_api_server_gets_another_where_the_server_can_have_one() -> None:
    seen, facts = tokenising()
    found = concluded(RULE, seen, facts)
    # the engine, at 0.51, is the next to be full
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("api_servers", 1, 2)]
    assert gains(found)["throughput_ratio"][2] == pytest.approx(1 / 0.51, abs=1e-3)
    assert numbers(found)["tokenise_share"] == pytest.approx(0.55)
    bare = with_settings(facts, {})
    assert [c.lever for c in concluded(RULE, seen, bare).changes] == ["preprocessing"]


def test_api_servers_are_added_until_the_engine_is_full() -> None:
    proposed = {used: concluded(RULE, *tokenising(engine=used)).changes[0].proposed for used in (0.1, 0.2, 0.4, 0.75)}
    assert proposed == {0.1: 5, 0.2: 5, 0.4: 3, 0.75: 2}


def test_a_worker_for_each_pool_is_several_processes() -> None:
    seen = on_gpu(0.97, workers=2, framework="mlserver", copy=20 * GIB, **IDLE)
    pooled = with_settings(looked_into(seen, DECODE), {Lever.WORKERS: 1})
    assert [c.lever for c in concluded(RULE, seen, pooled).changes] == ["preprocessing"]  # one more fits, not two
    room = on_gpu(0.97, workers=2, framework="mlserver", copy=10 * GIB, **IDLE)
    found = concluded(RULE, room, with_settings(looked_into(room, DECODE), {Lever.WORKERS: 1}))
    assert [(c.current, c.proposed) for c in found.changes] == [(1, 3)]  # five more fit: two for each of two pools


def test_the_device_that_tells_nothing_is_named() -> None:
    seen = full()
    two = on_gpus(seen, gpu([process(seen.workers[0])], **IDLE), gpu([process(seen.workers[1])], uuid="GPU-2", index=1))
    need = verdict(RULE, two, looked_into(two, DECODE))
    assert isinstance(need, Need)
    assert need.text.startswith("GPU 1 ")


def test_busy_time_alone_is_said_and_lowers_the_confidence() -> None:
    seen, alone = full(), full(sm_active_ratio=None, sm_active_p95=None, dram_active_ratio=None)
    found = concluded(RULE, alone, looked_into(alone, DECODE))
    assert "Busy-time only" in found.summary
    assert found.confidence == pytest.approx(
        0.7 * concluded(RULE, seen, looked_into(seen, DECODE)).confidence, abs=1e-3
    )


@pytest.mark.parametrize(
    ("classes", "known"),
    [
        ({"decode": 0.31, "cuda-launch": 0.6}, {}),  # within its error of the threshold
        (DECODE, {"sm_active_p95": 0.71}),
        ({"decode": 0.35, "serialise": 0.5}, {}),
        ({"decode": 0.35, "cuda-sync": 0.5}, {}),
        (SYNC, {}),
    ],
)
def test_what_just_misses(classes, known) -> None:
    seen = full(**known)
    assert verdict(RULE, seen, looked_into(seen, classes)) is None


def test_cpu_time_that_is_nobodys_limit_is_not_judged() -> None:
    seen = on_gpu(0.5, **IDLE)
    assert verdict(RULE, seen, looked_into(seen, DECODE)) is None


def test_without_readings_it_asks() -> None:
    seen = full(busy_ratio=None, busy_p95=None, sm_active_ratio=None, sm_active_p95=None)
    need = verdict(RULE, seen, looked_into(seen, DECODE))
    assert isinstance(need, Need)
    assert need.kind == "metrics"
    need = verdict(RULE, full(), built.facts(full(), environ={}))
    assert isinstance(need, Need)
    assert need.kind == "profile"
    busy = full(sm_active_p95=0.9)
    assert verdict(RULE, busy, built.facts(busy, environ={})) is None


def test_a_service_without_a_gpu_is_another_rules() -> None:
    seen, facts = profiled_hosts.decoding()
    assert verdict(RULE, seen, facts) is None


@pytest.mark.parametrize("launch", [0.15, 0.03])
def test_it_is_the_root_cause_on_its_host_however_little_goes_into_cuda(launch: float) -> None:
    seen = full()
    found = Engine(all_rules()).judge(seen, looked_into(seen, {**DECODE, "cuda-launch": launch, "cuda-sync": 0.01}))
    assert [j.rule for j in found.judged if j.cause is None] == ["gpu-starved-by-preprocess"]
    assert found.broken == ()


def test_look_alikes_are_listed_with_their_numbers() -> None:
    seen = msgspec.structs.replace(full(pcie_rx_bytes_per_second=5.67e9), batch_size=1.5)
    listed = {r.cause: r.because for r in concluded(RULE, seen, looked_into(seen, DECODE)).rejected}
    assert listed["gpu-full"] == "the 95 % point of its use is 8%"
    assert listed["gpu-wait-workers"].startswith("waiting for the GPU took 5%")
    assert listed["gpu-small-batches"].endswith("batches hold 1.5 requests")
    assert listed["pcie-bound"] == "PCIe carries 10% of what the link can"
