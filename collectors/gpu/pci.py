"""Where on the PCI bus is a device, and which devices of a vendor are there?"""

import os
from contextlib import suppress

from collectors.host import Host


def pci_address(bus_id: str) -> str:
    """`0000:00:06.0`, as /sys names it, of NVML's `00000000:00:06.0`."""
    domain, _, rest = bus_id.partition(":")
    return f"{domain[-4:]}:{rest}".lower()


def numa_node(host: Host, address: str) -> int | None:
    """The node of a PCI device; -1 there means that nobody said."""
    with suppress(ValueError):
        node = int(pci_text(host, address, "numa_node"))
        return node if node >= 0 else None
    return None


def pci_devices(host: Host, vendor: str) -> list[str]:
    """The addresses of a vendor's devices (`0x10de`), in their order."""
    try:
        addresses = os.listdir(f"{host.sys}/bus/pci/devices")
    except OSError:
        return []
    return sorted(address for address in addresses if pci_text(host, address, "vendor") == vendor)


def pci_text(host: Host, address: str, name: str) -> str:
    """What /sys says of a PCI device in the file `name`; empty where it does not."""
    try:
        return host.text(f"{host.sys}/bus/pci/devices/{address}/{name}").strip()
    except OSError:
        return ""


def pci_link(host: Host, address: str, name: str) -> str:
    """The last part of what the link `name` of a PCI device points to (`driver`, `iommu_group`); empty where there is none."""
    try:
        return os.path.basename(os.readlink(f"{host.sys}/bus/pci/devices/{address}/{name}"))
    except OSError:
        return ""
