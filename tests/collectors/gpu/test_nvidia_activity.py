"""When do the counters of activity say something, and what over?"""

import time
from typing import Any

import pytest

from tests.collectors.gpu.reader import INFO, SHORTEST, Reader
from tests.nvml import Scenario

MIB = 1 << 20
GPM = {2: 50.686, 3: 7.906, 5: 48.65, 10: 16.755, 20: 8.933, 21: 8.525}
"""As an H100 without NVLink said under load."""
FIELDS = ("sm_active_ppm", "sm_occupancy_ppm", "tensor_active_ppm", "dram_active_ppm", "pcie_tx_bytes_per_second",
          "pcie_rx_bytes_per_second", "nvlink_tx_bytes_per_second", "nvlink_rx_bytes_per_second")  # fmt: skip
KNOWN = [506_860, 79_060, 486_500, 167_550, round(8.933 * MIB), round(8.525 * MIB), None, None]
UNKNOWN = [None] * len(FIELDS)


def hopper(**values: object) -> Scenario:
    scenario = Scenario()
    scenario.card(gpm_support=1, **values)
    for number, value in GPM.items():
        scenario.set(0, f"gpm.{number}", value)
    return scenario


def activity(sample: dict[str, Any]) -> list[int | None]:
    return [sample[name] for name in FIELDS]


def test_a_window_lies_between_two_readings(nvidia: Reader) -> None:
    scenario = hopper()
    assert activity(nvidia.fresh(scenario).device()) == UNKNOWN
    time.sleep(SHORTEST)
    assert activity(nvidia.device()) == KNOWN
    nvidia.show(scenario.set(0, "gpm.5", 0.0).set(0, "gpm.10", 0.001))
    time.sleep(SHORTEST)
    idle = nvidia.device()
    assert (idle["tensor_active_ppm"], idle["dram_active_ppm"]) == (0, 10)


def test_a_reading_too_soon_knows_nothing_and_does_not_shorten_the_window(nvidia: Reader) -> None:
    nvidia.fresh(hopper()).device()
    assert activity(nvidia.device()) == UNKNOWN
    time.sleep(SHORTEST)
    assert activity(nvidia.device()) == KNOWN


def test_a_window_without_a_new_reading_of_the_driver_knows_nothing(nvidia: Reader) -> None:
    """The reader takes it for long enough; the driver answers zeros and a memory activity that is no number."""
    nvidia.fresh(hopper()).device()
    assert activity(nvidia.device(mono=1)) == UNKNOWN
    time.sleep(SHORTEST)
    assert activity(nvidia.device(mono=2)) == KNOWN


def test_a_window_of_more_than_ten_minutes_is_begun_anew(nvidia: Reader) -> None:
    nvidia.fresh(hopper()).device()
    time.sleep(SHORTEST)
    assert activity(nvidia.device(mono=601)) == UNKNOWN
    time.sleep(SHORTEST)
    assert activity(nvidia.device(mono=601)) == KNOWN


def test_a_window_goes_on_when_the_devices_are_counted_anew(nvidia: Reader) -> None:
    nvidia.fresh(hopper()).device()
    time.sleep(SHORTEST)
    assert activity(nvidia.device(mono=61)) == KNOWN


def test_a_device_without_counters_is_asked_no_more(nvidia: Reader) -> None:
    scenario = hopper().set(0, "gpm.support", 0)
    assert activity(nvidia.fresh(scenario).device()) == UNKNOWN
    nvidia.show(scenario.set(0, "gpm.support", 1))
    for _ in range(2):
        assert activity(nvidia.device()) == UNKNOWN
        time.sleep(SHORTEST)
    assert "Gpm" in nvidia.device(collector=INFO)["unsupported"].split()


@pytest.mark.parametrize(
    ("function", "error"),
    [
        ("nvmlGpmQueryDeviceSupport", "FUNCTION_NOT_FOUND"),
        ("nvmlGpmSampleGet", "NO_PERMISSION"),
        ("nvmlGpmMetricsGet", "INVALID_ARGUMENT"),
        ("nvmlGpmSampleGet", "UNKNOWN"),
    ],
)
def test_counters_that_cannot_be_read_hide_nothing_else(nvidia: Reader, function: str, error: str) -> None:
    scenario = hopper(power=1000).fail(0, function, error)
    for shift in (0, 1, 2):
        sample = nvidia.fresh(scenario).device() if shift == 0 else nvidia.device(mono=shift)
        assert (sample["state"], sample["power_mw"], activity(sample)) == ("ok", 1000, UNKNOWN)


def test_one_metric_that_is_no_number_is_unknown_by_itself(nvidia: Reader) -> None:
    nvidia.fresh(hopper().set(0, "gpm.5", "nan")).device()
    time.sleep(SHORTEST)
    expected = dict(zip(FIELDS, KNOWN, strict=True)) | {"tensor_active_ppm": None}
    assert activity(nvidia.device()) == list(expected.values())


def test_two_devices_have_windows_of_their_own(nvidia: Reader) -> None:
    scenario = hopper()
    scenario.card(gpm_support=1, gpm_5=11.0, gpm_10=1.0)
    nvidia.fresh(scenario).reading()
    time.sleep(SHORTEST)
    reading = nvidia.reading()
    assert [one["tensor_active_ppm"] for one in reading["samples"]] == [486_500, 110_000]


def test_an_instance_has_activity_of_its_own(nvidia: Reader) -> None:
    scenario = hopper(mig="1 1", mig_most=7)
    first, second = (scenario.instance(0, place, f"MIG-{place}", 3 + place) for place in (0, 1))
    scenario.set(first, "gpm.5", 5.0).set(first, "gpm.10", 1.0).set(second, "gpm.5", 80.0).set(second, "gpm.10", 2.0)
    nvidia.fresh(scenario).reading()
    time.sleep(SHORTEST)
    reading = nvidia.reading()
    found = {one["entity"]: (one["tensor_active_ppm"], one["dram_active_ppm"]) for one in reading["samples"]}
    assert found == {"gpu:GPU-0": (486_500, 167_550), "gpu:MIG-0": (50_000, 10_000), "gpu:MIG-1": (800_000, 20_000)}
