"""A process that spends its time on launching kernels: recorded on real cards, and built."""

import msgspec
import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.facts import ServiceFacts
from advisor.finding import Need
from advisor.rules.gpu_launch_bound import GpuLaunchBound
from advisor.view import View
from collectors.levers import Lever
from tests.advisor import built
from tests.advisor.built import concluded, gains, numbers, verdict
from tests.advisor.gpu_services import SYNC, looked_into, on_gpu, with_profiles, with_settings
from tests.advisor.gpus_built import GIB, gpu, on_gpus, process
from tests.advisor.gpus_recorded import recorded_gpu, recorded_profile

RULE = GpuLaunchBound()
LAUNCH = {"cuda-launch": 0.6, "array": 0.25, "allocation": 0.05}
GAPS = {"busy_ratio": 0.35, "busy_p95": 0.4, "sm_active_ratio": 0.02, "sm_active_p95": 0.03, "power_watts": 133.0}
MEASURED = 2155.71 / 275.54
"""Requests per second with the kernels of `launch` as a CUDA graph, and without (tests/fixtures/profiles). Some kernels of a
small model are in `launch` only."""


def recorded(card: str, phase: str, profile: str) -> tuple[View, ServiceFacts]:
    seen = on_gpu(1.0, cores=16)
    view = on_gpus(seen, recorded_gpu(card, phase, [process(seen.workers[0], 2 * GIB)]))
    return view, with_profiles(view, recorded_profile(profile, 101))


def launching(**known) -> View:
    return on_gpu(**{**GAPS, **known})


@pytest.mark.parametrize(
    ("card", "profile", "launch", "busy"), [("h100", "launch", 0.54, 0.34), ("h200", "launch.chained", 0.63, 0.16)]
)
def test_recorded_launches_of_small_kernels(card: str, profile: str, launch: float, busy: float) -> None:
    """400 kernels on 64 numbers a request: the card is busy a sixth to a third of the time at a fifth of its power."""
    found = concluded(RULE, *recorded(card, "launch", profile))
    assert [(c.lever, c.proposed) for c in found.changes] == [("cuda_graphs", True)]
    shown = numbers(found)
    assert shown["cuda_launch_share"] == pytest.approx(launch, abs=0.02)
    assert shown["gpu_busy_mean"] == pytest.approx(busy, abs=0.01)
    assert shown["gpu_sm_active"] < 0.001
    assert shown["gpu_power_share"] < 0.2


@pytest.mark.parametrize(("card", "profile"), [("h100", "launch"), ("h200", "launch.chained")])
def test_the_interval_holds_what_a_graph_of_the_same_kernels_gave(card: str, profile: str) -> None:
    low, likely, high = gains(concluded(RULE, *recorded(card, "launch", profile)))["throughput_ratio"]
    assert low == 1.0
    assert 2 < likely < MEASURED < high


def test_the_gain_is_amdahls_and_ends_where_the_device_is_full() -> None:
    seen = launching()
    low, likely, high = gains(concluded(RULE, seen, looked_into(seen, LAUNCH)))["throughput_ratio"]
    assert (low, likely, high) == (1.0, pytest.approx(1 / 0.25), pytest.approx(1 / (1 - 0.9), rel=1e-3))
    fuller = launching(sm_active_ratio=0.25, sm_active_p95=0.28)
    assert gains(concluded(RULE, fuller, looked_into(fuller, LAUNCH)))["throughput_ratio"][2] == 4.0


def test_a_device_that_is_busy_all_the_time_may_be_what_the_launches_wait_for() -> None:
    seen = launching(busy_ratio=0.96, busy_p95=0.97)
    need = verdict(RULE, seen, looked_into(seen, LAUNCH))
    assert isinstance(need, Need)
    assert need.kind == "metrics"
    assert "Nsight Systems" in need.text
    assert "busy 96% of the time" in need.text
    unknown = launching(busy_ratio=None, busy_p95=None)
    need = verdict(RULE, unknown, looked_into(unknown, LAUNCH))
    assert isinstance(need, Need)
    assert "it is not known how much" in need.text


def test_a_server_that_was_told_not_to_use_graphs_says_so_itself() -> None:
    seen = launching(busy_ratio=0.96, busy_p95=0.97, framework="vllm")
    classes = {"cuda-launch": 0.35, "array": 0.4}
    known = with_settings(looked_into(seen, classes), {Lever.CUDA_GRAPHS: False}, "flag --enforce-eager")
    found = concluded(RULE, seen, known)
    assert "flag --enforce-eager rules out CUDA graphs" in found.title
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("cuda_graphs", False, True)]
    assert gains(found)["throughput_ratio"] == (1.0, pytest.approx(1 / 0.45, abs=1e-3), pytest.approx(4.0))
    used = with_settings(looked_into(seen, classes), {Lever.CUDA_GRAPHS: True})
    assert verdict(RULE, seen, used) is None
    assert verdict(RULE, seen, with_settings(looked_into(seen, classes), {Lever.CUDA_GRAPHS: None})) is None


def test_where_only_time_is_known_a_full_device_is_one_for_such_a_server_too() -> None:
    plain = {"sm_active_ratio": None, "sm_active_p95": None, "dram_active_ratio": None, "power_watts": 270.0}
    seen = launching(busy_ratio=0.99, busy_p95=1.0, framework="vllm", **plain)
    classes = {"cuda-launch": 0.35, "cuda-sync": 0.2}
    eager = with_settings(looked_into(seen, classes), {Lever.CUDA_GRAPHS: False}, "flag --enforce-eager")
    need = verdict(RULE, seen, eager)
    assert isinstance(need, Need)
    assert "busy 99% of the time" in need.text
    idler = launching(framework="vllm", **plain)
    known = with_settings(looked_into(idler, classes), {Lever.CUDA_GRAPHS: False}, "flag --enforce-eager")
    assert concluded(RULE, idler, known) is not None


def test_graphs_that_are_in_use_are_no_change() -> None:
    seen = launching(framework="vllm")
    need = verdict(RULE, seen, with_settings(looked_into(seen, LAUNCH), {Lever.CUDA_GRAPHS: True}))
    assert isinstance(need, Need)
    assert "CUDA graphs already (default)" in need.text


@pytest.mark.parametrize("framework", ["llama-server", "triton", "sglang"])
def test_a_server_without_such_a_setting_is_told_what_to_measure(framework: str) -> None:
    seen = launching(framework=framework)
    need = verdict(RULE, seen, with_settings(looked_into(seen, LAUNCH), {}))
    assert isinstance(need, Need)
    assert f"{framework} has no setting for CUDA graphs" in need.text


def test_the_device_that_tells_nothing_is_named() -> None:
    seen = launching(workers=2)
    read = gpu([process(seen.workers[0])], **GAPS)
    two = on_gpus(seen, read, gpu([process(seen.workers[1])], uuid="GPU-2", index=1))
    need = verdict(RULE, two, looked_into(two, LAUNCH))
    assert isinstance(need, Need)
    assert need.text.startswith("GPU 1 ")


def test_the_exact_change_takes_the_option_back() -> None:
    seen = launching(framework="vllm")
    facts = with_settings(looked_into(seen, LAUNCH), {Lever.CUDA_GRAPHS: False}, "flag --enforce-eager")
    facts = msgspec.structs.replace(facts, service=seen.service)
    (one,) = Engine([RULE]).judge(seen, facts).judged
    assert [(p.kind, p.key) for p in one.conclusion.changes[0].how[:1]] == [("argument", "--no-enforce-eager")]


@pytest.mark.parametrize(
    ("classes", "known"),
    [
        ({"cuda-launch": 0.32, "array": 0.6}, {}),  # within its error of the threshold
        ({"cuda-launch": 0.47, "array": 0.3}, {}),  # the same where less goes with it
        (SYNC, {}),
        (LAUNCH, {"power_watts": 281.0}),
        (LAUNCH, {"sm_active_ratio": 0.31, "sm_active_p95": 0.35}),
        (LAUNCH, {"used": 0.7}),
    ],
)
def test_what_just_misses(classes, known) -> None:
    seen = launching(**known)
    assert verdict(RULE, seen, looked_into(seen, classes)) is None


def test_a_framework_that_takes_as_long_as_the_launches_is_part_of_them() -> None:
    """As recorded of 300 kernels on an H100 (launching 48 %, PyTorch's way to them 42 %): a graph brought 5.7 to 7.1 times."""
    seen = launching(busy_ratio=0.135, sm_active_ratio=0.003, sm_active_p95=0.004)
    found = concluded(RULE, seen, looked_into(seen, {"cuda-launch": 0.477, "array": 0.416, "allocation": 0.04}))
    low, likely, high = gains(found)["throughput_ratio"]
    assert (low, likely, high) == (
        1.0,
        pytest.approx(1 / (1 - 0.477 - 0.228), rel=1e-3),
        pytest.approx(1 / 0.067, rel=1e-2),
    )
    less = {"cuda-launch": 0.4, "array": 0.42}
    assert verdict(RULE, seen, looked_into(seen, less)) is not None
    assert verdict(RULE, seen, looked_into(seen, {"cuda-launch": 0.4, "array": 0.38})) is None


def test_busy_time_alone_needs_power_beside_it_and_lowers_the_confidence() -> None:
    plain = {"sm_active_ratio": None, "sm_active_p95": None, "dram_active_ratio": None}
    seen, counted = launching(**plain), launching()
    found = concluded(RULE, seen, looked_into(seen, LAUNCH))
    assert "Busy-time only" in found.summary
    assert found.confidence == pytest.approx(
        0.7 * concluded(RULE, counted, looked_into(counted, LAUNCH)).confidence, abs=1e-3
    )
    dark = launching(**plain, power_watts=None)
    assert verdict(RULE, dark, looked_into(dark, LAUNCH)) is None


def test_without_readings_it_asks() -> None:
    seen = launching(busy_ratio=None, busy_p95=None, sm_active_ratio=None, sm_active_p95=None)
    need = verdict(RULE, seen, looked_into(seen, LAUNCH))
    assert isinstance(need, Need)
    assert need.kind == "metrics"
    need = verdict(RULE, launching(), built.facts(launching(), environ={}))
    assert isinstance(need, Need)
    assert need.kind == "profile"
    full = launching(sm_active_ratio=0.9, sm_active_p95=0.95)
    assert verdict(RULE, full, built.facts(full, environ={})) is None


@pytest.mark.parametrize(
    ("phase", "profile"),
    [("sync", "sync.chained"), ("graph", "graph.chained"), ("pinned", "pinned.chained"), ("alloc", "alloc.chained"),
     ("pageable", "pageable.chained"), ("serve", "serve")],
)  # fmt: skip
def test_recorded_loads_that_are_bound_by_something_else(phase: str, profile: str) -> None:
    assert verdict(RULE, *recorded("h100", phase, profile)) is None


def test_it_is_the_root_cause_on_its_host() -> None:
    seen = launching()
    found = Engine(all_rules()).judge(seen, looked_into(seen, LAUNCH))
    assert [j.rule for j in found.judged if j.cause is None] == ["gpu-launch-bound"]
    beside = {j.rule: j.cause for j in found.judged}
    assert beside.get("workers-below-cores-saturated") == "gpu-launch-bound"
    assert found.broken == ()


def test_look_alikes_are_listed_with_their_numbers() -> None:
    seen = launching()
    listed = {r.cause: r.because for r in concluded(RULE, seen, looked_into(seen, LAUNCH)).rejected}
    assert listed["gpu-wait-workers"].startswith("nothing ran on it 65% of the time; waiting for it took 0%")
    assert listed["gpu-starved-by-preprocess"] == "preparing inputs took 0% ± 0%"
    assert listed["gpu-small-batches"] == "the size of its batches is not known"
