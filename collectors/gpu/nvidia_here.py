"""Is there a NVIDIA driver to ask on this host, or a NVIDIA card that lacks one? Seen from files, without loading anything."""

import os

from collectors.gpu.pci import pci_devices, pci_text
from collectors.gpu.states import Absent, in_state
from collectors.host import Host

_SIGNS = ("/dev/nvidiactl", "/dev/dxg")
"""The driver's control device, and that of WSL 2."""
_VENDOR, _DISPLAY = "0x10de", ("0x0300", "0x0302")
"""Class VGA or 3D controller."""


def nvidia_is_here(host: Host) -> None:
    """Raises Unreadable where NVML need not be loaded: no such hardware, or no driver for it."""
    if os.path.exists(f"{host.proc}/driver/nvidia") or any(os.path.exists(host.root + sign) for sign in _SIGNS):
        return
    if _cards(host):
        hint = "a NVIDIA GPU is on the PCI bus, but its driver is not loaded: install it, or pass the devices through"
        raise in_state("no driver", hint)
    raise Absent("no NVIDIA GPU")


def _cards(host: Host) -> list[str]:
    return [card for card in pci_devices(host, _VENDOR) if pci_text(host, card, "class").startswith(_DISPLAY)]
