"""Which Neuron device does a core belong to, and what do the processes have on each device?

Cores are numbered over all devices in turn. Known from documentation only, never run on the hardware.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from collectors.gpu.neuron.report import Hardware, Runtime, hardware
from collectors.gpu.neuron_here import device_numbers
from collectors.gpu.states import in_state
from collectors.host import Host


@dataclass(slots=True)
class Use:
    """What one process has on one device. None: not told."""

    pid: int
    busy: list[int] | None
    """Shares of time of its cores, in ppm."""
    memory: int | None


@dataclass(slots=True)
class Device:
    """One device."""

    index: int
    uses: list[Use] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"neuron{self.index}"

    @property
    def entity(self) -> str:
        return f"gpu:{self.name}"


@dataclass(slots=True)
class Node:
    """The devices of a report. `complete`: every process is known to use no others than it is listed with."""

    hardware: Hardware
    devices: list[Device]
    complete: bool = True


def node_of(report: dict[str, Any], host: Host) -> Node:
    """The devices that have a file on this host. Raises Unreadable where the driver does not tell of any."""
    known = hardware(report)
    if known.error:
        denied = "permission" in known.error.lower()
        raise in_state("permission" if denied else "no driver", f"neuron-monitor says: {known.error}")
    numbers = device_numbers(host)
    if not numbers or known.count == 0:
        raise in_state("no device", "the Neuron driver is loaded and names no device that this process may use")
    return Node(known, [Device(index) for index in numbers])


def add_uses(node: Node, found: Iterable[Runtime]) -> None:
    """Give each device what the processes have there."""
    by_index = {device.index: device for device in node.devices}
    for runtime in found:
        where = _where(node, runtime)
        if (
            where is None or not where <= by_index.keys()
        ):  # of a part of the devices, nobody says how cores are numbered
            node.complete = False
        for index in sorted(where or ()):
            if index in by_index:
                by_index[index].uses.append(_use(node, runtime, index))


def _where(node: Node, runtime: Runtime) -> set[int] | None:
    """The devices that it uses; None where nobody can tell."""
    if len(node.devices) == 1:
        return {node.devices[0].index}
    told = [cores for cores in (runtime.busy, _with_memory(runtime)) if cores is not None]
    if node.hardware.cores is None or not told:
        return None
    return {core // node.hardware.cores for cores in told for core in cores}


def _with_memory(runtime: Runtime) -> dict[int, int] | None:
    return None if runtime.memory is None else {core: size for core, size in runtime.memory.items() if size}


def _use(node: Node, runtime: Runtime, index: int) -> Use:
    def here(cores: dict[int, int]) -> list[int]:
        each = node.hardware.cores
        alone = len(node.devices) == 1
        return [value for core, value in cores.items() if alone or (each is not None and core // each == index)]

    return Use(
        runtime.pid,
        busy=None if runtime.busy is None else here(runtime.busy),
        memory=None if runtime.memory is None else sum(here(runtime.memory)),
    )
