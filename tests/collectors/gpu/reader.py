"""The collectors of NVIDIA's devices in a process of their own, before a scenario and a machine made of files."""

import json
import subprocess
import sys
from pathlib import Path
from select import select
from types import TracebackType
from typing import Any, Self

from tests.hosttree import HostTree
from tests.nvml import Scenario, environment

PROGRAM = Path(__file__).parents[2] / "programs" / "nvml_reader.py"
REPOSITORY = Path(__file__).parents[3]
NOW, HEALTH, INFO = "nvidia", "nvidia-health", "nvidia-info"
INIT_NAMESPACE = "pid:[4026531836]"
MEMINFO = "MemTotal:  125000000 kB\nMemFree:  1000000 kB\nMemAvailable:  100000000 kB\n"
SHORTEST = 0.11
"""Seconds after which a driver's counters of activity have something new to say."""

Reading = dict[str, Any]


class Reader:
    """One program, whose scenario can be changed while it runs. `machine` None: this one."""

    def __init__(self, library: Path, folder: Path, machine: HostTree | None) -> None:
        self.scenario_file = folder / "scenario"
        self._errors = (folder / "stderr").open("w+")
        self._program = subprocess.Popen(
            [sys.executable, str(PROGRAM), *([str(machine.root)] if machine else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=REPOSITORY,
            env={**environment(library, self.scenario_file), "PYTHONPATH": str(REPOSITORY)},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._program.kill()
        self._program.communicate()
        self._errors.close()

    def send(self, do: str, *arguments: Any, **named: Any) -> None:
        assert self._program.stdin is not None
        self._program.stdin.write(json.dumps({"do": do, "arguments": arguments, **named}) + "\n")
        self._program.stdin.flush()

    def answer(self, seconds: float = 20.0) -> Any:
        """What the program answers; TimeoutError if it does not in time."""
        output = self._program.stdout
        assert output is not None
        if not select([output], [], [], seconds)[0]:
            raise TimeoutError
        line = output.readline()
        if not line:
            self._errors.seek(0)
            raise AssertionError(self._errors.read())
        return json.loads(line)

    def ask(self, do: str, *arguments: Any, **named: Any) -> Any:
        self.send(do, *arguments, **named)
        return self.answer()

    def show(self, scenario: Scenario) -> None:
        """The driver says this from now on."""
        scenario.write(self.scenario_file)

    def fresh(self, scenario: Scenario | None = None) -> Self:
        """Collectors that know nothing, before this scenario."""
        if scenario is not None:
            self.show(scenario)
        self.ask("fresh")
        return self

    def collect(self, *collectors: str, **shifts: float) -> dict[str, Reading]:
        """One reading of each; `mono` and `wall`: with clocks that are so many seconds further on."""
        return self.ask("collect", collectors or (NOW, HEALTH, INFO), **shifts)

    def reading(self, collector: str = NOW, **shifts: float) -> Reading:
        return self.collect(collector, **shifts)[collector]

    def device(self, uuid: str = "GPU-0", collector: str = NOW, **shifts: float) -> Reading:
        """What is said of one device."""
        return of(self.reading(collector, **shifts), uuid)

    def processes(self, uuid: str = "GPU-0", **shifts: float) -> dict[int, Reading]:
        """What is said of a device's processes, by PID."""
        return processes_of(self.reading(**shifts), uuid)


def of(reading: Reading, uuid: str) -> Reading:
    """The sample of a device."""
    assert reading["state"] == "ok", reading
    [sample] = [one for one in reading["samples"] if one["entity"] == f"gpu:{uuid}"]
    return sample


def processes_of(reading: Reading, uuid: str) -> dict[int, Reading]:
    prefix = f"gpu-process:{uuid}/"
    return {int(one["entity"][len(prefix) :]): one for one in reading["samples"] if one["entity"].startswith(prefix)}


def made_machine(root: Path, *pids: int, outermost: bool = True) -> HostTree:
    """A machine with these processes, each started at its PID; seen from within a PID namespace, or from the outermost."""
    machine = HostTree(root)
    machine.file("proc/meminfo", MEMINFO)
    for pid in pids:
        machine.process(pid, started=pid)
        machine.file(f"proc/{pid}/comm", "python\n")
    namespace = machine.root / "proc" / "self" / "ns"
    namespace.mkdir(parents=True)
    (namespace / "pid").symlink_to(INIT_NAMESPACE if outermost else "pid:[4026532999]")
    return machine
