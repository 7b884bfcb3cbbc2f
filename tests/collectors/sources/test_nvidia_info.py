"""What is a device said to be, where is it, what of it cannot be read, and who else reads it?"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collectors.gpu.reader import HEALTH, INFO, NOW, Reader, made_machine, of
from tests.hosttree import HostTree
from tests.nvml import Scenario


def card(**values: object) -> Scenario:
    scenario = Scenario()
    scenario.card(**values)
    return scenario


def test_a_device_that_tells_only_its_name_has_nothing_else(nvidia: Reader) -> None:
    readings = nvidia.fresh(card(memory_total=None, minor=None)).collect()
    told = {
        name: {key: value for key, value in of(reading, "GPU-0").items() if value is not None}
        for name, reading in readings.items()
    }
    assert told[HEALTH] == {"kind": "gpu_health", "entity": "gpu:GPU-0"}
    assert told[NOW].keys() == {
        "kind", "entity", "state", "xid_events", "memory_total_bytes", "memory_free_bytes", "processes",
        "unknown_processes", "divided",
    }  # fmt: skip
    unsupported = told[INFO].pop("unsupported").split()
    assert unsupported == sorted(unsupported)
    assert {"PowerUsage", "UtilizationRates", "Temperature", "TemperatureV", "Gpm", "PciInfo"} <= set(unsupported)
    assert told[INFO] == {
        "kind": "gpu_info", "entity": "gpu:GPU-0", "vendor": "nvidia", "name": "NVIDIA Test", "index": 0, "mig": 0,
        "driver": "580.159.04", "cuda": "13.0", "unified_memory": 1, "mps": 0,
    }  # fmt: skip


@pytest.fixture
def placed(nvml_library: Path, tmp_path: Path) -> Iterator[tuple[HostTree, Reader]]:
    """A machine of its own, and the readers on it."""
    machine = made_machine(tmp_path / "machine", 1, 30, 31)
    with Reader(nvml_library, tmp_path, machine) as reader:
        yield machine, reader


def test_where_a_device_is_and_who_else_reads_it(placed: tuple[HostTree, Reader]) -> None:
    machine, reader = placed
    machine.file("sys/bus/pci/devices/0000:81:00.0/numa_node", "1\n")
    reader.fresh(card(pci="00000000:81:00.0", affinity="65280 0 0 0", compute_mode=3))
    info = reader.device(collector=INFO)
    assert (info["pci"], info["numa_node"], info["cpus"]) == ("0000:81:00.0", 1, "8-15")
    assert (info["compute_mode"], info["mps"], info["other_readers"]) == ("exclusive-process", 0, None)
    machine.file("sys/bus/pci/devices/0000:81:00.0/numa_node", "-1\n")
    machine.file("proc/30/comm", "nv-hostengine\n")
    machine.file("proc/31/comm", "nvidia-cuda-mps\n")
    info = reader.device(collector=INFO)
    assert (info["numa_node"], info["mps"], info["other_readers"]) == (None, 1, "nv-hostengine")
