"""What is a card said to be, and where?"""

from pathlib import Path

import pytest

from collectors.gpu.samples import GpuInfoSample
from collectors.sources.amd_info import AmdInfoCollector
from tests.collectors.gpu_others.amd_cards import amd_machine, install
from tests.collectors.gpu_others.fake_amdsmi import MI300X
from tests.collectors.gpu_others.readings import samples


def test_what_a_card_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, MI300X)
    machine = amd_machine(tmp_path)
    (info,) = samples(AmdInfoCollector(), machine)
    assert isinstance(info, GpuInfoSample)
    assert (info.vendor, info.name, info.index) == ("amd", "AMD Instinct MI300X", 0)
    assert (info.architecture, info.driver, info.multiprocessors) == ("cdna3", "6.10.5", 304)
    assert (info.pci, info.numa_node, info.device_file) == ("0000:c1:00.0", 1, "/dev/dri/renderD128")
    assert (info.sm_clock_max_mhz, info.memory_clock_max_mhz) == (2100, 1300)
    assert (info.power_limit_default_mw, info.pcie_generation_max, info.pcie_width_max) == (700_000, 5, 16)
    assert info.unsupported is None
