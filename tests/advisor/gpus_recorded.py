"""What real cards answered (tests/fixtures/gpu), as the devices that rules see, with the profiles that were taken meanwhile.

The first tick of a phase still holds the end of the one before, and is left out.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from advisor.gpu.view import GpuProcessView, GpuView
from advisor.profiling.digest import digest
from advisor.profiling.table import load_table
from advisor.profiling.view import WorkerProfile
from collectors.profiles.profile import Profile
from tests.advisor.gpus_built import gpu
from tests.advisor.profiles_built import key

FIXTURES = Path(__file__).parents[1] / "fixtures"
TABLE = load_table()
MIB = 1 << 20


def recorded_gpu(card: str, phase: str, processes: Sequence[GpuProcessView] = (), **known: Any) -> GpuView:
    """The card (`h100`, `h200`) as it was in a phase, with these processes on it."""
    ticks = _answers(card, phase)
    activity = {number: _mean([t["Gpm"][0][number] for t in ticks]) for number in ("2", "3", "5", "10", "20", "21")}
    busy = [t["UtilizationRates"]["gpu"] / 100 for t in ticks]
    sm = [t["Gpm"][0]["2"] / 100 for t in ticks]
    memory = ticks[-1]["MemoryInfo_v2"]
    fields: dict[str, Any] = {
        "name": {"h100": "NVIDIA H100 80GB HBM3", "h200": "NVIDIA H200"}[card],
        "busy_ratio": _mean(busy),
        "busy_p95": max(busy),
        "sm_active_ratio": activity["2"] / 100,
        "sm_active_p95": max(sm),
        "sm_occupancy_ratio": activity["3"] / 100,
        "tensor_active_ratio": activity["5"] / 100,
        "dram_active_ratio": activity["10"] / 100,
        "pcie_tx_bytes_per_second": activity["20"] * MIB,
        "pcie_rx_bytes_per_second": activity["21"] * MIB,
        "power_watts": _mean([t["PowerUsage"] for t in ticks]) / 1000,
        "memory_total_bytes": memory["total"],
        "memory_reserved_bytes": memory["reserved"],
        "memory_used_bytes": memory["used"],
        "memory_free_bytes": memory["free"],
        "memory_used_max_bytes": memory["used"],
        "memory_seen": tuple((10.0 * n, memory["used"]) for n in (2, 1, 0)),
        "pcie_generation": ticks[-1]["CurrPcieLinkGeneration"],
        "pcie_width": ticks[-1]["CurrPcieLinkWidth"],
    }
    return gpu(processes, **{**fields, **known})


def recorded_profile(name: str, pid: int) -> WorkerProfile:
    """A profile of the server that kept the card busy (`launch`, `pageable.chained`), as of a worker with this pid."""
    raw = (FIXTURES / "profiles" / f"cuda-{name}.profile.json").read_bytes()
    return msgspec.structs.replace(digest(msgspec.json.decode(raw, type=Profile), TABLE), key=key(pid))


def _answers(card: str, phase: str) -> list[dict[str, Any]]:
    lines = (FIXTURES / "gpu" / f"nvml-{card}.jsonl").read_text().splitlines()
    ticks = [t for t in map(json.loads, lines) if t["kind"] == "tick" and t["phase"] == phase]
    return [t["answers"] for t in ticks[1:]]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
