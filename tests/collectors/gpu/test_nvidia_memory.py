"""How much memory is said to be there, by drivers of several ages and on devices that share the node's?"""

from typing import Any

import pytest

from tests.collectors.gpu.reader import INFO, Reader
from tests.nvml import Scenario

GIB = 1 << 30
MEMORY = {"memory_total": 16 * GIB, "memory_reserved": GIB, "memory_used": 4 * GIB}
BOTH = ("nvmlDeviceGetMemoryInfo", "nvmlDeviceGetMemoryInfo_v2")


def memory(sample: dict[str, Any]) -> list[int | None]:
    return [sample[f"memory_{part}_bytes"] for part in ("total", "reserved", "used", "free")]


def test_the_second_version_keeps_the_drivers_reserve_apart(nvidia: Reader) -> None:
    scenario = Scenario()
    scenario.card(**MEMORY)
    assert memory(nvidia.fresh(scenario).device()) == [16 * GIB, GIB, 4 * GIB, 11 * GIB]


def test_an_older_driver_counts_its_reserve_as_used(nvidia: Reader) -> None:
    scenario = Scenario()
    scenario.card(**MEMORY)
    scenario.fail("*", "nvmlDeviceGetMemoryInfo_v2", "FUNCTION_NOT_FOUND")
    assert memory(nvidia.fresh(scenario).device()) == [16 * GIB, None, 5 * GIB, 11 * GIB]
    assert nvidia.device(collector=INFO)["unified_memory"] == 0


def test_a_second_version_that_failed_once_is_not_replaced_by_the_first(nvidia: Reader) -> None:
    scenario = Scenario()
    scenario.card(**MEMORY)
    scenario.fail(0, "nvmlDeviceGetMemoryInfo_v2", "UNKNOWN")
    assert memory(nvidia.fresh(scenario).device()) == [None] * 4
    nvidia.show(scenario.mend(0, "nvmlDeviceGetMemoryInfo_v2"))
    assert memory(nvidia.device()) == [16 * GIB, GIB, 4 * GIB, 11 * GIB]


def test_a_device_that_supports_neither_shares_the_nodes_memory(nvidia: Reader) -> None:
    scenario = Scenario()
    scenario.card(memory_total=None)
    scenario.process(0, 450, GIB)
    sample = nvidia.fresh(scenario).device()
    assert memory(sample) == [125_000_000 * 1024, None, None, 100_000_000 * 1024]
    assert (sample["processes"], sample["unknown_memory_bytes"]) == (1, None)
    assert nvidia.device(collector=INFO)["unified_memory"] == 1


@pytest.mark.parametrize("error", ["NO_PERMISSION", "NOT_SUPPORTED"])
def test_a_divided_device_that_does_not_tell_has_not_the_nodes_memory(nvidia: Reader, error: str) -> None:
    scenario = Scenario()
    scenario.card(mig="1 1", mig_most=0, **MEMORY)
    for function in BOTH:
        scenario.fail(0, function, error)
    for _ in range(2):
        assert memory(nvidia.fresh(scenario).device()) == [None] * 4
    assert nvidia.device(collector=INFO)["unified_memory"] == 0


def test_memory_that_grows_is_seen_growing(nvidia: Reader) -> None:
    scenario = Scenario()
    scenario.card(memory_total=16 * GIB, memory_used=f"{GIB} +{GIB}")
    first = nvidia.fresh(scenario).device()["memory_used_bytes"]
    assert GIB <= first < nvidia.device()["memory_used_bytes"]
