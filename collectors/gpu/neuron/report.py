"""What does a report of neuron-monitor say? Known from documentation only, never run on the hardware.

Its groups are there or not, each with an error of its own, and lists may be null; so a part that is not as documented is taken
as not told, and does not spoil the others.
"""

import math
from dataclasses import dataclass
from typing import Any

_MOST_CORES, _MOST_BYTES = 1 << 16, 1 << 50
_PERCENT = 10_000
"""ppm in one percent."""
_MOST_PID = 1 << 22
_MOST_ENTRIES = 4096


@dataclass(frozen=True, slots=True)
class Runtime:
    """One process that uses Neuron cores. None: it was not told."""

    pid: int
    busy: dict[int, int] | None
    """Core -> share of time in ppm, of those in use."""
    memory: dict[int, int] | None
    """Core -> bytes of device memory."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the devices are; all of one kind."""

    kind: str | None
    version: str | None
    count: int | None
    memory: int | None
    """Bytes of each device."""
    cores: int | None
    """Of each device, as the runtime counts them."""
    error: str


def hardware(report: dict[str, Any]) -> Hardware:
    """Its `neuron_hardware_info`."""
    info = part(report, "neuron_hardware_info")
    return Hardware(
        kind=_word(info.get("neuron_device_type")),
        version=_word(info.get("neuroncore_version")),
        count=number(info.get("neuron_device_count"), _MOST_CORES),
        memory=number(info.get("neuron_device_memory_size"), _MOST_BYTES) or None,
        cores=number(info.get("neuroncore_per_device_count"), _MOST_CORES) or None,
        error=error_of(info),
    )


def runtimes(report: dict[str, Any]) -> list[Runtime]:
    """Each of its `neuron_runtime_data`."""
    found = []
    for entry in _entries(report, "neuron_runtime_data"):
        pid = number(entry.get("pid"), _MOST_PID)
        if pid:
            groups = {} if error_of(entry) else part(entry, "report")
            found.append(Runtime(pid, _busy(groups), _memory(groups)))
    return found


def ecc(report: dict[str, Any]) -> dict[int, tuple[int | None, int | None]]:
    """Device -> memory errors corrected and not, of its DRAM and its SRAM together."""
    group = part(part(report, "system_data"), "neuron_hw_counters")
    found = {}
    for entry in () if error_of(group) else _entries(group, "neuron_devices"):
        index = number(entry.get("neuron_device_index"), _MOST_CORES)
        if index is not None:
            found[index] = (_both(entry, "ecc_corrected"), _both(entry, "ecc_uncorrected"))
    return found


def errors(report: dict[str, Any]) -> list[str]:
    """The groups that say an error, one word each."""
    counters = part(part(report, "system_data"), "neuron_hw_counters")
    found = ["neuron_hw_counters"] if error_of(counters) else []
    for entry in _entries(report, "neuron_runtime_data"):
        pid = number(entry.get("pid"), _MOST_PID)
        for name, group in (("runtime", entry), *part(entry, "report").items()):
            if isinstance(group, dict) and error_of(group):
                found.append(f"{name[:40]}:{pid}")
    return found[:20]


def part(value: dict[str, Any], name: str) -> dict[str, Any]:
    """The object of that name; empty where there is none."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def error_of(group: dict[str, Any]) -> str:
    """Its error; empty where it has none."""
    said = group.get("error")
    return " ".join(said.split())[:200] if isinstance(said, str) else ""


def number(value: Any, most: int) -> int | None:
    """A whole number of 0 to `most`; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return round(value) if 0 <= value <= most else None


def _entries(value: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects in the list of that name; none where there is no list."""
    found = value.get(name)
    return [entry for entry in found[:_MOST_ENTRIES] if isinstance(entry, dict)] if isinstance(found, list) else []


def _busy(groups: dict[str, Any]) -> dict[int, int] | None:
    group = part(groups, "neuroncore_counters")
    cores = group.get("neuroncores_in_use")
    if error_of(group) or not isinstance(cores, dict):
        return None
    found = {}
    for name, counters in cores.items():
        share = counters.get("neuroncore_utilization") if isinstance(counters, dict) else None
        core = _core(name)
        if core is None or number(share, 1000) is None:
            return None
        found[core] = min(
            round(float(share or 0) * _PERCENT), 100 * _PERCENT
        )  # a core that is measured late is above 100
    return found


def _memory(groups: dict[str, Any]) -> dict[int, int] | None:
    group = part(groups, "memory_used")
    cores = part(part(group, "neuron_runtime_used_bytes"), "usage_breakdown").get("neuroncore_memory_usage")
    if error_of(group) or not isinstance(cores, dict):
        return None
    found = {}
    for name, uses in cores.items():
        core = _core(name)
        sizes = [number(size, _MOST_BYTES) for size in uses.values()] if isinstance(uses, dict) else [None]
        known = [size for size in sizes if size is not None]
        if core is None or len(known) < len(sizes):
            return None
        found[core] = sum(known)
    return found


def _core(name: Any) -> int | None:
    return int(name) if isinstance(name, str) and name.isascii() and name.isdigit() and len(name) < 6 else None


def _both(entry: dict[str, Any], name: str) -> int | None:
    """Of DRAM and SRAM, of which a device may count one alone."""
    counts = [number(entry.get(f"{where}_{name}"), _MOST_BYTES) for where in ("mem", "sram")]
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _word(value: Any) -> str | None:
    return value.strip()[:100] or None if isinstance(value, str) else None
