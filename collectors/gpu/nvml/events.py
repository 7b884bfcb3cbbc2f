"""Which errors of the driver (XID) came? They arrive as events only, which the driver keeps until they are fetched."""

from typing import Any

from collectors.gpu.asked import Doing
from collectors.gpu.nvml.devices import Device
from collectors.gpu.nvml.library import Nvml

_MOST = 64
"""So many are fetched at one time."""


class Events:
    """The XIDs of all devices since they are watched."""

    def __init__(self, doing: Doing) -> None:
        self._doing = doing
        self._session = 0
        self._set: Any = None
        self.counts: dict[str, int] = {}
        self.last: dict[str, int] = {}

    def fetch(self, library: Nvml, devices: list[Device]) -> None:
        """Take what came in since the last time; waits for nothing."""
        api = library.api
        if self._session != library.session:
            self._session, self._set = library.session, None
        for device in devices:
            if device.parent is None and not device.lost and "events" not in device.kept:
                self._watch(library, device)
        if self._set is None:
            return
        self._doing.call = "nvmlEventSetWait"
        try:
            for _ in range(_MOST):
                event = api.nvmlEventSetWait_v2(self._set, 0)
                self._count(event, devices)
        except api.NVMLError:  # 10, a timeout: nothing more is there
            return
        finally:
            self._doing.call = ""

    def _watch(self, library: Nvml, device: Device) -> None:
        api = library.api
        device.kept["events"] = True
        try:
            if self._set is None:
                self._set = api.nvmlEventSetCreate()
            api.nvmlDeviceRegisterEvents(device.handle, api.nvmlEventTypeXidCriticalError, self._set)
        except api.NVMLError:
            device.asked.unsupported.add("XidEvents")
            return
        self.counts.setdefault(device.uuid, 0)

    def _count(self, event: Any, devices: list[Device]) -> None:
        address = _address(event.device)
        for device in devices:
            if address is not None and device.parent is None and _address(device.handle) == address:
                self.counts[device.uuid] = self.counts.get(device.uuid, 0) + 1
                self.last[device.uuid] = int(event.eventData)


def _address(handle: Any) -> int | None:
    """Handles are pointers to a structure that nobody knows."""
    import ctypes

    return ctypes.cast(handle, ctypes.c_void_p).value if handle else None
