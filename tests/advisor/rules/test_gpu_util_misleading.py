"""A GPU that is busy and does next to nothing: recorded on real cards, and built."""

import msgspec
import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.facts import ServiceFacts
from advisor.finding import Need, Severity
from advisor.gpu.view import GpuView
from advisor.rules.gpu_util_misleading import GpuUtilMisleading
from tests.advisor.built import concluded, numbers, verdict
from tests.advisor.gpus_built import alone, gpu, process
from tests.advisor.gpus_recorded import recorded_gpu

RULE = GpuUtilMisleading()


def judged(one: GpuView):
    seen = alone(one)
    return verdict(RULE, seen, ServiceFacts(service=seen.service))


def found_of(one: GpuView):
    seen = alone(one)
    return concluded(RULE, seen, ServiceFacts(service=seen.service))


def busy(**known) -> GpuView:
    """Small kernels one after the other."""
    fields = {
        "busy_ratio": 0.97, "sm_active_ratio": 0.02, "dram_active_ratio": 0.01, "tensor_active_ratio": 0.0,
        "power_watts": 133.0,
    }  # fmt: skip
    return gpu([process(101)], **{**fields, **known})


@pytest.mark.parametrize(
    ("card", "phase", "busy_ratio", "sm", "power"),
    [
        ("h100", "pinned", 0.995, 0.0, 133.6 / 700),
        ("h100", "graph", 0.945, 0.0072, 133.5 / 700),
        ("h200", "graph", 0.92, 0.0066, 124.7 / 700),
        ("h100", "alloc", 1.0, 0.0, 153.5 / 700),
        ("h100", "to_host_pinned", 0.99, 0.0, 132.5 / 700),
        ("h200", "pinned", 0.99, 0.0, 129.8 / 700),
    ],
)
def test_recorded_loads_that_keep_a_card_busy_and_use_none_of_it(
    card: str, phase: str, busy_ratio: float, sm: float, power: float
) -> None:
    found = found_of(recorded_gpu(card, phase))
    shown = numbers(found)
    assert shown["gpu_busy"] == pytest.approx(busy_ratio, abs=0.01)
    assert shown["gpu_sm_active"] == pytest.approx(sm, abs=0.001)
    assert shown["gpu_power_share"] == pytest.approx(power, abs=0.01)
    assert found.changes == found.gains == ()


@pytest.mark.parametrize(
    ("card", "phase"),
    [
        ("h100", "sync"),
        ("h200", "sync"),
        ("h100", "launch"),
        ("h200", "launch"),
        ("h100", "pageable"),
        ("h200", "serve"),
    ],
)
def test_recorded_loads_whose_number_does_not_mislead(card: str, phase: str) -> None:
    assert judged(recorded_gpu(card, phase)) is None


def test_copies_are_named_where_they_fill_the_link() -> None:
    assert "PCIe carries 100% of what the link can" in found_of(recorded_gpu("h100", "pinned")).summary
    assert "PCIe carries" not in found_of(recorded_gpu("h100", "graph")).summary


@pytest.mark.parametrize(
    "known",
    [
        {"busy_ratio": 0.89},
        {"power_watts": 351.0},
        {"sm_active_ratio": 0.31},
        {"dram_active_ratio": 0.31},
        {"tensor_active_ratio": 0.11},
        {"busy_ratio": None},
    ],
    ids=lambda known: "-".join(map(str, *known.items())),
)
def test_what_just_misses(known) -> None:
    assert judged(busy(**known)) is None


def test_power_alone_asks_for_the_counters() -> None:
    consumer = busy(sm_active_ratio=None, dram_active_ratio=None, tensor_active_ratio=None, architecture="ampere")
    need = judged(consumer)
    assert isinstance(need, Need)
    assert need.kind == "metrics"
    assert "busy 97% of the time at 19% of its power limit" in need.text
    assert "DCGM_FI_PROF_SM_ACTIVE" in need.text
    other = msgspec.structs.replace(consumer, vendor="amd")
    need = judged(other)
    assert isinstance(need, Need)
    assert "DCGM" not in need.text


def test_busy_time_alone_is_no_reason_to_ask() -> None:
    nothing = busy(sm_active_ratio=None, dram_active_ratio=None, tensor_active_ratio=None, power_watts=None)
    assert judged(nothing) is None


def test_an_instance_without_a_power_reading_is_judged_by_its_activity_less_surely() -> None:
    found, whole = found_of(busy(power_watts=None)), found_of(busy())
    assert found.confidence < whole.confidence
    assert "power" not in found.summary
    assert "gpu_power_share" not in numbers(found)


def test_it_is_about_the_device_is_never_more_than_worth_knowing_and_needs_no_service() -> None:
    seen = alone(recorded_gpu("h100", "pinned", [process(101)]))
    (one,) = [
        j for j in Engine(all_rules()).judge(seen, ServiceFacts(service=seen.service)).judged
        if j.rule == "gpu-util-misleading"
    ]  # fmt: skip
    assert (one.conclusion.subject.kind, one.conclusion.subject.pids) == ("device", (101,))
    assert one.conclusion.subject.name == "GPU 0 (NVIDIA H100 80GB HBM3)"
    assert one.severity is Severity.INFO


def test_look_alikes_are_listed_with_their_numbers() -> None:
    listed = {r.cause: r.because for r in found_of(busy(power_cap_ratio=0.04)).rejected}
    assert listed == {
        "gpu-full": "its multiprocessors worked 2.0% of the time",
        "gpu-throttled": "its clocks were held down 4% of the time",
    }
