"""Are there TPU chips on this host, and a driver that has them? Seen from files, without loading anything."""

from collectors.gpu.pci import pci_link
from collectors.gpu.states import Absent, in_state
from collectors.gpu.tpu.chips import chips
from collectors.host import Host


def tpu_is_here(host: Host) -> None:
    """Raises Unreadable where nothing can be read: no such hardware, or no driver for it."""
    found = chips(host)
    if not found:
        raise Absent("no Google TPU")
    if not any(chip.device_file or pci_link(host, chip.address, "driver") for chip in found):
        hint = (
            "TPU chips are on the PCI bus, but no driver has them: use an image for TPU VMs, or bind them to vfio-pci"
        )
        raise in_state("no driver", hint)
