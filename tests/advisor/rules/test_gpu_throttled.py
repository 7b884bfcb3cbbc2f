"""R40 on built devices, and on two recorded cards at full load, which nothing is wrong with."""

import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.facts import ServiceFacts
from advisor.finding import Need, Severity
from advisor.gpu.view import GpuView
from advisor.rule import Verdict
from advisor.rules.gpu_throttled import GpuThrottled
from tests.advisor.built import concluded, gains, numbers
from tests.advisor.built import verdict as said
from tests.advisor.gpus_built import alone, gpu, process
from tests.advisor.gpus_replayed import replayed

RULE = GpuThrottled()
NO_REASONS = dict.fromkeys(
    ("power_cap_ratio", "software_thermal_ratio", "hardware_thermal_ratio", "power_brake_ratio")
)  # fmt: skip


def hot(**changed: object) -> GpuView:
    """Busy with products, at 1200 of 1980 MHz for heat."""
    fields = {
        "busy_ratio": 0.98, "sm_active_ratio": 0.94, "tensor_active_ratio": 0.9, "dram_active_ratio": 0.25,
        "sm_clock_hertz": 1200e6, "hardware_thermal_ratio": 0.6, "software_thermal_ratio": 0.1, "power_watts": 450.0,
        "temperature_celsius": 92.0,
    }  # fmt: skip
    return gpu([process(101)], **(fields | changed))


def verdict(one: GpuView, *, standing: bool = False) -> Verdict:
    seen = alone(one)
    return said(RULE, seen, ServiceFacts(service=seen.service), standing=standing)


def found_on(one: GpuView):
    seen = alone(one)
    return concluded(RULE, seen, ServiceFacts(service=seen.service))


def test_heat_is_named_with_clocks_and_temperature():
    found = found_on(hot())
    assert found.subject.kind == "device"
    assert found.title == (
        "GPU 0 (NVIDIA H100 80GB HBM3) is held down for 61% of its busy time by heat, by the hardware, which halves them"
    )
    assert "1200 of 1980 MHz at 92 °C" in found.summary
    shown = numbers(found)
    assert shown["gpu_held_down_of_busy_time"] == pytest.approx(0.6 / 0.98, abs=1e-4)
    assert shown["gpu_sm_clock"] == 1200e6
    assert found.changes == ()
    assert ("the power limit", "450 of 700 W, the limit held the clocks 0% of the time") in {
        (r.cause, r.because) for r in found.rejected
    }


def test_work_that_computes_gains_what_the_clocks_lost():
    low, likely, high = gains(found_on(hot()))["throughput_ratio"]
    assert high == pytest.approx(1 / (0.02 + 0.98 * 1200 / 1980), abs=1e-3)
    assert likely == pytest.approx(1 / (0.02 + 0.98 / (1 + 0.65 * 0.94)), abs=1e-3)
    assert low == pytest.approx(1 / (0.02 + 0.98 / ((1 + 1.65) / 2)), abs=1e-3)


def test_work_that_waits_for_memory_gains_next_to_nothing():
    found = found_on(hot(sm_active_ratio=0.6, dram_active_ratio=0.85))
    low, likely, high = gains(found)["throughput_ratio"]
    assert (low, likely) == (1.0, 1.0)
    assert high == pytest.approx(1 + 0.65 * 0.15, abs=0.01)
    assert "hardly help" in found.summary


def test_uncounted_work_gains_something_between_both_and_is_less_sure():
    blind = found_on(hot(sm_active_ratio=None, dram_active_ratio=None, tensor_active_ratio=None))
    low, likely, high = gains(blind)["throughput_ratio"]
    assert low == 1.0
    assert 1.2 < likely < high
    assert blind.confidence < found_on(hot()).confidence


def test_the_power_limits_part_of_the_loss_is_not_promised():
    mostly_power = found_on(hot(hardware_thermal_ratio=0.1, power_cap_ratio=0.85, power_watts=695.0))
    low, likely, _ = gains(mostly_power)["throughput_ratio"]
    assert low == 1.0
    part = 1 + 0.65 * 0.94 * 0.1 / 0.95
    assert likely == pytest.approx(1 / (0.02 + 0.98 / part), abs=1e-3)


def pausing(**changed: object) -> GpuView:
    """Busy half of the time, all of which the hardware holds it down: at 700 of 1980 MHz in the mean of work and pauses."""
    return hot(**{"busy_ratio": 0.5, "sm_active_ratio": 0.4, "dram_active_ratio": 0.1, "sm_clock_hertz": 700e6,
                  "hardware_thermal_ratio": 0.5, "software_thermal_ratio": 0.0, **changed})  # fmt: skip


def test_the_mean_clock_of_work_and_pauses_bounds_what_a_kernel_lost():
    bounds = gains(found_on(pausing()))
    slowest, fastest = 1980 / 700, 1980 / (700 / 0.5)  # the work had the mean clock, or the pauses had none
    likely = 0.5 + 0.5 / ((slowest + fastest) / 2)
    expected = (1 / slowest, likely, 0.5 + 0.5 / fastest)
    assert bounds["latency_p50_ratio"] == pytest.approx(expected, abs=1e-3)
    most = 1 / (0.5 + 0.5 / slowest)
    assert bounds["throughput_ratio"] == pytest.approx((1.0, (1 + 1 / likely) / 2, most), abs=1e-3)


def test_a_device_that_pauses_and_is_held_down_by_hardware_is_more_than_info():
    seen = alone(pausing())
    found = Engine(all_rules()).judge(seen, ServiceFacts(service=seen.service))
    (own,) = (j for j in found.judged if j.rule == "gpu-throttled")
    assert own.severity.level >= Severity.LOW.level
    assert found.broken == ()


def test_pauses_promise_nothing_where_memory_bounds_the_work_and_little_where_that_is_not_counted():
    streams = gains(found_on(pausing(dram_active_ratio=0.35)))
    assert streams["latency_p50_ratio"][1:] == (1.0, 1.0)
    assert streams["throughput_ratio"][:2] == (1.0, 1.0)
    blind = gains(found_on(pausing(dram_active_ratio=None)))
    assert blind["latency_p50_ratio"][2] == 1.0
    assert blind["latency_p50_ratio"][1] < 1.0


def test_with_pauses_too_the_power_limits_part_of_the_loss_is_not_promised():
    alone_held = gains(found_on(pausing()))["latency_p50_ratio"]
    shared = gains(found_on(pausing(power_cap_ratio=0.5)))["latency_p50_ratio"]
    assert shared[0] == pytest.approx(1 / (1 + (1980 / 700 - 1) / 2), abs=1e-3)
    assert all(more < less for more, less in zip(alone_held, shared, strict=True))


def test_a_clock_that_may_be_that_of_pauses_alone_may_have_lost_nothing():
    assert gains(found_on(pausing(sm_clock_hertz=1200e6)))["latency_p50_ratio"][2] == 1.0


def test_without_clocks_nothing_is_promised():
    assert found_on(hot(sm_clock_hertz=None)).gains == ()
    assert found_on(hot(sm_clock_max_hertz=None)).gains == ()


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("software_thermal_ratio", "heat, by the driver"),
        ("hardware_thermal_ratio", "by the hardware"),
        ("power_brake_ratio", "brake signal"),
    ],
)
def test_each_reason_is_told_apart(reason, text):
    cool = {"software_thermal_ratio": 0.0, "hardware_thermal_ratio": 0.0, "power_brake_ratio": 0.0}
    assert text in found_on(hot(**{**cool, reason: 0.3})).title


def test_a_twentieth_of_the_busy_time_just_misses_and_keeps_a_standing_finding():
    barely = hot(hardware_thermal_ratio=0.045, software_thermal_ratio=0.0)
    assert verdict(barely) is None
    assert verdict(barely, standing=True) is not None
    assert verdict(hot(hardware_thermal_ratio=0.05, software_thermal_ratio=0.0)) is not None


def test_of_a_device_that_works_rarely_nothing_is_said():
    assert verdict(hot(busy_ratio=0.15)) is None
    assert verdict(hot(busy_ratio=None, sm_active_ratio=None)) is None


def test_without_reasons_low_clocks_are_a_question_and_high_ones_are_none():
    need = verdict(hot(**NO_REASONS))
    assert isinstance(need, Need)
    assert need.kind == "metrics"
    assert "1200 of 1980 MHz" in need.text
    assert verdict(hot(**NO_REASONS, sm_clock_hertz=1900e6)) is None
    assert isinstance(verdict(hot(**NO_REASONS, sm_clock_hertz=None)), Need)


def test_one_readable_reason_is_not_taken_for_all_of_them():
    only = dict(NO_REASONS, software_thermal_ratio=0.2)
    assert "by the driver" in found_on(hot(**only)).title


@pytest.mark.parametrize(("card", "clock", "first"), [("h100", 1474, 0), ("h200", 1481, 0)])
def test_a_recorded_card_at_full_load_is_at_its_power_limit_and_at_no_fault(card, clock, first):
    one = replayed(card, "sync", first=first)
    assert one.power_cap_ratio == pytest.approx(1.0, abs=0.01)
    assert (one.software_thermal_ratio, one.hardware_thermal_ratio, one.power_brake_ratio) == (0.0, 0.0, 0.0)
    found = found_on(one)
    assert found.title.endswith("as is normal at full load")
    assert f"{clock} of 1980 MHz" in found.summary
    assert "no fault" in found.summary
    assert (found.gains, found.changes) == ((), ())


def test_the_power_limit_is_never_more_than_info():
    seen = alone(hot(hardware_thermal_ratio=0.0, software_thermal_ratio=0.0, power_cap_ratio=0.9))
    (judged,) = Engine([RULE]).judge(seen, ServiceFacts(service=seen.service)).judged
    assert judged.severity == "info"


def test_a_limit_that_somebody_lowered_is_named():
    small = {"power_limit_watts": 400.0, "power_watts": 398.0, "power_cap_ratio": 0.97}
    found = found_on(hot(hardware_thermal_ratio=0.0, software_thermal_ratio=0.0, **small))
    assert "set to 400 W, shipped were 700 W" in found.summary
    assert found.gains == ()


@pytest.mark.parametrize("phase", ["idle", "launch", "pinned", "alloc", "serve", "graph", "grow"])
def test_the_other_recorded_phases_are_not_held_down(phase):
    assert verdict(replayed("h100", phase, first=1)) is None


def test_a_hot_device_is_a_finding_above_info():
    seen = alone(hot())
    found = Engine(all_rules()).judge(seen, ServiceFacts(service=seen.service))
    (own,) = (j for j in found.judged if j.rule == "gpu-throttled")
    assert own.severity == "medium"
    assert found.broken == ()
