"""Which devices does the driver name, MIG instances among them?"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from collectors.gpu.asked import Doing, Lost
from collectors.gpu.nvml.library import Asked, Nvml, unreadable
from collectors.gpu.states import in_state

LOOK_AGAIN_NS = 60_000_000_000
"""So often they are counted anew: instances of MIG come and go."""
_WITHOUT = frozenset((2, 3, 4, 6, 13))
"""Of a place without a device for us: nothing there, or not ours."""
_LOST = frozenset((15, 16))


@dataclass(slots=True)
class Device:
    """One device that answers by itself. `instance`: its GPU instance id, and `parent`, where it is one of MIG."""

    handle: Any
    uuid: str
    index: int
    asked: Asked
    parent: "Device | None" = None
    instance: int | None = None
    lost: bool = False
    mig: bool = False
    """It is divided: activity and memory belong to its instances."""
    kept: dict[str, Any] = field(default_factory=dict)
    """What a reader keeps of it between two readings."""

    @property
    def entity(self) -> str:
        return f"gpu:{self.uuid}"


class Devices:
    """The devices as one reader sees them. Not for several threads."""

    def __init__(self, doing: Doing) -> None:
        self._doing = doing
        self._session = 0
        self._looked_ns = 0
        self._found: list[Device] = []

    def now(self, library: Nvml, mono_ns: int) -> list[Device]:
        """Those that are there. Raises Unreadable where the driver is not, or has none."""
        library.begin(self._doing)
        if library.session != self._session or mono_ns - self._looked_ns >= LOOK_AGAIN_NS:
            before = {device.uuid: device for device in self._found} if library.session == self._session else {}
            found = [before.get(device.uuid, device) for device in self._look(library)]
            self._found = found
            self._session, self._looked_ns = library.session, mono_ns
        if not self._found:
            raise in_state("no device", "the driver is loaded and names no GPU that this process may use")
        return self._found

    def forget(self) -> None:
        """Count anew the next time."""
        self._looked_ns = 0

    def _look(self, library: Nvml) -> Iterator[Device]:
        api = library.api
        at = {device.index: device for device in self._found if device.parent is None}
        try:
            self._doing.call = "nvmlDeviceGetCount"
            count = api.nvmlDeviceGetCount()
        except api.NVMLError as error:
            library.end()
            raise unreadable(error.value) from error
        finally:
            self._doing.call = ""
        for index in range(count):
            device = self._device(library, index, at.get(index))
            if device is None:
                continue
            yield device
            if not device.lost:
                yield from self._instances(library, device)

    def _device(self, library: Nvml, index: int, before: Device | None) -> Device | None:
        api = library.api
        self._doing.call = "nvmlDeviceGetHandleByIndex"
        try:
            handle = api.nvmlDeviceGetHandleByIndex(index)
            uuid = text(api.nvmlDeviceGetUUID(handle))
            return Device(handle, uuid, index, Asked(library, self._doing, uuid))
        except api.NVMLError as error:
            if error.value in _LOST:
                uuid = before.uuid if before is not None else f"lost-{index}"
                return Device(None, uuid, index, Asked(library, self._doing, uuid), lost=True)
            if error.value in _WITHOUT:
                return None
            library.end()
            raise unreadable(error.value) from error
        finally:
            self._doing.call = ""

    def _instances(self, library: Nvml, device: Device) -> Iterator[Device]:
        api, ask = library.api, device.asked.ask
        try:
            mode = ask("MigMode", api.nvmlDeviceGetMigMode, device.handle)
            device.mig = mode is not None and mode[0] == 1
            if not device.mig:
                return
            most = ask("MaxMigDeviceCount", api.nvmlDeviceGetMaxMigDeviceCount, device.handle) or 0
        except Lost:
            device.lost = True
            return
        for place in range(most):
            try:
                handle = api.nvmlDeviceGetMigDeviceHandleByIndex(device.handle, place)
                uuid = text(api.nvmlDeviceGetUUID(handle))
                instance = api.nvmlDeviceGetGpuInstanceId(handle)
            except api.NVMLError:  # no instance in this place
                continue
            asked = Asked(library, self._doing, uuid)
            yield Device(handle, uuid, device.index, asked, parent=device, instance=instance)


def text(value: str | bytes) -> str:
    """As nvidia-ml-py answers: text, or bytes in older versions."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value
