"""A node with TPU chips, and what is served of them."""

from pathlib import Path
from typing import Any

from collectors.gpu.tpu.service import BANDWIDTH, DUTY_CYCLE, MEMORY_TOTAL, MEMORY_USED
from tests.collectors.gpu_others.pci_tree import pci_device
from tests.hosttree import HostTree

GIB = 1 << 30
GOOGLE = "0x1ae0"


def tpu_machine(root: Path) -> HostTree:
    """A virtual machine of Google's, without chips yet."""
    found = HostTree(root)
    pci_device(found, "0000:00:03.0", GOOGLE, "0x0042", klass="0x020000")  # a network card
    return found


def v6e(machine: HostTree, count: int = 4) -> None:
    """Chips whose order by PCI address is not that of their groups."""
    for place in range(count):
        group = str(count - 1 - place)
        links = {"iommu_group": f"../../../kernel/iommu_groups/{group}", "driver": "../../bus/pci/drivers/vfio-pci"}
        pci_device(machine, f"0000:0{place + 4}:00.0", GOOGLE, "0x006f", links=links, numa_node=str(place // 2))
        machine.file(f"dev/vfio/{group}", "")
    machine.file("dev/vfio/vfio", "")


def v3(machine: HostTree, count: int = 2) -> None:
    for place in range(count):
        pci_device(machine, f"0000:00:0{place + 4}.0", GOOGLE, "0x0027", subsystem_device="0x004f")
        machine.file(f"dev/accel{place}", "")


def of_four(**values: Any) -> dict[str, Any]:
    """What a host of a slice of several serves: its devices are 8, 9, 12 and 13."""
    devices = (8, 9, 12, 13)
    return {
        MEMORY_TOTAL: dict.fromkeys(devices, 31 * GIB),
        MEMORY_USED: dict(zip(devices, (0, GIB, 2 * GIB, 3 * GIB), strict=True)),
        DUTY_CYCLE: dict(zip(devices, (0.0, 12.5, 99.99, 100.0), strict=True)),
        BANDWIDTH: dict.fromkeys(devices, 43.25),
        **values,
    }
