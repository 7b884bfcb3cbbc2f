"""Which devices does AMD SMI name? Known from documentation only, never run on the hardware."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from collectors.gpu.amd.library import Asked, Smi, unreadable
from collectors.gpu.amd.values import word
from collectors.gpu.asked import Doing, Lost
from collectors.gpu.states import in_state

LOOK_AGAIN_NS = 60_000_000_000
"""So often they are counted anew."""


@dataclass(slots=True)
class Device:
    """One handle that answers by itself: a card, or a partition of one."""

    handle: Any
    name: str
    """Its UUID, or by its PCI address where it has none."""
    index: int
    asked: Asked
    lost: bool = False

    @property
    def entity(self) -> str:
        return f"gpu:{self.name}"


class Devices:
    """The devices as one collector sees them. Not for several threads."""

    def __init__(self, doing: Doing) -> None:
        self.doing = doing
        self._session = 0
        self._looked_ns = 0
        self._found: list[Device] = []

    def now(self, library: Smi, mono_ns: int) -> list[Device]:
        """Those that are there. Raises Unreadable where the driver is not, or has none."""
        library.begin(self.doing)
        if library.session != self._session or mono_ns - self._looked_ns >= LOOK_AGAIN_NS:
            same = library.session == self._session
            before = {device.name: device for device in self._found if same and not device.lost}
            self._found = [before.get(device.name, device) for device in self._look(library)]
            self._session, self._looked_ns = library.session, mono_ns
        if not self._found:
            library.end()  # it looks for devices when it begins
            raise in_state("no device", "the amdgpu driver is loaded and names no GPU that this process may use")
        return self._found

    def _look(self, library: Smi) -> Iterator[Device]:
        self.doing.call = "amdsmi_get_processor_handles"
        try:
            handles = library.api.amdsmi_get_processor_handles()
        except library.api.AmdSmiException as error:
            library.end()
            raise unreadable(error) from error
        finally:
            self.doing.call = ""
        names: set[str] = set()
        for index, handle in enumerate(handles):
            name = self._name(library, handle, index)
            if name in names:  # partitions of one card may share its UUID
                name = f"{name}.{index}"
            names.add(name)
            yield Device(handle, name, index, Asked(library, self.doing, name))

    def _name(self, library: Smi, handle: Any, index: int) -> str:
        asked = Asked(library, self.doing, f"handle {index}")
        try:
            uuid = word(asked.get("get_gpu_device_uuid", handle))
            if uuid is not None:
                return uuid
            return f"amd-{word(asked.get('get_gpu_device_bdf', handle)) or index}"
        except Lost:
            return f"lost-{index}"
