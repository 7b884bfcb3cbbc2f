"""Do the readers say what nvidia-smi said of real cards? What is expected is taken from its text line by line."""

import re
from typing import Any

import pytest

from tests.collectors.gpu.reader import HEALTH, INFO, NOW, Reader, of, processes_of
from tests.nvml_smi import capture, from_smi

MIB = 1 << 20
CARDS = [
    ("l40s", "idle"),
    ("l40s", "load"),
    ("h100", "load"),
    ("h200", "load"),
    ("h100-mig", "load"),
    ("h200-mig", "load"),
]
REASONS = {
    "power_cap_ns": "SW Power Capping", "software_thermal_ns": "SW Thermal Slowdown",
    "hardware_thermal_ns": "HW Thermal Slowdown", "power_brake_ns": "HW Power Braking",
}  # fmt: skip
MEMORY = {
    "memory_total_bytes": "Total", "memory_reserved_bytes": "Reserved", "memory_used_bytes": "Used",
    "memory_free_bytes": "Free",
}  # fmt: skip
NOT_RECORDED = ["sm_active_ppm", "sm_occupancy_ppm", "tensor_active_ppm", "dram_active_ppm", "pcie_tx_bytes_per_second",
                "pcie_rx_bytes_per_second", "nvlink_tx_bytes_per_second", "nvlink_rx_bytes_per_second"]  # fmt: skip
OF_THE_CHIP = ["busy_ppm", "memory_busy_ppm", "sm_clock_mhz", "memory_clock_mhz", "power_mw", "temperature_celsius",
               *REASONS, "xid_events", "last_xid"]  # fmt: skip


class Said:
    """The text of `nvidia-smi -q`."""

    def __init__(self, text: str) -> None:
        self.text = text

    def line(self, heading: str, key: str) -> str | None:
        """What stands at `key` in the block below `heading`; None for N/A."""
        block = re.search(rf"^( *){re.escape(heading)} *(?:: N/A)?\n((?:\1 +.*\n)*)", self.text, re.MULTILINE)
        assert block, heading
        found = re.search(rf"^ *{re.escape(key)} +: (.*)$", block[2], re.MULTILINE)
        return found[1] if found and found[1] != "N/A" else None

    def number(self, heading: str, key: str, times: float = 1) -> int | None:
        line = self.line(heading, key)
        return None if line is None else round(float(line.split()[0].rstrip("x")) * times)

    def top(self, key: str) -> str:
        found = re.search(rf"^ *{re.escape(key)} +: (.*)$", self.text, re.MULTILINE)
        assert found, key
        return found[1]

    def instances(self) -> list["Said"]:
        return [Said(block) for block in re.findall(r"    MIG Device\n(?:        .*\n)+", self.text)]

    def processes(self) -> list[tuple[str, str, int, int]]:
        """GPU instance, compute instance, PID, MiB."""
        pattern = (
            r"GPU instance ID +: (\S+)\n +Compute instance ID +: (\S+)\n +Process ID +: (\d+)\n +Type +: C\n"
            r" +Name .*\n +Used GPU Memory +: (\d+) MiB"
        )
        return [(gi, ci, int(pid), int(mib)) for gi, ci, pid, mib in re.findall(pattern, self.text)]


def read(nvidia: Reader, card: str, phase: str) -> tuple[Said, dict[str, Any]]:
    query = capture(card, f"{phase} :: query")
    listing = capture(card, "capabilities :: list") if "mig" in card else ""
    links = capture(card, "capabilities :: nvlink") if card == "h100" else ""
    return Said(query), nvidia.fresh(from_smi(query, listing, links)).collect()


NOT_OF_THE_WHOLE = dict.fromkeys(("processes", "unknown_processes", "unknown_memory_bytes"))
"""Those of a card that is divided are told of its instances."""


def memory_expected(said: Said, heading: str, processes: list[tuple[str, str, int, int]]) -> dict[str, Any]:
    memory = {name: said.number(heading, key, MIB) for name, key in MEMORY.items()}
    known = sum(mib for *_, mib in processes) * MIB
    return {
        **memory,
        "processes": len(processes),
        "unknown_processes": len(processes),
        "unknown_memory_bytes": (memory["memory_used_bytes"] or 0) - known,
    }


@pytest.mark.parametrize(("card", "phase"), CARDS)
def test_a_card_now(nvidia: Reader, card: str, phase: str) -> None:
    said, readings = read(nvidia, card, phase)
    busy, memory_busy = (said.number("Utilization", key, 10_000) for key in ("GPU", "Memory"))
    assert (busy is None) == ("mig" in card)
    uuid = said.top("GPU UUID")
    assert of(readings[NOW], uuid) == {
        "kind": "gpu",
        "entity": f"gpu:{uuid}",
        "state": "ok",
        **memory_expected(said, "FB Memory Usage", said.processes()),
        **dict.fromkeys(NOT_RECORDED),
        "busy_ppm": busy,
        "memory_busy_ppm": memory_busy,
        "sm_clock_mhz": said.number("Clocks", "SM"),
        "memory_clock_mhz": said.number("Clocks", "Memory"),
        "power_mw": said.number("GPU Power Readings", "Average Power Draw", 1000),
        "temperature_celsius": said.number("Temperature", "GPU Current Temp"),
        **{name: said.number("Clocks Event Reasons Counters", key, 1000) for name, key in REASONS.items()},
        "xid_events": 0,
        "last_xid": None,
        "divided": int("mig" in card),
        "parent": None,
        **(NOT_OF_THE_WHOLE if "mig" in card else {}),
    }
    listed = processes_of(readings[NOW], uuid)
    told = [] if "mig" in card else said.processes()
    assert {pid: one["memory_bytes"] for pid, one in listed.items()} == {pid: mib * MIB for *_, pid, mib in told}
    assert {(one["worker"], one["context"]) for one in listed.values()} <= {(None, "compute")}


@pytest.mark.parametrize(("card", "phase"), CARDS)
def test_a_cards_health(nvidia: Reader, card: str, phase: str) -> None:
    said, readings = read(nvidia, card, phase)
    rows = [said.number("Remapped Rows", f"{kind} Error") for kind in ("Correctable", "Uncorrectable")]
    no = None if rows[0] is None else 0
    assert (rows[0] is None) == ("mig" in card)
    assert of(readings[HEALTH], said.top("GPU UUID")) == {
        "kind": "gpu_health",
        "entity": f"gpu:{said.top('GPU UUID')}",
        "energy_mj": None,
        "power_limit_mw": said.number("GPU Power Readings", "Current Power Limit", 1000),
        "memory_temperature_celsius": said.number("Temperature", "Memory Current Temp"),
        "performance_state": int(said.top("Performance State")[1:]),
        "pcie_generation": said.number("PCIe Generation", "Current"),
        "pcie_width": said.number("Link Width", "Current"),
        "pcie_sampled_tx_bytes_per_second": said.number("PCI", "Tx Throughput", 1024),
        "pcie_sampled_rx_bytes_per_second": said.number("PCI", "Rx Throughput", 1024),
        "pcie_replays": said.number("PCI", "Replays Since Reset"),
        "nvlinks_active": 18 if card == "h100" else None,
        "bar1_used_bytes": said.number("BAR1 Memory Usage", "Used", MIB),
        "bar1_total_bytes": said.number("BAR1 Memory Usage", "Total", MIB),
        "ecc_corrected": 0,
        "ecc_uncorrected": 0,
        "remapped_rows": None if rows[0] is None or rows[1] is None else rows[0] + rows[1],
        "remap_pending": no,
        "remap_failed": no,
    }


@pytest.mark.parametrize(("card", "phase"), CARDS)
def test_what_a_card_is(nvidia: Reader, card: str, phase: str) -> None:
    said, readings = read(nvidia, card, phase)
    info = of(readings[INFO], said.top("GPU UUID"))
    unsupported = set(info.pop("unsupported").split())
    assert {"Gpm", "CpuAffinity", "TotalEnergyConsumption", "CudaComputeCapability"} <= unsupported
    assert ("RemappedRows" in unsupported) == ("mig" in card)
    assert ("MigMode" in unsupported) == (card == "l40s")
    assert info == {
        "kind": "gpu_info",
        "entity": f"gpu:{said.top('GPU UUID')}",
        "vendor": "nvidia",
        "name": said.top("Product Name"),
        "index": 0,
        "architecture": "ada" if card == "l40s" else "hopper",
        "compute_capability": None,
        "driver": said.top("Driver Version"),
        "cuda": said.top("CUDA Version"),
        "pci": said.top("Bus Id")[4:],
        "device_file": f"/dev/nvidia{said.top('Minor Number')}",
        "numa_node": None,
        "cpus": None,
        "sm_clock_max_mhz": said.number("Max Clocks", "SM"),
        "memory_clock_max_mhz": said.number("Max Clocks", "Memory"),
        "power_limit_default_mw": said.number("GPU Power Readings", "Default Power Limit", 1000),
        "pcie_generation_max": said.number("PCIe Generation", "Max"),
        "pcie_width_max": said.number("Link Width", "Max"),
        "multiprocessors": None,
        "cuda_cores": None,
        "memory_bus_bits": None,
        "unified_memory": 0,
        "mig": int("mig" in card),
        "parent": None,
        "compute_mode": "default",
        "persistence": int(said.top("Persistence Mode") == "Enabled"),
        "mps": 0,
        "other_readers": None,
    }


@pytest.mark.parametrize("card", ["h100-mig", "h200-mig"])
def test_instances_of_a_divided_card_are_devices_of_their_own(nvidia: Reader, card: str) -> None:
    said, readings = read(nvidia, card, "load")
    names = re.findall(r"MIG (\S+) .*UUID: (MIG-[^)]+)", capture(card, "capabilities :: list"))
    assert len(said.instances()) == len(names) == {"h100-mig": 4, "h200-mig": 5}[card]
    for one, (profile, uuid) in zip(said.instances(), names, strict=True):
        place = (one.top("GPU Instance ID"), one.top("Compute Instance ID"))
        inside = [process for process in said.processes() if process[:2] == place]
        assert of(readings[NOW], uuid) == {
            "kind": "gpu",
            "entity": f"gpu:{uuid}",
            "state": "ok",
            **memory_expected(one, "Shared FB Memory Usage", inside),
            **dict.fromkeys(NOT_RECORDED + OF_THE_CHIP),
            "divided": 0,
            "parent": f"gpu:{said.top('GPU UUID')}",
        }
        assert processes_of(readings[NOW], uuid).keys() == {pid for *_, pid, _ in inside}
        health = {name: value for name, value in of(readings[HEALTH], uuid).items() if value is not None}
        assert health == {
            "kind": "gpu_health",
            "entity": f"gpu:{uuid}",
            "bar1_used_bytes": one.number("Shared BAR1 Memory", "Used", MIB),
            "bar1_total_bytes": one.number("Shared BAR1 Memory", "Total", MIB),
        }
        info = of(readings[INFO], uuid)
        assert info["name"] == f"{said.top('Product Name')} MIG {profile}"
        assert info["multiprocessors"] == int(one.top("Multiprocessor count"))
        assert (info["mig"], info["parent"]) == (0, f"gpu:{said.top('GPU UUID')}")


def test_two_compute_instances_that_share_memory_have_their_own_processes(nvidia: Reader) -> None:
    said, readings = read(nvidia, "h200-mig", "load")
    first, second = (of(readings[NOW], uuid) for uuid in re.findall(r"MIG-0000000[01]-[^)]+", capture_listing()))
    assert first["memory_used_bytes"] == second["memory_used_bytes"]
    assert (first["processes"], second["processes"]) == (0, len(said.processes())) == (0, 3)


def capture_listing() -> str:
    return capture("h200-mig", "capabilities :: list")
