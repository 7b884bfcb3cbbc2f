"""How much memory does a device have, and how much of it is left?"""

from typing import NamedTuple

from collectors.gpu.nvml.devices import Device
from collectors.gpu.nvml.library import Nvml
from collectors.host import Host
from collectors.procfs import parse_key_values

_KIB = 1024


class Memory(NamedTuple):
    """Bytes. None = not told."""

    total: int | None
    reserved: int | None
    used: int | None
    free: int | None


NOTHING = Memory(None, None, None, None)


def memory(library: Nvml, device: Device, host: Host) -> Memory:
    """By the second version of the call, which keeps the driver's reserve apart; by the first where that is all there is:
    its `used` holds the reserve. Where neither is supported the device shares the node's memory."""
    api, ask = library.api, device.asked.ask
    if device.mig and "MemoryInfo" in device.asked.unsupported:
        return NOTHING
    second = ask("MemoryInfo_v2", api.nvmlDeviceGetMemoryInfo, device.handle, api.nvmlMemory_v2)
    if second is not None:
        return Memory(second.total, second.reserved, second.used, second.free)
    if "MemoryInfo_v2" not in device.asked.unsupported:  # it failed this time; the first means another thing by `used`
        return NOTHING
    first = ask("MemoryInfo", api.nvmlDeviceGetMemoryInfo, device.handle)
    if first is not None:
        return Memory(first.total, None, first.used, first.free)
    return _of_the_node(host) if unified(device) else NOTHING


def unified(device: Device) -> bool:
    """Whether it shares the node's memory: such a device supports no question about its own."""
    return not device.mig and device.parent is None and {"MemoryInfo", "MemoryInfo_v2"} <= device.asked.unsupported


def _of_the_node(host: Host) -> Memory:
    """What the node has and what programs can still get; how much of the rest is the device's is not known."""
    try:
        values = parse_key_values(host.read(f"{host.proc}/meminfo"))
    except OSError:
        return NOTHING
    total, free = values.get(b"MemTotal"), values.get(b"MemAvailable")
    return Memory(None if total is None else total * _KIB, None, None, None if free is None else free * _KIB)
