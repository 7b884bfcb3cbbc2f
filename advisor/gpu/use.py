"""How much of a device was used in the window, and how is that said?"""

from collections.abc import Iterable

import msgspec

from advisor.finding import Evidence, Need
from advisor.gpu.view import GpuView, ServiceGpu

BUSY_ONLY = "Busy-time only: how much of this device worked meanwhile is not counted, it may have been less."
LEAST_READINGS = 10
"""Seconds in which a device has to be read before its means say anything."""
_COUNTERS = {
    "nvidia": "activity counters: GPM on Hopper or later, elsewhere DCGM's profiling metrics (DCGM_FI_PROF_SM_ACTIVE, "
    "_DRAM_ACTIVE, _PIPE_TENSOR_ACTIVE; CAP_SYS_ADMIN)",
}


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of the window. `counted`: of its multiprocessors' time; else of the time in which anything ran at all, which
    is never less."""

    mean: float
    p95: float
    counted: bool

    @property
    def metric(self) -> str:
        return "gpu_sm_active" if self.counted else "gpu_busy"


def use_of(gpu: GpuView) -> Use | None:
    """What is known of the device's use; None where nothing is, or too few seconds were read."""
    if gpu.samples < LEAST_READINGS:
        return None
    if gpu.sm_active_ratio is not None:
        return Use(mean=gpu.sm_active_ratio, p95=gpu.sm_active_p95 or gpu.sm_active_ratio, counted=True)
    if gpu.busy_ratio is not None:
        return Use(mean=gpu.busy_ratio, p95=gpu.busy_p95 or gpu.busy_ratio, counted=False)
    return None


def fullest(devices: Iterable[ServiceGpu]) -> tuple[ServiceGpu, Use] | None:
    """The device of which most is used; None if that is not known of one of them."""
    known = [(one, use_of(one.gpu)) for one in devices]
    found = [(one, use) for one, use in known if use is not None]
    return max(found, key=lambda pair: pair[1].p95) if found and len(found) == len(known) else None


def unread(devices: Iterable[ServiceGpu]) -> Need:
    """What is missing of the first of these devices of whose use nothing is known."""
    gpu = next(one.gpu for one in devices if use_of(one.gpu) is None)
    if gpu.samples < LEAST_READINGS:
        return Need(
            kind="time", text=f"{LEAST_READINGS - gpu.samples} more seconds in which {gpu.subject_name} is read"
        )
    return Need(kind="metrics", text=f"{gpu.subject_name} tells neither how busy it is nor how much of it works")


def counters(gpu: GpuView) -> str:
    """Where it would be counted how much of the device works."""
    return _COUNTERS.get(
        gpu.vendor, "counters of how many of its units work, which are not read of this vendor's devices"
    )


def told(use: Use) -> str:
    """`its multiprocessors worked 12 % of the time`."""
    return (
        f"its multiprocessors worked {use.mean:.1%} of the time"
        if use.counted
        else f"it was busy {use.mean:.0%} of the time"
    )


def link_share(gpu: GpuView) -> float | None:
    """Traffic over PCIe / what the link carries, of the busier direction; None where one of both is not known."""
    link = gpu.pcie_link_bytes_per_second
    known = [t for t in (gpu.pcie_tx_bytes_per_second, gpu.pcie_rx_bytes_per_second) if t is not None]
    return min(1.0, max(known) / link) if link and known else None


def power_share(gpu: GpuView) -> float | None:
    """Power drawn / the power limit."""
    return gpu.power_watts / gpu.power_limit_watts if gpu.power_watts is not None and gpu.power_limit_watts else None


def seen_on_gpu(gpu: GpuView, metric: str, unit: str, observed: float, threshold: float | None = None) -> Evidence:
    """An observed number of the device, over the seconds in which it was read."""
    return Evidence(
        metric=metric,
        unit=unit,
        observed=round(observed, 4),
        threshold=None if threshold is None else round(threshold, 4),
        window_seconds=round(gpu.window_seconds, 1),
        samples=gpu.samples,
    )


def all_known(gpu: GpuView, *numbers: tuple[str, str, float | None]) -> tuple[Evidence, ...]:
    """Inputs of an estimate, as far as this device tells them."""
    return tuple(seen_on_gpu(gpu, name, unit, value) for name, unit, value in numbers if value is not None)
