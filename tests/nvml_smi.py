"""Scenarios from what nvidia-smi said of real cards (tests/fixtures/gpu/smi)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.nvml import Scenario, clock
from tests.nvml import field as field_key

FOLDER = Path(__file__).parent / "fixtures" / "gpu" / "smi"
ARCHITECTURES = {"Ada Lovelace": 8, "Hopper": 9}
MIB = 1 << 20


def capture(name: str, section: str) -> str:
    """What nvidia-smi said of one card: a section of tests/fixtures/gpu/smi/NAME.txt, as `load :: query`."""
    text = (FOLDER / f"{name}.txt").read_text()
    for part in re.split(r"^# (?=\w+ :: )", text, flags=re.MULTILINE):
        if part.startswith(section):
            return part
    raise LookupError(f"{name}: {section}")


@dataclass
class Node:
    """A line of `nvidia-smi -q` with those that are indented below it."""

    key: str
    value: str | None
    below: list["Node"] = field(default_factory=list)

    def all(self, key: str) -> Iterator["Node"]:
        return (node for node in self.below if node.key == key)

    def at(self, *path: str) -> "Node | None":
        node: Node | None = self
        for key in path:
            node = next(node.all(key), None) if node else None
        return node

    def text(self, *path: str) -> str | None:
        """The value there; None for N/A and where nothing is."""
        node = self.at(*path)
        return node.value if node and node.value not in (None, "N/A") else None

    def number(self, *path: str, times: float = 1) -> int | None:
        """The number with which the value begins, in the unit of which `times` make one of its own."""
        found = re.match(r"[\d.]+", self.text(*path) or "")
        return None if found is None else round(float(found[0]) * times)


def tree(query: str) -> Node:
    """The lines of `nvidia-smi -q` by their indentation."""
    root = Node("", None)
    open_nodes = [(-1, root)]
    for line in query.splitlines():
        if not line.strip() or line.startswith(("#", "=")):
            continue
        depth = len(line) - len(line.lstrip())
        key, colon, value = line.strip().partition(" : ")
        while open_nodes[-1][0] >= depth:
            open_nodes.pop()
        node = Node(key.strip(), value.strip() if colon else None)
        open_nodes[-1][1].below.append(node)
        open_nodes.append((depth, node))
    return root


SMI = {
    "name": ("Product Name",), "uuid": ("GPU UUID",), "minor": ("Minor Number",), "pci": ("PCI", "Bus Id"),
}  # fmt: skip
SMI_NUMBERS = {
    "pcie.generation": ("PCI", "GPU Link Info", "PCIe Generation", "Current"),
    "pcie.generation.max": ("PCI", "GPU Link Info", "PCIe Generation", "Max"),
    "pcie.width": ("PCI", "GPU Link Info", "Link Width", "Current"),
    "pcie.width.max": ("PCI", "GPU Link Info", "Link Width", "Max"),
    "pcie.replays": ("PCI", "Replays Since Reset"),
    "pcie.tx": ("PCI", "Tx Throughput"),
    "pcie.rx": ("PCI", "Rx Throughput"),
    "busy": ("Utilization", "GPU"),
    "busy.memory": ("Utilization", "Memory"),
    "temperature.0": ("Temperature", "GPU Current Temp"),
    field_key("MEMORY_TEMP"): ("Temperature", "Memory Current Temp"),
    clock("sm"): ("Clocks", "SM"),
    clock("memory"): ("Clocks", "Memory"),
    clock("sm", highest=True): ("Max Clocks", "SM"),
    clock("memory", highest=True): ("Max Clocks", "Memory"),
}
SMI_POWERS = {
    "power": "Average Power Draw", "power.limit": "Current Power Limit", "power.limit.default": "Default Power Limit",
}  # fmt: skip
SMI_COUNTERS = {
    "SW_POWER_CAP": "SW Power Capping", "SW_THERM_SLOWDOWN": "SW Thermal Slowdown",
    "HW_THERM_SLOWDOWN": "HW Thermal Slowdown", "HW_POWER_BRAKE_SLOWDOWN": "HW Power Braking",
}  # fmt: skip
SMI_MEMORY = {"total": "Total", "reserved": "Reserved", "used": "Used", "free": "Free"}
KINDS = {"C": "compute", "G": "graphics", "M": "mps"}
WORDS = {"Enabled": 1, "Disabled": 0, "Yes": 1, "No": 0, "Default": 0, "Exclusive_Process": 3, "Prohibited": 2}


def from_smi(query: str, listing: str = "", links: str = "") -> Scenario:
    """One card from the answer to `nvidia-smi -q`; of those to `-L` the names of instances, to `nvlink -s` the links."""
    whole = tree(query)
    gpu = next(node for node in whole.below if node.key.startswith("GPU "))
    major, minor = (whole.text("CUDA Version") or "0.0").split(".")
    scenario = Scenario(whole.text("Driver Version") or "", int(major) * 1000 + int(minor) * 10)
    card = scenario.card(gpu.text("GPU UUID"))
    for key, path in SMI.items():
        scenario.set(card, key, gpu.text(*path))
    for key, path in SMI_NUMBERS.items():
        scenario.set(card, key, gpu.number(*path))
    for key, name in SMI_POWERS.items():
        scenario.set(card, key, gpu.number("GPU Power Readings", name, times=1000))
    for counter, name in SMI_COUNTERS.items():
        scenario.set(
            card,
            field_key(f"CLOCKS_EVENT_REASON_{counter}"),
            gpu.number("Clocks Event Reasons Counters", name, times=1000),
        )
    _smi_memory(scenario, card, gpu, "FB Memory Usage", "BAR1 Memory Usage")
    _smi_words(scenario, card, gpu)
    _smi_instances(scenario, card, gpu, re.findall(r"MIG (\S+) +Device +\d+: \(UUID: (\S+)\)", listing))
    _smi_processes(scenario, card, gpu)
    for link in re.findall(r"Link (\d+): [\d.]+ GB/s", links):
        scenario.set(card, f"nvlink.{link}", 1)
    return scenario


def _smi_memory(scenario: Scenario, who: int | str, node: Node, memory: str, bar1: str) -> None:
    for part, name in SMI_MEMORY.items():
        scenario.set(who, f"memory.{part}", node.number(memory, name, times=MIB))
    for part in ("total", "used"):
        scenario.set(who, f"bar1.{part}", node.number(bar1, SMI_MEMORY[part], times=MIB))


def _smi_words(scenario: Scenario, card: int, gpu: Node) -> None:
    """What is said in words, and sums."""
    scenario.set(card, "architecture", ARCHITECTURES[gpu.text("Product Architecture") or ""])
    scenario.set(card, "performance.state", (gpu.text("Performance State") or "P").removeprefix("P"))
    scenario.set(card, "persistence", WORDS[gpu.text("Persistence Mode") or ""])
    scenario.set(card, "compute.mode", WORDS[gpu.text("Compute Mode") or ""])
    if (mode := gpu.text("MIG Mode", "Current")) is not None:
        scenario.set(card, "mig", WORDS[mode], WORDS[mode]).set(card, "mig.most", 7)
    if (errors := gpu.at("ECC Errors", "Volatile")) is not None:
        for kind in ("Correctable", "Uncorrectable"):
            known = [int(node.value or 0) for node in errors.below if kind in node.key.split()]
            scenario.set(card, f"ecc.{kind.lower().replace('ectable', 'ected')}", sum(known))
    rows = [gpu.number("Remapped Rows", f"{kind} Error") for kind in ("Correctable", "Uncorrectable")]
    flags = [gpu.text("Remapped Rows", name) for name in ("Pending", "Remapping Failure Occurred")]
    if None not in rows:
        scenario.set(card, "remapped", *rows, *(WORDS[flag or "No"] for flag in flags))


def _smi_instances(scenario: Scenario, card: int, gpu: Node, names: list[tuple[str, str]]) -> None:
    for node in gpu.all("MIG Device"):
        place = int(node.text("Index") or 0)
        profile, uuid = names[place]
        instance, compute = (node.number(f"{kind} Instance ID") or 0 for kind in ("GPU", "Compute"))
        one = scenario.instance(card, place, uuid, instance, compute)
        scenario.set(one, "name", f"{gpu.text('Product Name')} MIG {profile}")
        _smi_memory(scenario, one, node, "Shared FB Memory Usage", "Shared BAR1 Memory")
        shared = node.at("Device Attributes", "Shared") or node
        counts = [shared.number(f"{unit} count") for unit in ("Multiprocessor", "Copy Engine", "Decoder", "Encoder")]
        scenario.set(one, "attributes", *counts)


def _smi_processes(scenario: Scenario, card: int, gpu: Node) -> None:
    options: dict[str, int] = {}
    for node in (gpu.at("Processes") or gpu).below:
        if node.key == "GPU instance ID":
            options = {} if node.value == "N/A" else {"gi": int(node.value or 0)}
        elif node.key == "Compute instance ID" and node.value != "N/A":
            options["ci"] = int(node.value or 0)
        elif node.key == "Process ID":
            kinds = "+".join(KINDS[mark] for mark in (node.text("Type") or "").split("+"))
            scenario.process(card, int(node.value or 0), node.number("Used GPU Memory", times=MIB), kinds, **options)
