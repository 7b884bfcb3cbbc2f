"""Is it seen from files alone whether there is a driver to ask, and is nothing loaded before it is asked?"""

import subprocess
import sys
from pathlib import Path

import pytest

from collectors.gpu.states import Absent
from collectors.reading import Unreadable
from collectors.sources.nvidia import NvidiaCollector
from collectors.sources.nvidia_health import NvidiaHealthCollector
from collectors.sources.nvidia_info import NvidiaInfoCollector
from tests.collectors.gpu.reader import Reader
from tests.hosttree import HostTree
from tests.nvml import Scenario

KINDS = [NvidiaCollector, NvidiaHealthCollector, NvidiaInfoCollector]
Kind = type[NvidiaCollector] | type[NvidiaHealthCollector] | type[NvidiaInfoCollector]


def plugged(machine: HostTree, vendor: str, kind: str) -> None:
    for name, content in (("vendor", vendor), ("class", kind)):
        machine.file(f"sys/bus/pci/devices/0000:00:06.0/{name}", f"{content}\n")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sign", ["proc/driver/nvidia/version", "dev/nvidiactl", "dev/dxg"])
def test_a_driver_is_seen_by_its_files(tmp_path: Path, kind: Kind, sign: str) -> None:
    machine = HostTree(tmp_path)
    machine.file(sign, "")
    kind().present(machine.host)


@pytest.mark.parametrize("kind", KINDS)
def test_a_card_without_a_driver_is_no_absent_card(tmp_path: Path, kind: Kind) -> None:
    machine = HostTree(tmp_path)
    plugged(machine, "0x10de", "0x030200")
    with pytest.raises(Unreadable) as state:
        kind().present(machine.host)
    assert state.value.reason == "no driver"
    assert not isinstance(state.value, Absent)


@pytest.mark.parametrize(("vendor", "what"), [("0x1002", "0x030200"), ("0x10de", "0x040300"), ("0x8086", "0x030000")])
def test_a_card_of_another_vendor_or_for_sound_is_none(tmp_path: Path, vendor: str, what: str) -> None:
    machine = HostTree(tmp_path)
    plugged(machine, vendor, what)
    with pytest.raises(Absent):
        NvidiaCollector().present(machine.host)


def test_the_binding_is_not_loaded_where_the_collectors_only_stand_in_a_list() -> None:
    program = """
import sys
from collectors.collector import all_collectors
assert {one.doing for one in all_collectors() if one.name.startswith("nvidia")} == {""}
assert "pynvml" not in sys.modules
"""
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", program], cwd=root, timeout=60, check=False).returncode == 0


def test_devices_and_their_processes_come_in_one_reading(nvidia: Reader) -> None:
    scenario = Scenario()
    for _ in range(2):
        scenario.process(scenario.card(power=1000), 450, 1 << 20)
    reading = nvidia.fresh(scenario).reading()
    assert [one["entity"] for one in reading["samples"]] == [
        "gpu:GPU-0",
        "gpu-process:GPU-0/450",
        "gpu:GPU-1",
        "gpu-process:GPU-1/450",
    ]


def test_the_temperature_of_a_driver_without_the_newer_call(nvidia: Reader) -> None:
    scenario = Scenario()
    scenario.card(temperature_0=61)
    scenario.fail("*", "nvmlDeviceGetTemperatureV", "FUNCTION_NOT_FOUND")
    assert nvidia.fresh(scenario).device()["temperature_celsius"] == 61
