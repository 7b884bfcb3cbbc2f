"""What does one AMD device say at this moment? Known from documentation only, never run on the hardware.

Guests of a virtual machine get neither activity nor power, temperature or clocks.
"""

from collectors.gpu.amd.devices import Device
from collectors.gpu.amd.each import EachDevice
from collectors.gpu.amd.processes import processes
from collectors.gpu.amd.values import MIB, PERCENT, degrees, scaled, whole
from collectors.gpu.listed import of_processes
from collectors.gpu.namespace import Namespace
from collectors.gpu.samples import GpuSample, nothing_known
from collectors.host import Host
from collectors.sample import Sample

_MOST_MIB = 1 << 30
_MOST_WATTS = 10_000
MOST_MHZ = 20_000


class Watch:
    """What a reader keeps between two readings of the devices."""

    def __init__(self, host: Host) -> None:
        self.each = EachDevice()
        self._namespace = Namespace(host)

    def read(self, host: Host) -> list[Sample]:
        """The samples of every device and of its processes. Raises Unreadable with the reader's state."""
        return self.each.read(
            host.clock.now().mono_ns,
            lambda device: device_now(device, self._namespace),
            lost=lambda device: [nothing_known(GpuSample, device.entity, state="lost")],
        )


def device_now(device: Device, namespace: Namespace) -> list[Sample]:
    """Its GpuSample, then one GpuProcessSample for each of its processes. Raises Lost."""
    entry, handle = device.asked.entry, device.handle
    memory = entry("get_gpu_vram_usage", handle)
    total = scaled(memory.get("vram_total"), _MOST_MIB, MIB) or None  # "MB" there: the library divides by 1024 * 1024
    used = scaled(memory.get("vram_used"), _MOST_MIB, MIB)
    activity = entry("get_gpu_activity", handle)
    listed = processes(device, namespace, total)
    sample = nothing_known(
        GpuSample,
        device.entity,
        state="ok",
        memory_total_bytes=total,
        memory_used_bytes=used,
        memory_free_bytes=None if total is None or used is None else max(0, total - used),
        busy_ppm=scaled(activity.get("gfx_activity"), 100, PERCENT),
        memory_busy_ppm=scaled(activity.get("umc_activity"), 100, PERCENT),
        sm_clock_mhz=clock(device, "GFX", "clk", "cur_clk"),
        memory_clock_mhz=clock(device, "MEM", "clk", "cur_clk"),
        power_mw=_power(device),
        temperature_celsius=temperature(device, "EDGE", "HOTSPOT"),
        **of_processes(used, listed),
    )
    return [sample, *(listed or ())]


def _power(device: Device) -> int | None:
    """mW. Instinct cards of the newer kind tell it of this moment, others a mean; `socket_power` is whichever it is."""
    power = device.asked.entry("get_power_info", device.handle)
    for name in ("socket_power", "current_socket_power", "average_socket_power"):
        watts = scaled(power.get(name), _MOST_WATTS, 1000)
        if watts is not None:
            return watts
    return None


def clock(device: Device, kind: str, *names: str) -> int | None:
    """MHz of the AmdSmiClkType `kind`, by the first of these fields that is there: they were renamed."""
    number = device.asked.constant("AmdSmiClkType", kind)
    if number is None:
        return None
    answer = device.asked.entry("get_clock_info", device.handle, number, of=kind)
    return next((whole(answer[name], MOST_MHZ) for name in names if name in answer), None)


def temperature(device: Device, *sensors: str) -> int | None:
    """Degrees Celsius of the first of these AmdSmiTemperatureType that the device has: Instinct cards lack that at the edge."""
    now = device.asked.constant("AmdSmiTemperatureMetric", "CURRENT")
    for sensor in sensors:
        kind = device.asked.constant("AmdSmiTemperatureType", sensor)
        if kind is None:
            continue
        value = degrees(device.asked.get("get_temp_metric", device.handle, kind, now, of=sensor))
        if value is not None:
            return value
    return None
