"""Do the readers say what NVML answered on two real cards? What is expected is taken from the recording itself."""

import time
from typing import Any

import pytest

from tests.collectors.gpu.reader import HEALTH, INFO, SHORTEST, Reader, of, processes_of
from tests.nvml_recorded import Recording, from_tick, recording

Json = dict[str, Any]
MIB = 1 << 20
PHASES = [
    ("h100", "nothing"), ("h100", "idle"), ("h100", "sync"), ("h100", "serve"), ("h100", "shared"), ("h100", "gone"),
    ("h200", "sync"), ("h200", "shared"),
]  # fmt: skip
UUID = "GPU-1"
COUNTERS = ("SW_POWER_CAP", "SW_THERM_SLOWDOWN", "HW_THERM_SLOWDOWN", "HW_POWER_BRAKE_SLOWDOWN")


@pytest.fixture(scope="module")
def recordings() -> dict[str, Recording]:
    return {name: recording(name) for name in ("h100", "h200")}


def now_expected(once: Json, answers: Json) -> Json:
    memory, fields = answers["MemoryInfo_v2"], answers["FieldValues"]
    listed = answers["ComputeRunningProcesses"]
    gpm = answers["Gpm"][0]
    caps, software, hardware, brake = (fields[f"CLOCKS_EVENT_REASON_{name}"] for name in COUNTERS)
    return {
        "kind": "gpu",
        "entity": f"gpu:{UUID}",
        "state": "ok",
        "memory_total_bytes": memory["total"],
        "memory_reserved_bytes": memory["reserved"],
        "memory_used_bytes": memory["used"],
        "memory_free_bytes": memory["free"],
        "busy_ppm": answers["UtilizationRates"]["gpu"] * 10_000,
        "memory_busy_ppm": answers["UtilizationRates"]["memory"] * 10_000,
        "sm_active_ppm": round(gpm["2"] * 10_000),
        "sm_occupancy_ppm": round(gpm["3"] * 10_000),
        "tensor_active_ppm": round(gpm["5"] * 10_000),
        "dram_active_ppm": round(gpm["10"] * 10_000),
        "pcie_tx_bytes_per_second": round(gpm["20"] * MIB),
        "pcie_rx_bytes_per_second": round(gpm["21"] * MIB),
        "nvlink_tx_bytes_per_second": round(gpm["61"] * MIB),
        "nvlink_rx_bytes_per_second": round(gpm["60"] * MIB),
        "sm_clock_mhz": answers["ClockInfo.sm"],
        "memory_clock_mhz": answers["ClockInfo.memory"],
        "power_mw": answers["PowerUsage"],
        "temperature_celsius": answers["Temperature"],
        "power_cap_ns": caps,
        "software_thermal_ns": software,
        "hardware_thermal_ns": hardware,
        "power_brake_ns": brake,
        "xid_events": 0,
        "last_xid": None,
        "divided": 0,
        "parent": None,
        "processes": len(listed),
        "unknown_processes": 0,
        "unknown_memory_bytes": memory["used"] - sum(entry["usedGpuMemory"] for entry in listed),
    }


def processes_expected(answers: Json) -> dict[int, Json]:
    used = {row[0]: (row[2], row[3]) for row in answers.get("ProcessUtilization.since", ())}
    return {
        entry["pid"]: {
            "kind": "gpu_process",
            "entity": f"gpu-process:{UUID}/{entry['pid']}",
            "worker": f"worker:{entry['pid']}:{entry['pid']}",
            "context": "compute",
            "memory_bytes": entry["usedGpuMemory"],
            "sm_ppm": used.get(entry["pid"], (0, 0))[0] * 10_000,
            "memory_busy_ppm": used.get(entry["pid"], (0, 0))[1] * 10_000,
            "doubtful": None,
        }
        for entry in answers["ComputeRunningProcesses"]
    }


def health_expected(once: Json, answers: Json) -> Json:
    return {
        "kind": "gpu_health",
        "entity": f"gpu:{UUID}",
        "energy_mj": answers["TotalEnergyConsumption"],
        "power_limit_mw": once["EnforcedPowerLimit"],
        "memory_temperature_celsius": answers["FieldValues"]["MEMORY_TEMP"],
        "performance_state": answers["PerformanceState"],
        "pcie_generation": answers["CurrPcieLinkGeneration"],
        "pcie_width": answers["CurrPcieLinkWidth"],
        "pcie_sampled_tx_bytes_per_second": None,
        "pcie_sampled_rx_bytes_per_second": None,
        "pcie_replays": answers["PcieReplayCounter"],
        "nvlinks_active": None,
        "bar1_used_bytes": answers["BAR1MemoryInfo"]["bar1Used"],
        "bar1_total_bytes": answers["BAR1MemoryInfo"]["bar1Total"],
        "ecc_corrected": once["TotalEccErrors.corrected.volatile"],
        "ecc_uncorrected": answers["TotalEccErrors.uncorrected.volatile"],
        "remapped_rows": once["RemappedRows"][0] + once["RemappedRows"][1],
        "remap_pending": once["RemappedRows"][2],
        "remap_failed": once["RemappedRows"][3],
    }


def info_expected(header: Json, once: Json) -> Json:
    return {
        "kind": "gpu_info",
        "entity": f"gpu:{UUID}",
        "vendor": "nvidia",
        "name": once["Name"],
        "index": once["Index"],
        "architecture": "hopper",
        "compute_capability": "{}.{}".format(*once["CudaComputeCapability"]),
        "driver": header["DriverVersion"],
        "cuda": "13.0",
        "pci": once["PciInfo"]["busIdLegacy"],
        "device_file": f"/dev/nvidia{once['MinorNumber']}",
        "numa_node": None,
        "cpus": "0-15",
        "sm_clock_max_mhz": once["MaxClockInfo.sm"],
        "memory_clock_max_mhz": once["MaxClockInfo.memory"],
        "power_limit_default_mw": once["PowerManagementDefaultLimit"],
        "pcie_generation_max": once["MaxPcieLinkGeneration"],
        "pcie_width_max": once["MaxPcieLinkWidth"],
        "multiprocessors": None,
        "cuda_cores": once["NumGpuCores"],
        "memory_bus_bits": once["MemoryBusWidth"],
        "unified_memory": 0,
        "mig": 0,
        "parent": None,
        "compute_mode": "default",
        "persistence": once["PersistenceMode"],
        "mps": 0,
        "other_readers": None,
        "unsupported": "NvLinkState",
    }


@pytest.mark.parametrize(("card", "phase"), PHASES)
def test_every_field_is_what_the_card_said(
    nvidia: Reader, recordings: dict[str, Recording], card: str, phase: str
) -> None:
    known = recordings[card]
    tick, once = known.tick(phase), known.once["answers"]
    first = nvidia.fresh(from_tick(known.header, known.once, tick, UUID)).collect(wall=-1)
    began = time.monotonic()
    assert first[HEALTH] == {"state": "ok", "samples": [health_expected(once, tick["answers"])]}
    assert first[INFO] == {"state": "ok", "samples": [info_expected(known.header, once)]}
    time.sleep(max(0.0, began + SHORTEST - time.monotonic()))
    reading = nvidia.reading()
    assert of(reading, UUID) == now_expected(once, tick["answers"])
    assert processes_of(reading, UUID) == processes_expected(tick["answers"])


def test_the_phases_that_are_compared_differ(recordings: dict[str, Recording]) -> None:
    busy = {(card, phase): recordings[card].tick(phase)["answers"]["UtilizationRates"]["gpu"] for card, phase in PHASES}
    assert busy["h100", "idle"] == 0
    assert busy["h100", "sync"] > 90
    assert len(recordings["h100"].tick("shared")["answers"]["ComputeRunningProcesses"]) == 2


def test_what_the_first_reading_cannot_know_is_unknown(nvidia: Reader, recordings: dict[str, Recording]) -> None:
    known = recordings["h100"]
    tick = known.tick("sync")
    reading = nvidia.fresh(from_tick(known.header, known.once, tick, UUID)).reading()
    expected = now_expected(known.once["answers"], tick["answers"])
    counted = {name for name in expected if name.endswith("_active_ppm") or name.startswith(("pcie_", "nvlink_"))}
    assert of(reading, UUID) == {**expected, **dict.fromkeys([*counted, "sm_occupancy_ppm"])}
    assert [one["sm_ppm"] for one in processes_of(reading, UUID).values()] == [None]
