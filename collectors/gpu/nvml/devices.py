"""Which devices does the driver name, MIG instances among them?"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from collectors.gpu.asked import Doing, Lost
from collectors.gpu.nvml.library import BROKEN, Asked, InstanceAsked, Nvml, unreadable
from collectors.gpu.states import in_state

LOOK_AGAIN_NS = 60_000_000_000
"""So often they are counted anew: instances of MIG come and go."""
_WITHOUT = frozenset((2, 3, 4, 6, 13))
"""Of a place without a device for us: nothing there, or not ours."""


@dataclass(slots=True)
class Device:
    """One device that answers by itself. One of MIG has a `parent`, and the ids of its GPU `instance`, which may be shared
    with others, and of its `compute` instance within that."""

    handle: Any
    uuid: str
    index: int
    asked: Asked
    parent: "Device | None" = None
    instance: int | None = None
    compute: int | None = None
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
        self._looked_ns: int | None = None
        self._found: list[Device] = []

    def now(self, library: Nvml, mono_ns: int) -> list[Device]:
        """Those that are there. Raises Unreadable where the driver is not, or has none."""
        library.begin(self._doing)
        session = library.session  # it may end while they are counted
        same = session == self._session
        if not same or self._looked_ns is None or mono_ns - self._looked_ns >= LOOK_AGAIN_NS:
            before = {device.uuid: device for device in self._found if same and not device.lost}
            self._found = [_continued(device, before.get(device.uuid)) for device in self._look(library)]
            self._session, self._looked_ns = session, mono_ns
        if not self._found:
            library.end()  # what comes later may be there for a later session only
            raise in_state("no device", "the driver is loaded and names no GPU that this process may use")
        return self._found

    def taken_away(self, library: Nvml, instance: Device) -> None:
        """This instance of MIG is not there any more: they are counted anew the next time. One that is made in its place has
        its UUID, and may be asked everything."""
        instance.lost = True
        library.unsupported.pop(instance.uuid, None)
        self._looked_ns = None

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
            if error.value in _WITHOUT:
                return None
            if error.value in BROKEN:
                library.end()
                raise unreadable(error.value) from error
            uuid = before.uuid if before is not None else f"lost-{index}"  # one off the bus also says UNKNOWN (999)
            return Device(None, uuid, index, Asked(library, self._doing, uuid), lost=True)
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
            self._doing.call = "nvmlDeviceGetMigDeviceHandleByIndex"
            try:
                handle = api.nvmlDeviceGetMigDeviceHandleByIndex(device.handle, place)
                uuid = text(api.nvmlDeviceGetUUID(handle))
                instance = api.nvmlDeviceGetGpuInstanceId(handle)
                compute = api.nvmlDeviceGetComputeInstanceId(handle)
            except api.NVMLError:  # no instance in this place
                continue
            finally:
                self._doing.call = ""
            asked = InstanceAsked(library, self._doing, uuid)
            yield Device(handle, uuid, device.index, asked, parent=device, instance=instance, compute=compute)


def _continued(device: Device, before: Device | None) -> Device:
    """`device` as it is now, with what was kept of it since it was seen before."""
    if before is not None:
        device.asked, device.kept = before.asked, before.kept
    return device


def text(value: str | bytes) -> str:
    """As nvidia-ml-py answers: text, or bytes in older versions."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value
