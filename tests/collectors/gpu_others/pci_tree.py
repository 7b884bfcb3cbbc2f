"""PCI devices on a machine made of files."""

from tests.hosttree import HostTree


def pci_device(
    machine: HostTree, address: str, vendor: str, device: str, *, links: dict[str, str] | None = None, **files: str
) -> None:
    """Write /sys/bus/pci/devices/ADDRESS. `links`: name -> where it points to; other words are files (`klass`: class)."""
    folder = f"sys/bus/pci/devices/{address}"
    named = {"class": files.pop("klass", "0x120000"), "vendor": vendor, "device": device, **files}
    for name, content in named.items():
        machine.file(f"{folder}/{name}", content + "\n")
    for name, target in (links or {}).items():
        (machine.root / folder / name).symlink_to(target)
