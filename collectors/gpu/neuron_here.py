"""Are there AWS Neuron devices on this host, with their driver, and the program that reads them? Seen from files."""

import os
import re

from collectors.gpu.pci import pci_devices, pci_text
from collectors.gpu.states import Absent, in_state
from collectors.host import Host

PLACES = ("/opt/aws/neuron/bin/neuron-monitor", "/usr/bin/neuron-monitor")
"""Where the package puts it; never what PATH says."""
_VENDOR = "0x1d0f"
_DEVICES = (
    "0x7064", "0x7065", "0x7066", "0x7067", "0x7164", "0x7264", "0x7364", "0x7564", "0x7565",
)  # fmt: skip
"""Inf1, Trn1, Inf2, Trn2, Trn3, as the driver knows them; Amazon's network cards and disks have others."""
_FILE = re.compile(r"neuron(\d+)\Z")


def neuron_is_here(host: Host) -> None:
    """Raises Unreadable where nothing can be read: no such hardware, no driver for it, or no program that reads it."""
    if device_numbers(host):
        program(host)
        return
    if any(pci_text(host, device, "device") in _DEVICES for device in pci_devices(host, _VENDOR)):
        hint = (
            "a Neuron device is on the PCI bus, but there is no /dev/neuron0: install aws-neuronx-dkms, or pass the devices "
            "through"
        )
        raise in_state("no driver", hint)
    raise Absent("no AWS Neuron device")


def device_numbers(host: Host) -> list[int]:
    """N of each /dev/neuronN."""
    try:
        names = os.listdir(f"{host.root}/dev")
    except OSError:
        return []
    return sorted(int(found[1]) for found in map(_FILE.match, names) if found)


def program(host: Host) -> str:
    """The path of neuron-monitor. Raises Unreadable where it is not, or may not be run."""
    for place in PLACES:
        path = host.root + place
        if os.path.isfile(path):
            if os.access(path, os.X_OK):
                return path
            raise in_state("permission", f"the user of the agent may not run {place}")
    raise in_state("no driver", "neuron-monitor is not installed: install aws-neuronx-tools")
