"""Which TPU chips are on this node's PCI bus? Known from documentation only, never run on the hardware.

A chip of which each core is a PCI function (TPU7x) is one chip, by the address of the first. The newer generations are opened
as `/dev/vfio/GROUP`, GROUP being the device's IOMMU group, the older ones as `/dev/accelN`.
"""

import os
import re
from dataclasses import dataclass

from collectors.gpu.pci import pci_devices, pci_link, pci_text
from collectors.gpu.states import in_state
from collectors.host import Host

_VENDOR, _ACCELERATOR = "0x1ae0", "0x12"
"""Google, whose network cards and disks are on each of its virtual machines; PCI class processing accelerator."""
_GENERATIONS = {
    ("0x0027", "0x004e"): ("v2", 2), ("0x0027", "0x004f"): ("v3", 2), ("0x005e", ""): ("v4", 1),
    ("0x0063", ""): ("v5e", 1), ("0x0062", ""): ("v5p", 1), ("0x006f", ""): ("v6e", 1), ("0x0076", ""): ("7x", 2),
}  # fmt: skip
"""PCI device, and subsystem where two generations share one -> generation, and how many devices libtpu counts on a chip."""
_ACCEL = re.compile(r"accel(\d+)\Z")


@dataclass(frozen=True, slots=True)
class Chip:
    """One chip. `generation` empty: none that is known."""

    address: str
    index: int
    generation: str
    cores: int
    device_file: str | None

    @property
    def entity(self) -> str:
        return f"gpu:tpu-{self.address}"


def chips(host: Host) -> list[Chip]:
    """The chips, in the order of their device files, as `tpu-info` shows them."""
    found: dict[str, tuple[str, str, int]] = {}
    for address in pci_devices(host, _VENDOR):
        kind = _generation(host, address)
        if kind is not None:
            found.setdefault(address.rpartition(".")[0], (address, *kind))
    accels = _accels(host)
    placed = [
        (_file(host, address, place, accels), address, generation, cores)
        for place, (address, generation, cores) in enumerate(found.values())
    ]
    placed.sort(key=lambda chip: (_number(chip[0]), chip[1]))
    return [
        Chip(address, index, generation, cores, device_file)
        for index, (device_file, address, generation, cores) in enumerate(placed)
    ]


def found_chips(host: Host) -> list[Chip]:
    """As `chips`; raises Unreadable where there are none any more."""
    found = chips(host)
    if not found:
        raise in_state("no device", "no TPU chip is on the PCI bus any more")
    return found


def _generation(host: Host, address: str) -> tuple[str, int] | None:
    """Name and devices of the chip there; None where it is none."""
    device = pci_text(host, address, "device")
    known = _GENERATIONS.get((device, "")) or _GENERATIONS.get((device, pci_text(host, address, "subsystem_device")))
    if known is None and pci_text(host, address, "class").startswith(_ACCELERATOR):
        return ("", 1)
    return known


def _file(host: Host, address: str, place: int, accels: dict[str, int]) -> str | None:
    """What programs open to use the chip, which is the `place`th by PCI address; None where nothing tells."""
    group = pci_link(host, address, "iommu_group")
    if group.isdigit() and os.path.exists(f"{host.root}/dev/vfio/{group}"):
        return f"/dev/vfio/{group}"
    if address in accels:
        return f"/dev/accel{accels[address]}"
    if not accels and os.path.exists(f"{host.root}/dev/accel{place}"):
        return f"/dev/accel{place}"
    return f"/dev/vfio/{group}" if group.isdigit() and pci_link(host, address, "driver") == "vfio-pci" else None


def _accels(host: Host) -> dict[str, int]:
    """PCI address -> N of /sys/class/accel/accelN, where the driver tells."""
    found = {}
    folder = f"{host.sys}/class/accel"
    try:
        names = os.listdir(folder)
    except OSError:
        return {}
    for name in names:
        matched = _ACCEL.match(name)
        try:
            address = os.path.basename(os.readlink(f"{folder}/{name}/device"))
        except OSError:
            continue
        if matched:
            found[address] = int(matched[1])
    return found


def _number(device_file: str | None) -> int:
    digits = re.search(r"\d+\Z", device_file or "")
    return int(digits[0]) if digits else -1
