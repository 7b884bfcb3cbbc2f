"""The recorded cards (tests/fixtures/gpu) through the same tracks and windows as live readings: the ticks of one phase."""

import json
from functools import lru_cache
from typing import Any

import msgspec

from advisor.gpu.tracks import GpuTracks
from advisor.gpu.view import GpuView
from advisor.gpu.window import gpu_views
from collectors.gpu.samples import GpuHealthSample, GpuInfoSample, GpuProcessSample, GpuSample, nothing_known
from tests.captures import FIXTURES

FOLDER = FIXTURES / "gpu"
_REASONS = {
    "power_cap_ns": "CLOCKS_EVENT_REASON_SW_POWER_CAP",
    "software_thermal_ns": "CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN",
    "hardware_thermal_ns": "CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN",
    "power_brake_ns": "CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN",
}
_ACTIVITIES = {"sm_active_ppm": "2", "tensor_active_ppm": "5", "dram_active_ppm": "10"}


def replayed(card: str, phase: str, *, first: int = 0) -> GpuView:
    """The device over the ticks of a phase, from its tick number `first` on (the earliest still mean the phase before)."""
    tracks = GpuTracks()
    tracks.add_info(_info(card))
    ticks = _ticks(card, phase)[first:]
    for number, tick in enumerate(ticks):
        sample, health = _device(tick["answers"])
        tracks.add_device(sample, number, tick["unix"])
        tracks.add_health(health)
        for process in tick["answers"]["ComputeRunningProcesses"]:
            tracks.add_process(_process(process), number, tick["unix"])
    (view,) = gpu_views(tracks, ticks[-1]["unix"]).values()
    return view


def process_bytes(card: str, phase: str) -> list[int]:
    """What each process held in the last tick of a phase."""
    return [p["usedGpuMemory"] for p in _ticks(card, phase)[-1]["answers"]["ComputeRunningProcesses"]]


def used_bytes(card: str, phase: str) -> list[int]:
    """What was in use in each tick of a phase."""
    return [t["answers"]["MemoryInfo_v2"]["used"] for t in _ticks(card, phase)]


def over_hours(view: GpuView, hours: float) -> GpuView:
    """The device as if all its minutes were like this window."""
    assert view.busy_ratio is not None
    assert view.memory_used_bytes is not None
    assert view.memory_total_bytes is not None
    share = view.memory_used_bytes / view.memory_total_bytes
    return msgspec.structs.replace(view, hours=hours, day_busy_p95=view.busy_ratio, day_memory_p95=share)


@lru_cache(maxsize=4)
def _lines(card: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / f"nvml-{card}.jsonl").read_text().splitlines()]


def _ticks(card: str, phase: str) -> list[dict[str, Any]]:
    return [line for line in _lines(card) if line["kind"] == "tick" and line["phase"] == phase]


def _info(card: str) -> GpuInfoSample:
    once = next(line for line in _lines(card) if line["kind"] == "once")["answers"]
    found = nothing_known(
        GpuInfoSample, "gpu:GPU-1", vendor="nvidia", name=once["Name"], index=0, architecture="hopper",
        compute_capability="{}.{}".format(*once["CudaComputeCapability"]), cuda_cores=once["NumGpuCores"],
        memory_bus_bits=once["MemoryBusWidth"], memory_clock_max_mhz=once["MaxClockInfo.memory"],
        sm_clock_max_mhz=once["MaxClockInfo.sm"], power_limit_default_mw=once["PowerManagementDefaultLimit"],
        pcie_generation_max=once["MaxPcieLinkGeneration"], pcie_width_max=once["MaxPcieLinkWidth"],
    )  # fmt: skip
    assert isinstance(found, GpuInfoSample)
    return found


def _process(told: dict[str, Any]) -> GpuProcessSample:
    pid = told["pid"]
    found = nothing_known(
        GpuProcessSample, f"gpu-process:GPU-1/{pid}", worker=f"worker:{pid}:{1000 + pid}", context="compute",
        memory_bytes=told["usedGpuMemory"],
    )  # fmt: skip
    assert isinstance(found, GpuProcessSample)
    return found


def _device(answers: dict[str, Any]) -> tuple[GpuSample, GpuHealthSample]:
    memory, fields, gpm = answers["MemoryInfo_v2"], answers["FieldValues"], answers.get("Gpm")
    counted = gpm[0] if isinstance(gpm, list) else {}
    activities = {name: round(counted[key] * 10_000) for name, key in _ACTIVITIES.items() if key in counted}
    sample = nothing_known(
        GpuSample, "gpu:GPU-1", memory_total_bytes=memory["total"], memory_reserved_bytes=memory["reserved"],
        memory_used_bytes=memory["used"], memory_free_bytes=memory["free"],
        busy_ppm=answers["UtilizationRates"]["gpu"] * 10_000, sm_clock_mhz=answers["ClockInfo.sm"],
        power_mw=answers["PowerUsage"], temperature_celsius=answers["Temperature"],
        processes=len(answers["ComputeRunningProcesses"]), **activities,
        **{name: fields[key] for name, key in _REASONS.items()},
    )  # fmt: skip
    health = nothing_known(GpuHealthSample, "gpu:GPU-1", power_limit_mw=fields["POWER_CURRENT_LIMIT"])
    assert isinstance(sample, GpuSample)
    assert isinstance(health, GpuHealthSample)
    return sample, health
