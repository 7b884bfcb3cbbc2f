"""Scenarios for the stand-in for NVML: what a driver would say, and when.

A scenario is a text file. The library that `build` makes reads it from the path in STANDIN_NVML_SCENARIO, and again
whenever it changes. A line is `WHO KEY VALUE`; of several that hold, the last counts, and the value `-` takes back.

    WHO          a device's number, `0/2` the instance of MIG in place 2 of device 0, `*` all of them, `nvml` the library
    at 3.5       what follows holds from then on, in seconds since the library first looked, or since the Unix time of a
    epoch 1.8e9  line like this one; one `at` after another, in order
    0 power 72725                           a reading by its key; what is not given is not supported
    0 energy 2431356 +72725                 … which grows by so much a second
    0 field.82 42                           a numbered field; also `field.82 error 3`, `field.82 unfilled`
    0 gpm.5 48.65                           an activity over any window (percent, MiB/s); `gpm.support 1` as well
    0 process 450 1549795328 compute sm=59  PID, bytes (`?`: not told), lists (compute+graphics+mps or none), options
    0 instance 1 MIG-2 3 0                  an instance: place, UUID, GPU instance, compute instance
    0 xid 79                                one error of the driver, at the time of the line
    0 error nvmlDeviceGetPowerUsage 999     a function fails (`*`: each that is asked of this device; 0: no longer)
    0 hang nvmlDeviceGetPowerUsage forever  … or does not return before so many seconds, or before another file says so
    nvml devices 1                          and `driver`, `cuda`; `nvml error nvmlInitWithFlags 18`
"""

import os
from pathlib import Path
from typing import Any, Self

import pynvml

from tests.programs.nvml_build import COMPILER, build_nvml

__all__ = ["COMPILER", "VARIABLE", "Scenario", "build", "environment", "error_number"]

VARIABLE = "STANDIN_NVML_SCENARIO"
CLOCKS = ("graphics", "sm", "memory", "video")
"""nvmlClockType_t, in order."""

Who = int | str


def build(folder: Path) -> Path:
    """The folder that LD_LIBRARY_PATH must name; give one folder to all tests of a run, and it is built once."""
    return build_nvml(folder).parent


def environment(library: Path, scenario: Path) -> dict[str, str]:
    """The environment of a program that is to find the stand-in."""
    return {**os.environ, "LD_LIBRARY_PATH": str(library), VARIABLE: str(scenario)}


def error_number(error: int | str) -> int:
    """Of an error by name, as NOT_SUPPORTED."""
    return error if isinstance(error, int) else int(getattr(pynvml, f"NVML_ERROR_{error}"))


class Scenario:
    """What the stand-in is to say. Each method adds to it, and takes the place of what was said of the same before."""

    def __init__(self, driver: str = "580.159.04", cuda: int = 13000) -> None:
        self._lines: dict[tuple[object, ...], str] = {}
        self._at: float | None = None
        self._count = 0
        self.devices = 0
        self.set("nvml", "driver", driver).set("nvml", "cuda", cuda)

    def _say(self, line: str, *key: object) -> Self:
        self._lines[(self._at, *key)] = line
        return self

    def _once(self, line: str) -> Self:
        self._count += 1
        return self._say(line, "once", self._count)

    def card(self, uuid: str | None = None, **values: object) -> int:
        """One more device that tells its name and memory, and `values` by key (`_` for a dot); its number."""
        number = self.devices
        self.devices += 1
        known = {"uuid": uuid or f"GPU-{number}", "name": "NVIDIA Test", "minor": number, "memory.total": 16 << 30}
        known |= {key.replace("_", "."): value for key, value in values.items()}
        for key, value in known.items():
            self.set(number, key, value)
        return number

    def set(self, who: Who, key: str, *values: object) -> Self:
        """A reading; None takes it back."""
        text = " ".join("-" if value is None else str(value) for value in values)
        return self._say(f"{who} {key} {text}", who, key)

    def fail(self, who: Who, function: str, error: int | str) -> Self:
        """Let a function fail with an error, by number or name."""
        return self._say(f"{who} error {function} {error_number(error)}", who, "error", function)

    def hang(self, who: Who, function: str, seconds: float | None = None) -> Self:
        """Let a function not return for so long; None: not before the scenario changes."""
        return self._say(f"{who} hang {function} {'forever' if seconds is None else seconds}", who, "hang", function)

    def mend(self, who: Who, function: str) -> Self:
        """Let a function do its work again."""
        for what in ("error", "hang"):
            self._say(f"{who} {what} {function} 0", who, what, function)
        return self

    def process(self, who: Who, pid: int, memory: int | None, kinds: str = "compute", **options: object) -> Self:
        """A process in the lists `kinds` (joined by +, or none), whose memory is told or not, and that used what the
        options sm and mem say."""
        words = [str(pid), "?" if memory is None else str(memory), kinds]
        words += [f"{name}={value}" for name, value in options.items()]
        return self._say(f"{who} process {' '.join(words)}", who, "process", pid)

    def ended(self, who: Who, pid: int) -> Self:
        """That process is gone."""
        return self._say(f"{who} process {pid} -", who, "process", pid)

    def instance(self, device: int, place: int, uuid: str | None, gpu_instance: int = 0, compute: int = 0) -> str:
        """An instance of MIG, or none any more; the name by which it is spoken of."""
        words = "-" if uuid is None else f"{uuid} {gpu_instance} {compute}"
        self._say(f"{device} instance {place} {words}", device, "instance", place)
        return f"{device}/{place}"

    def xid(self, device: int, number: int) -> Self:
        """One error of the driver, one more each time."""
        return self._once(f"{device} xid {number}")

    def at(self, seconds: float) -> Self:
        """What follows holds from then on; go forward only."""
        assert self._at is None or seconds >= self._at
        self._at = seconds
        return self._once(f"at {seconds}")

    def epoch(self, unix: float) -> Self:
        """Times count from this moment."""
        return self._once(f"epoch {unix:.6f}")

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in (f"nvml devices {self.devices}", *self._lines.values()))

    def write(self, path: Path) -> None:
        """Put it in the place of what is there, in one step."""
        new = path.with_name(f"{path.name}.new")
        new.write_text(self.text)
        os.replace(new, path)


def clock(kind: str, highest: bool = False) -> str:
    """The key of a clock."""
    return f"clock{'.max' if highest else ''}.{CLOCKS.index(kind)}"


def field(name: str) -> str:
    """The key of a field that nvml.h calls NVML_FI_DEV_NAME."""
    number: Any = getattr(pynvml, f"NVML_FI_DEV_{name}")
    return f"field.{number}"
