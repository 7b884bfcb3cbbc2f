"""Are errors of the driver counted, and the time for which clocks were held down?"""

from typing import Any

import pytest

from tests.collectors.gpu.reader import Reader, of
from tests.nvml import Scenario, field

SECOND = 1_000_000_000
COUNTERS = {
    "power_cap_ns": "SW_POWER_CAP", "software_thermal_ns": "SW_THERM_SLOWDOWN",
    "hardware_thermal_ns": "HW_THERM_SLOWDOWN", "power_brake_ns": "HW_POWER_BRAKE_SLOWDOWN",
}  # fmt: skip
LONGEST = 10 * SECOND
"""So much of the time between two readings can be added."""


def cards(number: int = 1, **values: object) -> Scenario:
    scenario = Scenario()
    for _ in range(number):
        scenario.card(**values)
    return scenario


def xids(sample: dict[str, Any]) -> tuple[int | None, int | None]:
    return sample["xid_events"], sample["last_xid"]


def held(sample: dict[str, Any]) -> list[int | None]:
    return [sample[name] for name in COUNTERS]


def key(name: str) -> str:
    return field(f"CLOCKS_EVENT_REASON_{name}")


def test_errors_are_counted_from_when_they_are_watched_for(nvidia: Reader) -> None:
    scenario = cards(2).xid(0, 31)
    assert xids(nvidia.fresh(scenario).device()) == (0, None)
    nvidia.show(scenario.xid(0, 13).xid(0, 79))
    reading = nvidia.reading()
    assert (xids(of(reading, "GPU-0")), xids(of(reading, "GPU-1"))) == ((2, 79), (0, None))
    nvidia.show(scenario.xid(1, 48))
    reading = nvidia.reading()
    assert (xids(of(reading, "GPU-0")), xids(of(reading, "GPU-1"))) == ((2, 79), (1, 48))


def test_many_errors_come_over_several_readings(nvidia: Reader) -> None:
    scenario = cards()
    nvidia.fresh(scenario).reading()
    for _ in range(100):
        scenario.xid(0, 43)
    nvidia.show(scenario)
    assert [xids(nvidia.device()) for _ in range(3)] == [(64, 43), (100, 43), (100, 43)]


def test_errors_are_counted_on_when_devices_are_counted_anew(nvidia: Reader) -> None:
    scenario = cards()
    nvidia.fresh(scenario).reading()
    nvidia.show(scenario.xid(0, 43))
    assert xids(nvidia.device(mono=61)) == (1, 43)
    nvidia.show(scenario.xid(0, 44))
    assert xids(nvidia.device(mono=122)) == (2, 44)


@pytest.mark.parametrize("function", ["nvmlDeviceRegisterEvents", "nvmlEventSetCreate"])
def test_errors_that_cannot_be_watched_for_are_unknown(nvidia: Reader, function: str) -> None:
    scenario = cards().fail("nvml" if "Create" in function else 0, function, "NOT_SUPPORTED").xid(0, 79)
    assert xids(nvidia.fresh(scenario).device()) == (None, None)
    assert xids(nvidia.device()) == (None, None)


def test_time_is_the_drivers_where_it_counts(nvidia: Reader) -> None:
    scenario = cards(reasons=4)
    for number, name in enumerate(COUNTERS.values(), 1):
        scenario.set(0, key(name), number * 1000)
    assert held(nvidia.fresh(scenario).device()) == [1000, 2000, 3000, 4000]
    nvidia.show(scenario.set(0, key("HW_THERM_SLOWDOWN"), 5 * SECOND))
    assert held(nvidia.device()) == [1000, 2000, 5 * SECOND, 4000]


def test_one_counter_that_is_missing_is_unknown_by_itself(nvidia: Reader) -> None:
    scenario = cards().set(0, key("SW_POWER_CAP"), 1000).set(0, key("HW_THERM_SLOWDOWN"), "unfilled")
    assert held(nvidia.fresh(scenario).device()) == [1000, None, None, None]


@pytest.mark.parametrize("counters", ["missing", "unfilled", "no call"])
def test_time_is_added_up_where_the_driver_does_not_count(nvidia: Reader, counters: str) -> None:
    """Only the last reasons are known of the time between two readings, and of a long one not even those."""
    scenario = cards(reasons=0x4 | 0x40)
    if counters == "unfilled":
        for name in COUNTERS.values():
            scenario.set(0, key(name), "unfilled")
    elif counters == "no call":
        scenario.fail(0, "nvmlDeviceGetFieldValues", "FUNCTION_NOT_FOUND")
    assert held(nvidia.fresh(scenario).device()) == [0, 0, 0, 0]
    assert held(nvidia.device(mono=100)) == [LONGEST, 0, LONGEST, 0]
    nvidia.show(scenario.set(0, "reasons", 0x80))
    assert held(nvidia.device(mono=200)) == [LONGEST, 0, LONGEST, LONGEST]
    nvidia.show(scenario.set(0, "reasons", 1))
    assert held(nvidia.device(mono=300)) == [LONGEST, 0, LONGEST, LONGEST]


def test_a_device_that_gives_no_reasons_at_all_is_not_free_of_them(nvidia: Reader) -> None:
    nvidia.fresh(cards())
    for _ in range(2):
        assert held(nvidia.device()) == [None] * 4


def test_counters_that_failed_once_do_not_begin_anew(nvidia: Reader) -> None:
    scenario = cards(reasons=4).set(0, key("SW_POWER_CAP"), 5 * SECOND)
    assert held(nvidia.fresh(scenario).device())[0] == 5 * SECOND
    nvidia.show(scenario.fail(0, "nvmlDeviceGetFieldValues", "UNKNOWN"))
    assert held(nvidia.device()) == [None] * 4
    nvidia.show(scenario.mend(0, "nvmlDeviceGetFieldValues"))
    assert held(nvidia.device())[0] == 5 * SECOND
