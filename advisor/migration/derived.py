"""What can a GPU of this node do that the catalogue does not have? Derived from what its driver tells of units, clocks and bus.

A test holds it against the catalogue and recorded cards. GeForce cards add floating-point products up in 32 bits at half of the
rate (an RTX 3090 was measured at 78, an A10G, which does the same, at 70 of 10^12: mag-/gpu_benchmark). The highest clock that
is told is not held everywhere: cards with a screen boost to 2520 MHz of 3105 (RTX 4090), 1695 of 2100 (RTX 3090), and tensor
cores compute at 1830 of 1980 (H100), 1860 of 1980 (B200).
"""

import re
from collections.abc import Mapping

import msgspec

from advisor.gpu.view import GpuView
from advisor.migration.devices import GIB, PCIE_BYTES_PER_SECOND, Device, Precision, brandless, named, of_memory, plain

HELD_OF_HIGHEST = 0.8
_WITH_A_SCREEN = re.compile(r"RTX|GeForce|Quadro|TITAN", re.IGNORECASE)
_GEFORCE = re.compile(r"GeForce", re.IGNORECASE)
_CUT = re.compile(r"\b(?:CMP|H20A?|L20?|L40G|6000D|5090 D)\b")
"""Sold with fewer operations than their units could do."""
_TURING_WITH_TENSOR_CORES = re.compile(r"RTX|\bT(?:4G?|10|40)\b")
_SHARED = re.compile(r"^GRID\b|-[0-9]+[ABCQ]$")
"""Names of virtual GPUs: a part of a card, in time or in memory, that nobody inside can tell."""
_COMPUTE_SLICES = re.compile(r"MIG ([1-9])c\.([1-9])g\.")
"""Of an instance of MIG that shares its memory with others: slices of its own, and of all."""
_DOUBLINGS = {1: -4, 2: -3, 4: -2, 8: -1, 16: 0}
"""Of the rate of a lane from one generation to the next, by lanes that are fewer than sixteen."""


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """Of one multiprocessor: CUDA cores, and operations in a clock by its tensor cores, with `held` of the highest clock."""

    cores: int
    fp16: int
    int8: int | None = None
    fp8: int | None = None
    held: float = 1.0


UNITS: Mapping[float, Unit] = {
    7.0: Unit(cores=64, fp16=1024),
    7.5: Unit(cores=64, fp16=1024, int8=2048),
    8.0: Unit(cores=64, fp16=2048, int8=4096),
    8.6: Unit(cores=128, fp16=1024, int8=2048),
    8.9: Unit(cores=128, fp16=1024, int8=2048, fp8=2048),
    9.0: Unit(cores=128, fp16=4096, int8=8192, fp8=8192, held=1830 / 1980),
    10.0: Unit(cores=128, fp16=8192, int8=16384, fp8=16384, held=1860 / 1980),
    12.0: Unit(cores=128, fp16=1024, int8=2048, fp8=2048),
}
"""By compute capability."""
TURING = 7.5
AMPERE = 8.0
"""From it on there are BF16, TF32 and 2:4 sparsity."""


def device_of(gpu: GpuView, parent: GpuView | None) -> Device | str:
    """The catalogue's device of that name and memory, else what its driver tells makes one; why none can be made."""
    known = None if gpu.parent is not None else named(gpu.name)
    if known is not None and (gpu.memory_total_bytes is None or known.has_memory(gpu.memory_total_bytes)):
        return known
    found = derive(gpu, parent)
    if isinstance(found, Device) or gpu.parent is not None:
        return found
    return of_memory(gpu.name, gpu.memory_total_bytes) or found


def derive(gpu: GpuView, parent: GpuView | None = None) -> Device | str:
    """The device, or why it cannot be judged. `parent`: the GPU of which it is an instance."""
    unit = UNITS.get(gpu.compute_capability or 0.0)
    if (refused := _refused(gpu, unit)) is not None or unit is None:
        return refused or "nothing is known of it"
    units, share = _units(gpu, unit), _share(gpu, parent)
    bus, clock, memory = gpu.memory_bus_bits, gpu.memory_clock_max_hertz, gpu.memory_total_bytes
    missing = {
        "multiprocessors": units, "highest clock": gpu.sm_clock_max_hertz, "memory bus": bus, "memory clock": clock,
        "memory": memory, "part of its GPU": share,
    }  # fmt: skip
    if not (units and gpu.sm_clock_max_hertz and bus and clock and memory and share):
        return f"the driver does not tell its {', '.join(name for name, value in missing.items() if not value)}"
    held = HELD_OF_HIGHEST if _WITH_A_SCREEN.search(gpu.name) else 1.0
    return Device(
        name=_own_name(gpu, memory),
        kind="gpu",
        memory=memory / GIB,
        bandwidth=bus / 8 * clock * 2 * share / 1e9,
        peak=_peak(unit, gpu, units * held * gpu.sm_clock_max_hertz),
        sources=(_told(gpu, units, held, bus, clock, share),),
        compute_capability=gpu.compute_capability,
        watts=gpu.power_limit_default_watts if gpu.parent is None else None,
        pcie=_as_sixteen_lanes(gpu if parent is None else parent),
        sparsity=(gpu.compute_capability or 0.0) >= AMPERE,
        derived=True,
    )


def _own_name(gpu: GpuView, memory: int) -> str:
    """None that the catalogue's device or the whole card has: prices go by it."""
    name, known = brandless(gpu.name), named(gpu.name)
    if gpu.parent is not None:
        return name if " MIG " in name else f"{name} MIG {memory / GIB:.0f}GB"
    another = known is not None and plain(known.name) == plain(name) and not known.has_memory(memory)
    return f"{name} with {memory / GIB:.0f} GiB" if another else name


def _refused(gpu: GpuView, unit: Unit | None) -> str | None:
    """Why its operations cannot be told from its units."""
    if gpu.vendor != "nvidia":
        return "it is not in the catalogue, and only GPUs of NVIDIA are derived from their units"
    if unit is None:
        known = gpu.compute_capability
        return (
            "its compute capability is not known" if known is None else f"compute capability {known} is not known here"
        )
    if gpu.unified_memory:
        return "it shares the node's memory"
    if _SHARED.search(gpu.name):
        return "it is a virtual GPU: how much of the card it gets is not told"
    if _CUT.search(gpu.name):
        return "it is sold with fewer operations than its multiprocessors could do"
    if gpu.compute_capability == TURING and not _TURING_WITH_TENSOR_CORES.search(gpu.name):
        return "it is not known to have tensor cores"
    return None


def _units(gpu: GpuView, unit: Unit) -> int | None:
    if gpu.parent is not None:
        return gpu.multiprocessors
    return None if gpu.cuda_cores is None else gpu.cuda_cores // unit.cores


def _share(gpu: GpuView, parent: GpuView | None) -> float | None:
    """Of the bandwidth of the whole device: slices of memory go with bandwidth."""
    if gpu.parent is None:
        return 1.0
    if parent is None or not parent.memory_total_bytes or not gpu.memory_total_bytes:
        return None
    slices = _COMPUTE_SLICES.search(gpu.name)
    of_instance = 1.0 if slices is None else min(1.0, int(slices[1]) / int(slices[2]))
    return min(1.0, gpu.memory_total_bytes / parent.memory_total_bytes) * of_instance


def _peak(unit: Unit, gpu: GpuView, clocks: float) -> dict[Precision, float]:
    """10^12 per second. `clocks`: of all multiprocessors together, per second."""
    half = 0.5 if _GEFORCE.search(gpu.name) else 1.0
    fp16 = unit.fp16 * unit.held * half
    found: dict[Precision, float] = {"fp32": 2.0 * unit.cores, "fp16": fp16}
    if (gpu.compute_capability or 0.0) >= AMPERE:
        found |= {"bf16": fp16, "tf32": fp16 / 2}
    if unit.int8 is not None:
        found["int8"] = unit.int8 * unit.held
    if unit.fp8 is not None:
        found["fp8"] = unit.fp8 * unit.held * half
    return {precision: rate * clocks / 1e12 for precision, rate in found.items()}


def _as_sixteen_lanes(gpu: GpuView) -> int | None:
    """The generation of which sixteen lanes carry as much, within those that are known."""
    generation, less = gpu.pcie_generation_max, _DOUBLINGS.get(gpu.pcie_width_max or 0)
    if generation is None or less is None:
        return None
    return max(min(PCIE_BYTES_PER_SECOND), min(generation + less, max(PCIE_BYTES_PER_SECOND)))


def _told(gpu: GpuView, units: int, held: float, bus: int, clock: float, share: float) -> str:
    highest = (gpu.sm_clock_max_hertz or 0.0) / 1e6
    at = f"{highest:.0f} MHz" if held == 1.0 else f"{held:.0%} of {highest:.0f} MHz"
    part = "" if gpu.parent is None else f", {share:.0%} of it"
    return (
        f"derived from NVML: {units} multiprocessors at {at}, a memory bus of {bus} bit at {clock / 1e6:.0f} MHz{part}"
    )
