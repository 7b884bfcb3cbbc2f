"""Is it seen from files alone which TPU chips there are, and whether a driver has them?"""

from pathlib import Path

import pytest

from collectors.gpu.tpu.chips import chips
from collectors.sources.tpu import TpuCollector
from collectors.sources.tpu_info import TpuInfoCollector
from tests.collectors.gpu_others.pci_tree import pci_device
from tests.collectors.gpu_others.readings import seen
from tests.collectors.gpu_others.tpu_chips import GOOGLE, tpu_machine, v3
from tests.hosttree import HostTree

KINDS = [TpuCollector, TpuInfoCollector]
Kind = type[TpuCollector] | type[TpuInfoCollector]


@pytest.mark.parametrize("kind", KINDS)
def test_chips_and_their_driver_are_seen_by_files(tmp_path: Path, kind: Kind) -> None:
    machine = tpu_machine(tmp_path)
    assert seen(kind(), machine)[0] == "no Google TPU"
    pci_device(machine, "0000:00:04.0", GOOGLE, "0x0063")
    assert seen(kind(), machine)[0] == "no driver"
    (machine.root / "sys/bus/pci/devices/0000:00:04.0/driver").symlink_to("../../bus/pci/drivers/vfio-pci")
    assert seen(kind(), machine)[0] == "present"


def test_which_chips_there_are(tmp_path: Path) -> None:
    def kinds(machine: HostTree) -> list[tuple[str, str, str | None, int]]:
        return [(chip.address, chip.generation, chip.device_file, chip.cores) for chip in chips(machine.host)]

    old = HostTree(tmp_path / "v3")
    v3(old)
    assert kinds(old) == [("0000:00:04.0", "v3", "/dev/accel0", 2), ("0000:00:05.0", "v3", "/dev/accel1", 2)]

    told = HostTree(tmp_path / "v4")
    for place, address in enumerate(("0000:00:05.0", "0000:00:04.0")):
        pci_device(told, address, GOOGLE, "0x005e")
        folder = told.root / f"sys/class/accel/accel{place}"
        folder.mkdir(parents=True)
        (folder / "device").symlink_to(f"../../../{address}")
    assert kinds(told) == [("0000:00:05.0", "v4", "/dev/accel0", 1), ("0000:00:04.0", "v4", "/dev/accel1", 1)]

    new = HostTree(tmp_path / "7x")
    for place, address in enumerate(("0000:00:04.0", "0000:00:04.1", "0000:00:05.0", "0000:00:05.1")):
        links = {"iommu_group": f"../{place + 9}", "driver": "../vfio-pci"}
        pci_device(new, address, GOOGLE, "0x0076", links=links)
    assert kinds(new) == [("0000:00:04.0", "7x", "/dev/vfio/9", 2), ("0000:00:05.0", "7x", "/dev/vfio/11", 2)]

    unknown = HostTree(tmp_path / "later")
    pci_device(unknown, "0000:00:04.0", GOOGLE, "0x9999")
    assert kinds(unknown) == [("0000:00:04.0", "", None, 1)]


def test_what_waits_for_nothing_says_so() -> None:
    assert {kind().doing for kind in KINDS} == {""}
    assert {kind.process for kind in KINDS} == {"tpu"}
