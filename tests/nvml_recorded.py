"""Scenarios from recordings of what NVML answered on real cards (tests/fixtures/gpu/nvml-*.jsonl)."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.nvml import Scenario, clock, field

FOLDER = Path(__file__).parent / "fixtures" / "gpu"
Json = dict[str, Any]

NUMBERS = {
    "Name": "name", "Architecture": "architecture", "MinorNumber": "minor", "NumGpuCores": "cores",
    "MemoryBusWidth": "memory.bus", "PersistenceMode": "persistence",
    "ComputeMode": "compute.mode", "MaxMigDeviceCount": "mig.most", "MaxPcieLinkGeneration": "pcie.generation.max",
    "MaxPcieLinkWidth": "pcie.width.max", "PowerManagementDefaultLimit": "power.limit.default",
    "EnforcedPowerLimit": "power.limit", "PowerUsage": "power", "TotalEnergyConsumption": "energy",
    "PerformanceState": "performance.state", "CurrentClocksEventReasons": "reasons",
    "CurrPcieLinkGeneration": "pcie.generation", "CurrPcieLinkWidth": "pcie.width", "PcieReplayCounter": "pcie.replays",
    "Temperature": "temperature.0", "PcieThroughput.tx": "pcie.tx", "PcieThroughput.rx": "pcie.rx",
    "TotalEccErrors.corrected.volatile": "ecc.corrected", "TotalEccErrors.uncorrected.volatile": "ecc.uncorrected",
    "TotalEccErrors.corrected.aggregate": "ecc.corrected.aggregate",
    "TotalEccErrors.uncorrected.aggregate": "ecc.uncorrected.aggregate",
}  # fmt: skip
"""Recorded calls that answer one number or text -> key of the scenario."""
LISTS = {"CudaComputeCapability": "capability", "MigMode": "mig", "CpuAffinity": "affinity", "RemappedRows": "remapped"}
PROCESS_LISTS = {"Compute": "compute", "Graphics": "graphics", "MPSCompute": "mps"}


@dataclass
class Recording:
    """One file of NVML's answers."""

    header: Json
    once: Json
    ticks: list[Json]
    """Each with all of its `errors`, also those that were the same in the tick before."""

    def tick(self, phase: str, number: int = -1) -> Json:
        """One tick of a phase; the last, if not said."""
        return [tick for tick in self.ticks if tick["phase"] == phase][number]


def recording(name: str) -> Recording:
    """`h100` or `h200`."""
    lines = [json.loads(line) for line in (FOLDER / f"nvml-{name}.jsonl").read_text().splitlines()]
    found = {line["kind"]: line for line in lines}
    ticks = [line for line in lines if line["kind"] == "tick"]
    errors: Json = {}
    for tick in ticks:
        errors = tick["errors"] = tick.get("errors", errors)
    return Recording(found["header"], found["once"], ticks)


def from_tick(header: Json, once: Json, tick: Json, uuid: str = "GPU-1") -> Scenario:
    """One card as it was in a tick."""
    scenario = Scenario(header["DriverVersion"], header["CudaDriverVersion"])
    card = scenario.card(uuid)
    answers = once["answers"] | tick["answers"]
    for name, answer in answers.items():
        if name in NUMBERS:
            scenario.set(card, NUMBERS[name], answer)
        elif name in LISTS:
            scenario.set(card, LISTS[name], *answer)
        elif name.startswith(("ClockInfo.", "MaxClockInfo.")):
            scenario.set(card, clock(name.partition(".")[2], name.startswith("Max")), answer)
    for name, value in tick["answers"].get("FieldValues", {}).items():
        scenario.set(card, field(name), value)
    for error, names in (*once["errors"].items(), *tick["errors"].items()):
        for name in names:
            if "." not in name:  # of one that has several kinds, those that are not given are not supported
                scenario.fail(card, f"nvmlDeviceGet{name}", error)
    _structures(scenario, card, answers)
    _processes(scenario, card, answers)
    return scenario


def _structures(scenario: Scenario, card: int, answers: Json) -> None:
    memory, bar1, busy = (answers[name] for name in ("MemoryInfo_v2", "BAR1MemoryInfo", "UtilizationRates"))
    for part in ("total", "reserved", "used", "free"):
        scenario.set(card, f"memory.{part}", memory[part])
    scenario.set(card, "bar1.total", bar1["bar1Total"]).set(card, "bar1.used", bar1["bar1Used"])
    scenario.set(card, "busy", busy["gpu"]).set(card, "busy.memory", busy["memory"])
    scenario.set(card, "pci", answers["PciInfo"]["busId"])
    scenario.set(card, "gpm.support", answers["GpmSupport"]["isSupportedDevice"])
    for number, value in (answers["Gpm"] or [{}])[0].items():
        scenario.set(card, f"gpm.{number}", value)


def _processes(scenario: Scenario, card: int, answers: Json) -> None:
    used = {pid: (sm, memory) for pid, _, sm, memory, *_ in answers.get("ProcessUtilization.since", ())}
    listed: dict[int, tuple[int, list[str]]] = {}
    for name, kind in PROCESS_LISTS.items():
        for entry in answers[f"{name}RunningProcesses"]:
            listed.setdefault(entry["pid"], (entry["usedGpuMemory"], []))[1].append(kind)
    for pid in listed.keys() | used.keys():
        memory, kinds = listed.get(pid, (0, ["none"]))
        options = dict(zip(("sm", "mem"), used[pid], strict=True)) if pid in used else {}
        scenario.process(card, pid, memory, "+".join(kinds), **options)
