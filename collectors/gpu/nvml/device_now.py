"""What does one NVIDIA device say at this moment?"""

from collectors.gpu.listed import of_processes
from collectors.gpu.namespace import Namespace
from collectors.gpu.nvml.activity import activity
from collectors.gpu.nvml.devices import Device
from collectors.gpu.nvml.each import EachDevice
from collectors.gpu.nvml.events import Events
from collectors.gpu.nvml.library import Nvml
from collectors.gpu.nvml.memory import memory
from collectors.gpu.nvml.processes import processes
from collectors.gpu.nvml.reasons import held_down
from collectors.gpu.samples import GpuSample, nothing_known
from collectors.host import Host
from collectors.reading import Instant
from collectors.sample import Sample

_PERCENT = 10_000
_SM_CLOCK, _MEMORY_CLOCK = 1, 2
"""nvmlClockType_t."""


class Watch:
    """What a reader keeps between two readings of the devices."""

    def __init__(self, host: Host) -> None:
        self.each = EachDevice()
        self._events = Events(self.each.doing)
        self._namespace = Namespace(host)

    def read(self, host: Host) -> list[Sample]:
        """The samples of every device and of its processes. Raises Unreadable with the reader's state."""
        now = host.clock.now()
        library, devices = self.each.found(now.mono_ns)
        self._events.fetch(library, devices)
        return self.each.read(
            library,
            devices,
            lambda api, device: device_now(api, device, host, now, self._namespace, self._events),
            lost=lambda device: [nothing_known(GpuSample, device.entity, state="lost")],
        )


def device_now(
    library: Nvml, device: Device, host: Host, now: Instant, namespace: Namespace, events: Events
) -> list[Sample]:
    """Its GpuSample, then one GpuProcessSample for each of its processes. Raises Lost."""
    held = memory(library, device, host)
    # the processes of a device that is divided are those of its instances
    listed = None if device.mig else processes(library, device, namespace, now.wall_ns)
    sample = nothing_known(
        GpuSample,
        device.entity,
        state="ok",
        memory_total_bytes=held.total,
        memory_reserved_bytes=held.reserved,
        memory_used_bytes=held.used,
        memory_free_bytes=held.free,
        divided=int(device.mig),
        parent=None if device.parent is None else device.parent.entity,
        **activity(library, device, host.clock.now().mono_ns),  # the moment counts, whatever the devices before took
        **of_processes(held.used, listed),
        **({} if device.parent is not None else _of_the_chip(library, device, now, events)),
    )
    return [sample, *(listed or ())]


def _of_the_chip(library: Nvml, device: Device, now: Instant, events: Events) -> dict[str, int | None]:
    """What a MIG instance shares with the others of its device, and is read of that alone."""
    api, ask, handle = library.api, device.asked.ask, device.handle
    busy = None if device.mig else ask("UtilizationRates", api.nvmlDeviceGetUtilizationRates, handle)
    return {
        "busy_ppm": None if busy is None else busy.gpu * _PERCENT,
        "memory_busy_ppm": None if busy is None else busy.memory * _PERCENT,
        "sm_clock_mhz": ask("ClockInfo.sm", api.nvmlDeviceGetClockInfo, handle, _SM_CLOCK),
        "memory_clock_mhz": ask("ClockInfo.memory", api.nvmlDeviceGetClockInfo, handle, _MEMORY_CLOCK),
        "power_mw": ask("PowerUsage", api.nvmlDeviceGetPowerUsage, handle),
        "temperature_celsius": _temperature(library, device),
        **held_down(library, device, now.mono_ns),
        "xid_events": events.counts.get(device.uuid),
        "last_xid": events.last.get(device.uuid),
    }


def _temperature(library: Nvml, device: Device) -> int | None:
    """Degrees Celsius of the chip, by the newer call where the driver has it."""
    api, ask, handle = library.api, device.asked.ask, device.handle
    newer = ask("TemperatureV", api.nvmlDeviceGetTemperatureV, handle, 0)
    return newer if newer is not None else ask("Temperature", api.nvmlDeviceGetTemperature, handle, 0)
