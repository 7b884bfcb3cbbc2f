"""What is read seldom: traffic by measuring, links, errors of memory, energy."""

import time

import pytest

from tests.collectors.gpu.reader import HEALTH, INFO, Reader
from tests.nvml import Scenario, field

TRAFFIC = {"pcie_tx": 259_423, "pcie_rx": 2_012_109}
"""KiB/s, as an L40S said while it encoded videos."""


def card(**values: object) -> Scenario:
    scenario = Scenario()
    scenario.card(**values)
    return scenario


def sampled(nvidia: Reader) -> tuple[int | None, int | None]:
    sample = nvidia.device(collector=HEALTH)
    return sample["pcie_sampled_tx_bytes_per_second"], sample["pcie_sampled_rx_bytes_per_second"]


def test_traffic_is_measured_where_nothing_counts_it_and_that_takes_its_time(nvidia: Reader) -> None:
    nvidia.fresh(card(**TRAFFIC))
    began = time.monotonic()
    assert sampled(nvidia) == (259_423 * 1024, 2_012_109 * 1024)
    assert time.monotonic() - began >= 0.04


def test_traffic_is_not_measured_where_it_is_counted(nvidia: Reader) -> None:
    nvidia.fresh(card(gpm_support=1, **TRAFFIC).hang(0, "nvmlDeviceGetPcieThroughput"))
    assert sampled(nvidia) == (None, None)


def test_traffic_in_one_direction_only(nvidia: Reader) -> None:
    assert sampled(nvidia.fresh(card(pcie_tx=5))) == (5 * 1024, None)


@pytest.mark.parametrize(("up", "down", "active"), [(0, 0, None), (0, 4, 0), (4, 0, 4), (10, 2, 10), (18, 0, 18)])
def test_links_that_are_up_are_counted(nvidia: Reader, up: int, down: int, active: int | None) -> None:
    scenario = card()
    for link in range(up + down):
        scenario.set(0, f"nvlink.{link}", int(link < up))
    for _ in range(2):
        assert nvidia.fresh(scenario).device(collector=HEALTH)["nvlinks_active"] == active
    unsupported = nvidia.device(collector=INFO)["unsupported"].split()
    assert ("NvLinkState" in unsupported) == (active is None)
    numbered = [name for name in unsupported if name.startswith("NvLinkState.")]
    assert len(numbered) == (0 if active is None else 18 - up - down)


@pytest.mark.parametrize(
    ("said", "celsius"), [("58", 58), ("0", 0), ("unfilled", None), ("error 3", None), ("error 2", None), (None, None)]
)
def test_the_memorys_temperature(nvidia: Reader, said: str | None, celsius: int | None) -> None:
    """A driver may answer success and write nothing."""
    nvidia.fresh(card().set(0, field("MEMORY_TEMP"), said))
    for _ in range(2):
        assert nvidia.device(collector=HEALTH)["memory_temperature_celsius"] == celsius


def test_errors_of_memory_and_replaced_rows(nvidia: Reader) -> None:
    scenario = card(ecc_corrected=12, ecc_uncorrected=3, remapped="2 1 1 0")
    sample = nvidia.fresh(scenario).device(collector=HEALTH)
    assert (sample["ecc_corrected"], sample["ecc_uncorrected"]) == (12, 3)
    assert [sample[name] for name in ("remapped_rows", "remap_pending", "remap_failed")] == [3, 1, 0]


def test_energy_grows(nvidia: Reader) -> None:
    nvidia.fresh(card(energy="1000 +1000000"))
    first, second = (nvidia.device(collector=HEALTH)["energy_mj"] for _ in range(2))
    assert 1000 <= first < second
