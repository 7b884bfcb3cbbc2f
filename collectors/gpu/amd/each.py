"""Asks every AMD device in turn, and says what it means where devices do not answer."""

from collections.abc import Callable

from collectors.gpu.amd.devices import Device, Devices
from collectors.gpu.amd.library import smi
from collectors.gpu.asked import Doing
from collectors.gpu.in_turn import in_turn
from collectors.gpu.states import in_state
from collectors.sample import Sample


class EachDevice:
    """One collector's view of the devices: its own handles and its own memory of what each does not tell."""

    def __init__(self) -> None:
        self.doing = Doing()
        self._devices = Devices(self.doing)

    def read(
        self, mono_ns: int, read: Callable[[Device], list[Sample]], lost: Callable[[Device], list[Sample]]
    ) -> list[Sample]:
        """What `read` gives of each device, and `lost` of one that is gone. Raises Unreadable where library, driver or
        devices are not there, or all of these are gone."""
        library = smi()
        found = in_turn(self._devices.now(library, mono_ns), read, lost)
        if found is None:
            library.end()
            hint = "no AMD GPU answers any more: see the kernel log for resets by amdgpu, and reboot where they failed"
            raise in_state("lost", hint)
        return found
