"""For how long were a device's clocks held down, and why?

Drivers of Hopper and later count the time by reason (NVML_FI_DEV_CLOCKS_EVENT_REASON_*). Where one does not, the reasons of
each moment are added up over the time between two readings.
"""

from typing import Any

from collectors.gpu.nvml.devices import Device
from collectors.gpu.nvml.library import Nvml

REASONS = {
    "power_cap_ns": (0x4, "SW_POWER_CAP"),
    "software_thermal_ns": (0x20, "SW_THERM_SLOWDOWN"),
    "hardware_thermal_ns": (0x40, "HW_THERM_SLOWDOWN"),
    "power_brake_ns": (0x80, "HW_POWER_BRAKE_SLOWDOWN"),
}
"""Field of the sample -> bit of nvmlDeviceGetCurrentClocksEventReasons, name of the counter."""
_LONGEST_NS = 10_000_000_000


def held_down(library: Nvml, device: Device, mono_ns: int) -> dict[str, int | None]:
    """The counters as fields of a GpuSample, None where the device tells neither way.

    Cards that report no reason at all, as some in virtual machines do, are unknown, and not free of them."""
    counted = _counted(library, device)
    if counted is not None:
        return counted
    bits = _now(library, device)
    if bits is None:
        return dict.fromkeys(REASONS)
    sums: dict[str, int] = device.kept.setdefault("reasons", dict.fromkeys(REASONS, 0))
    since: int = device.kept.get("reasons_at", mono_ns)
    device.kept["reasons_at"] = mono_ns
    for name, (bit, _) in REASONS.items():
        if bits & bit:
            sums[name] += min(mono_ns - since, _LONGEST_NS)
    return dict(sums)


def _now(library: Nvml, device: Device) -> int | None:
    """The bits of this moment, by the name that drivers before 535 have for the call where that is all there is."""
    api, ask = library.api, device.asked.ask
    bits = ask("CurrentClocksEventReasons", api.nvmlDeviceGetCurrentClocksEventReasons, device.handle)
    if bits is None and "CurrentClocksEventReasons" in device.asked.unsupported:
        bits = ask("CurrentClocksThrottleReasons", api.nvmlDeviceGetCurrentClocksThrottleReasons, device.handle)
    return bits


def _counted(library: Nvml, device: Device) -> dict[str, int | None] | None:
    """The driver's own counters; None where it keeps none."""
    api = library.api
    numbers = device.kept.get("reason_fields")
    if numbers is None:
        prefix = "NVML_FI_DEV_CLOCKS_EVENT_REASON_"
        numbers = device.kept["reason_fields"] = [getattr(api, prefix + name, None) for _, name in REASONS.values()]
    if None in numbers or "ClocksEventReasonCounters" in device.asked.unsupported:
        return None
    values = device.asked.ask("FieldValues", api.nvmlDeviceGetFieldValues, device.handle, numbers)
    if values is None:  # counters that failed once must not begin anew as sums
        return None if "FieldValues" in device.asked.unsupported else dict.fromkeys(REASONS)
    found = [_value(value) for value in values]
    if all(value is None for value in found):
        device.asked.unsupported.add("ClocksEventReasonCounters")
        return None
    return dict(zip(REASONS, found, strict=True))


def _value(value: Any) -> int | None:
    """A driver may answer success and write neither a value nor a time."""
    if value.nvmlReturn or not (value.timestamp or value.value.ullVal):
        return None
    return int(value.value.ullVal)
