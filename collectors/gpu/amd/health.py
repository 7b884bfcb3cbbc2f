"""How are one AMD device's links, its memory's errors and its energy?

Known from documentation only, never run on the hardware.
"""

from typing import Any

from collectors.gpu.amd.device_now import temperature
from collectors.gpu.amd.devices import Device
from collectors.gpu.amd.values import part, whole
from collectors.gpu.samples import GpuHealthSample, nothing_known
from collectors.sample import Sample

_GENERATIONS = {2500: 1, 5000: 2, 8000: 3, 16000: 4, 32000: 5, 64000: 6}
"""MT/s of a PCIe lane -> generation."""
_MOST_COUNT = (1 << 63) - 1
_MOST_LANES = 64
_MOST_UW = 10_000_000_000
_LEAST_UW = 100_000
_PER_MJ = 1000
"""Microjoules in one mJ."""


def device_health(device: Device) -> Sample:
    """Its GpuHealthSample. Raises Lost."""
    entry, handle = device.asked.entry, device.handle
    ecc = entry("get_gpu_total_ecc_count", handle)
    link = part(entry("get_pcie_info", handle), "pcie_metric")
    return nothing_known(
        GpuHealthSample,
        device.entity,
        energy_mj=_energy(entry("get_energy_count", handle)),
        power_limit_mw=power_limit(entry("get_power_cap_info", handle).get("power_cap")),
        memory_temperature_celsius=temperature(device, "VRAM"),
        pcie_generation=_generation(link.get("pcie_speed")),
        pcie_width=whole(link.get("pcie_width"), _MOST_LANES) or None,
        pcie_replays=_count(link.get("pcie_replay_count")),
        ecc_corrected=_count(ecc.get("correctable_count")),
        ecc_uncorrected=_count(ecc.get("uncorrectable_count")),
    )


def power_limit(value: Any) -> int | None:
    """mW of microwatts; some versions answer in watts, which no limit of a card in microwatts is as small as."""
    number = whole(value, _MOST_UW)
    if not number:
        return None
    return number * 1000 if number < _LEAST_UW else number // 1000


def _count(value: Any) -> int | None:
    return whole(value, _MOST_COUNT)


def _energy(answer: dict[str, Any]) -> int | None:
    """The counter times what one step of it is worth in microjoules."""
    counted, step = _count(answer.get("energy_accumulator", answer.get("power"))), answer.get("counter_resolution")
    if counted is None or not isinstance(step, int | float) or not step:
        return None
    return _count(counted * step / _PER_MJ)


def _generation(speed: Any) -> int | None:
    """By the speed of a lane, in MT/s; in GT/s in older documentation."""
    number = whole(speed, 1_000_000)
    if number is None:
        return None
    return _GENERATIONS.get(number, _GENERATIONS.get(number * 1000))
