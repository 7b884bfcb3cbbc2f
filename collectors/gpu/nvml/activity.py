"""What share of a device's units was used: GPM, the counters that Hopper and later parts keep for whoever asks.

A window is what lies between two samples of the counters. One that is too short holds no new reading of the driver: it then
answers success with zeros and a memory activity that is no number, so such a window says nothing.
"""

import math
from dataclasses import dataclass
from typing import Any

from collectors.gpu.nvml.devices import Device
from collectors.gpu.nvml.library import Nvml

METRICS = {
    2: "sm_active_ppm",
    3: "sm_occupancy_ppm",
    5: "tensor_active_ppm",
    10: "dram_active_ppm",
    20: "pcie_tx_bytes_per_second",
    21: "pcie_rx_bytes_per_second",
    61: "nvlink_tx_bytes_per_second",
    60: "nvlink_rx_bytes_per_second",
}
"""nvml.h's numbers (nvmlGpmMetricId_t); shares are in percent, traffic in MiB/s."""
DRAM = 10
SHORTEST_NS = 100_000_000
LONGEST_NS = 600_000_000_000
_MIB = 1 << 20
_PERCENT = 10_000
"""ppm in one percent."""


@dataclass(slots=True)
class Window:
    """The two samples of one device, and the question that is asked of them each time."""

    older: Any
    newer: Any
    asked: Any
    at_ns: int | None = None


def activity(library: Nvml, device: Device, mono_ns: int) -> dict[str, int | None]:
    """The fields of a GpuSample that its counters tell, since the call before; none where it has no such counters."""
    window = _window(library, device)
    if window is None:
        return {}
    if window.at_ns is not None and mono_ns - window.at_ns < SHORTEST_NS:
        return {}
    if not _sample(library, device, window.newer):
        return {}
    since, window.at_ns = window.at_ns, mono_ns
    window.older, window.newer = window.newer, window.older  # what was just filled is the older one of the next window
    if since is None or mono_ns - since > LONGEST_NS:
        return {}
    return _between(library, device, window)


def _window(library: Nvml, device: Device) -> Window | None:
    known: Window | None = device.kept.get("gpm")
    if known is None and "Gpm" not in device.asked.unsupported:
        api, ask = library.api, device.asked.ask
        whole = device.parent or device
        support = ask("GpmSupport", api.nvmlGpmQueryDeviceSupport, whole.handle)
        if support is None or not support.isSupportedDevice:
            device.asked.unsupported.add("Gpm")
            return None
        older, newer = ask("GpmSampleAlloc", api.nvmlGpmSampleAlloc), ask("GpmSampleAlloc", api.nvmlGpmSampleAlloc)
        if older is None or newer is None:
            return None
        question = api.c_nvmlGpmMetricsGet_t()
        question.version = api.NVML_GPM_METRICS_GET_VERSION
        question.numMetrics = len(METRICS)
        for place, number in enumerate(METRICS):
            question.metrics[place].metricId = number
        known = device.kept["gpm"] = Window(older, newer, question)
    return known


def _sample(library: Nvml, device: Device, into: Any) -> bool:
    api, ask = library.api, device.asked.ask
    if device.parent is not None:
        done = ask("GpmSampleGet", api.nvmlGpmMigSampleGet, device.parent.handle, device.instance, into)
    else:
        done = ask("GpmSampleGet", api.nvmlGpmSampleGet, device.handle, into)
    return done is not None


def _between(library: Nvml, device: Device, window: Window) -> dict[str, int | None]:
    question = window.asked
    question.sample1, question.sample2 = window.newer, window.older  # they were exchanged: the first is the earlier one
    if device.asked.ask("GpmMetricsGet", library.api.nvmlGpmMetricsGet, question) is None:
        return {}
    found: dict[str, int | None] = {}
    for place, (number, name) in enumerate(METRICS.items()):
        metric = question.metrics[place]
        if metric.nvmlReturn:
            found[name] = None
        elif not math.isfinite(metric.value):
            if number == DRAM:
                return {}
            found[name] = None
        else:
            found[name] = round(metric.value * (_PERCENT if name.endswith("_ppm") else _MIB))
    return found
