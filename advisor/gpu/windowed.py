"""What do the readings of one window say of a device? Means, percentiles and growth; None stays apart from 0."""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

from advisor.gpu.day import p95
from advisor.gpu.tracks import DeviceTrack
from collectors.gpu.samples import GpuHealthSample, GpuSample

LONGEST_PAIR_SECONDS = 10.0
"""What happened between two readings further apart is not known."""

Chosen = Sequence[tuple[float, GpuSample]]
"""(moment, reading)."""
Value = Callable[[GpuSample], int | None]


def windowed(chosen: Chosen, track: DeviceTrack) -> dict[str, Any]:
    """The fields of a GpuView that are of the window."""
    samples = [sample for _, sample in chosen]
    used = [s.memory_used_bytes for s in samples if s.memory_used_bytes is not None]
    return {
        "samples": len(samples),
        "window_seconds": chosen[-1][0] - chosen[0][0] if len(chosen) > 1 else 0.0,
        **_activity(samples, track),
        "memory_used_max_bytes": max(used, default=None),
        "sm_clock_hertz": _scaled(_mean(samples, lambda s: s.sm_clock_mhz), 1e6),
        "memory_clock_hertz": _scaled(_mean(samples, lambda s: s.memory_clock_mhz), 1e6),
        "power_watts": _scaled(_mean(samples, lambda s: s.power_mw), 1e-3),
        "temperature_celsius": _mean(samples, lambda s: s.temperature_celsius),
        "power_cap_ratio": _growth(chosen, lambda s: s.power_cap_ns),
        "software_thermal_ratio": _growth(chosen, lambda s: s.software_thermal_ns),
        "hardware_thermal_ratio": _growth(chosen, lambda s: s.hardware_thermal_ns),
        "power_brake_ratio": _growth(chosen, lambda s: s.power_brake_ns),
    }


def _activity(samples: Sequence[GpuSample], track: DeviceTrack) -> dict[str, Any]:
    sent = _mean(samples, lambda s: s.pcie_tx_bytes_per_second)
    received = _mean(samples, lambda s: s.pcie_rx_bytes_per_second)
    sampled = sent is None and received is None and bool(track.health)
    if sampled:
        sent = _of(track.health, lambda h: h.pcie_sampled_tx_bytes_per_second)
        received = _of(track.health, lambda h: h.pcie_sampled_rx_bytes_per_second)
    return {
        "busy_ratio": _ratio(samples, lambda s: s.busy_ppm),
        "busy_p95": _ratio_p95(samples, lambda s: s.busy_ppm),
        "memory_busy_ratio": _ratio(samples, lambda s: s.memory_busy_ppm),
        "sm_active_ratio": _ratio(samples, lambda s: s.sm_active_ppm),
        "sm_active_p95": _ratio_p95(samples, lambda s: s.sm_active_ppm),
        "sm_occupancy_ratio": _ratio(samples, lambda s: s.sm_occupancy_ppm),
        "tensor_active_ratio": _ratio(samples, lambda s: s.tensor_active_ppm),
        "dram_active_ratio": _ratio(samples, lambda s: s.dram_active_ppm),
        "dram_active_p95": _ratio_p95(samples, lambda s: s.dram_active_ppm),
        "pcie_tx_bytes_per_second": sent,
        "pcie_rx_bytes_per_second": received,
        "pcie_sampled": sampled and (sent is not None or received is not None),
    }


def _growth(chosen: Chosen, value: Value) -> float | None:
    """Growth of a counter of ns between neighbouring readings of the window, over the time between those."""
    grown = seconds = 0.0
    for (before_at, before), (at, now) in pairwise(chosen):
        first, second = value(before), value(now)
        if first is None or second is None or second < first or not 0 < at - before_at < LONGEST_PAIR_SECONDS:
            continue
        grown += (second - first) * 1e-9
        seconds += at - before_at
    return min(1.0, grown / seconds) if seconds > 0 else None


def _mean(samples: Sequence[GpuSample], value: Value) -> float | None:
    known = [v for s in samples if (v := value(s)) is not None]
    return sum(known) / len(known) if known else None


def _of(health: Iterable[GpuHealthSample], value: Callable[[GpuHealthSample], int | None]) -> float | None:
    known = [v for h in health if (v := value(h)) is not None]
    return sum(known) / len(known) if known else None


def _ratio(samples: Sequence[GpuSample], value: Value) -> float | None:
    return _scaled(_mean(samples, value), 1e-6)


def _ratio_p95(samples: Sequence[GpuSample], value: Value) -> float | None:
    return _scaled(p95([v for s in samples if (v := value(s)) is not None]), 1e-6)


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else value * scale
