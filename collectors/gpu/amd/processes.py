"""Which processes have memory or work on an AMD device? Known from documentation only, never run on the hardware.

The list holds what uses the compute driver (KFD) on that device. A memory of 0 is what is said of a process whose files may not
be read, so it is unknown. KFD numbers processes as the outermost PID namespace does; from within another one a number counts
only if the library read files of that number in /proc of the asker: then it knows the program's name, and its memory.

`cu_occupancy` is the share of compute units that hold waves of the process at that moment: percent by the C header and source,
their number by the Python documentation, which is believed where it is above 100.
"""

from typing import Any

from collectors.gpu.amd.devices import Device
from collectors.gpu.amd.values import PERCENT, part, whole, word
from collectors.gpu.namespace import Namespace
from collectors.gpu.samples import GpuProcessSample

_MOST_PID = 1 << 22
_MOST_BYTES = 1 << 50
_MOST_UNITS = 100_000


def processes(device: Device, namespace: Namespace, total: int | None) -> list[GpuProcessSample] | None:
    """The processes on `device`, which has `total` bytes; None where it lists none for want of support."""
    entries = device.asked.get("get_gpu_process_list", device.handle)
    if not isinstance(entries, list):
        return None
    found: dict[int, GpuProcessSample] = {}
    for entry in entries:
        pid = whole(entry.get("pid"), _MOST_PID) if isinstance(entry, dict) else None
        if pid:
            found[pid] = _sample(device, pid, entry, namespace, total)
    return list(found.values())


def _sample(
    device: Device, pid: int, entry: dict[str, Any], namespace: Namespace, total: int | None
) -> GpuProcessSample:
    memory = whole(part(entry, "memory_usage").get("vram_mem"), total or _MOST_BYTES)
    return GpuProcessSample(
        entity=f"gpu-process:{device.name}/{pid}",
        worker=namespace.worker(pid, ours=bool(memory) and word(entry.get("name")) is not None),
        context="compute",
        memory_bytes=memory or None,
        sm_ppm=_units(device, entry.get("cu_occupancy")),
        memory_busy_ppm=None,
        doubtful=None if namespace.outermost else 1,
    )


def _units(device: Device, value: Any) -> int | None:
    """The share of the device's compute units, in ppm."""
    occupied = whole(value, _MOST_UNITS)
    if occupied is None or occupied <= 100:
        return None if occupied is None else occupied * PERCENT
    units = compute_units(device)
    return None if not units or occupied > units else round(1e6 * occupied / units)


def compute_units(device: Device) -> int | None:
    """How many it has."""
    asic = device.asked.entry("get_gpu_asic_info", device.handle)
    return whole(asic.get("num_compute_units", asic.get("num_of_compute_units")), _MOST_UNITS)
