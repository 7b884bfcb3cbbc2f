"""Is there an AMD driver to ask on this host, or an AMD card that lacks one? Seen from files, without loading anything."""

import os

from collectors.gpu.pci import pci_devices, pci_text
from collectors.gpu.states import Absent, in_state
from collectors.host import Host

_KFD = "/dev/kfd"
"""What every ROCm program opens."""
_VENDOR, _CLASSES = "0x1002", ("0x03", "0x12")
"""Class display controller or processing accelerator, which Instinct cards are."""


def amd_is_here(host: Host) -> None:
    """Raises Unreadable where AMD SMI need not be loaded: no such hardware, or no driver for it."""
    if os.path.exists(host.root + _KFD):
        return
    cards = [card for card in pci_devices(host, _VENDOR) if pci_text(host, card, "class").startswith(_CLASSES)]
    if not cards:
        raise Absent("no AMD GPU")
    if not os.path.isdir(f"{host.sys}/module/amdgpu"):
        hint = (
            "an AMD GPU is on the PCI bus, but the amdgpu driver is not loaded: modprobe amdgpu, or install the driver"
        )
        raise in_state("no driver", hint)
