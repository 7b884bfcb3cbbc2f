"""Asks every device in turn, and says what it means where devices do not answer."""

from collections.abc import Callable

from collectors.gpu.asked import Doing
from collectors.gpu.in_turn import in_turn
from collectors.gpu.nvml.devices import Device, Devices
from collectors.gpu.nvml.library import InstanceGone, Nvml, nvml
from collectors.gpu.states import in_state
from collectors.sample import Sample

Read = Callable[[Nvml, Device], list[Sample]]


class EachDevice:
    """One collector's view of the devices: its own handles and its own memory of what each does not tell."""

    def __init__(self) -> None:
        self.doing = Doing()
        self._devices = Devices(self.doing)

    def found(self, mono_ns: int) -> tuple[Nvml, list[Device]]:
        """Raises Unreadable where driver or devices are not there."""
        library = nvml()
        return library, self._devices.now(library, mono_ns)

    def read(
        self, library: Nvml, devices: list[Device], read: Read, lost: Callable[[Device], list[Sample]]
    ) -> list[Sample]:
        """What `read` gives of each device, and `lost` of one that is gone. Raises Unreadable where all are."""

        def of_one(device: Device) -> list[Sample]:
            try:
                return read(library, device)
            except InstanceGone:
                self._devices.taken_away(library, device)
                return []

        def of_lost(device: Device) -> list[Sample]:
            library.unsupported.pop(device.uuid, None)  # should it come back, it is asked everything anew
            return lost(device)

        found = in_turn(devices, of_one, of_lost)
        if found is None:
            library.end()
            raise in_state("lost", "no GPU answers any more: see the kernel log for XID 79; reset them, or reboot")
        return found
