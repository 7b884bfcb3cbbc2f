"""The collectors of NVIDIA's devices in a process of their own, which does what the lines of its standard input say.

    LD_LIBRARY_PATH=FOLDER STANDIN_NVML_SCENARIO=FILE python nvml_reader.py [ROOT]

ROOT holds the files of a made machine; without it, those of this one count. A line is a JSON object whose `do` names a
function below; each is answered with one line.
"""

import ctypes
import json
import os
import sys
import threading
from dataclasses import dataclass, replace
from typing import Any

import pynvml

from collectors.collector import Collector
from collectors.gpu.nvml.library import nvml
from collectors.host import Host, SystemClock
from collectors.reading import Instant, Ok, Reading, Unsupported
from collectors.runner import collect_one
from collectors.sources.nvidia import NvidiaCollector
from collectors.sources.nvidia_health import NvidiaHealthCollector
from collectors.sources.nvidia_info import NvidiaInfoCollector

KINDS: tuple[type[Collector], ...] = (NvidiaCollector, NvidiaHealthCollector, NvidiaInfoCollector)


@dataclass
class ShiftedClock(SystemClock):
    """The real clocks, so many seconds further on."""

    mono: float = 0.0
    wall: float = 0.0

    def now(self) -> Instant:
        is_now = super().now()
        return Instant(is_now.mono_ns + round(self.mono * 1e9), is_now.wall_ns + round(self.wall * 1e9))


def as_json(reading: Reading) -> dict[str, Any]:
    """A reading without what differs from run to run."""
    outcome = reading.outcome
    if isinstance(outcome, Ok):
        samples = [
            {"kind": one.kind, **{name: getattr(one, name) for name in one.__struct_fields__}}
            for one in outcome.samples
        ]
        return {"state": "ok", "samples": samples}
    if isinstance(outcome, Unsupported):
        return {"state": outcome.reason, "hint": outcome.hint, "samples": []}
    return {"state": "failed", "hint": outcome.error, "samples": []}


class Program:
    """The collectors, and what is done with them."""

    def __init__(self, root: str | None) -> None:
        self._clock = ShiftedClock()
        self._host = Host.at(root, self._clock) if root else replace(Host.real(), clock=self._clock)
        self._running: threading.Thread | None = None
        self._readings: dict[str, Any] = {}
        self.fresh()

    def fresh(self) -> None:
        """New collectors, which begin a session of their own."""
        self._collectors = {one.name: one for one in (kind() for kind in KINDS)}
        nvml().end()
        nvml.cache_clear()
        self._clock.mono = self._clock.wall = 0.0

    def collect(self, names: list[str], mono: float = 0.0, wall: float = 0.0) -> dict[str, Any]:
        """One reading of each of these collectors, with clocks that are so many seconds further on."""
        self._clock.mono, self._clock.wall = mono, wall
        return {name: as_json(collect_one(self._collectors[name], self._host, (), 0)) for name in names}

    def start(self, names: list[str]) -> None:
        """As `collect`, but answers at once."""

        def run() -> None:
            self._readings = self.collect(names)

        self._running = threading.Thread(target=run, daemon=True)
        self._running.start()

    def doing(self, name: str) -> str:
        """What this collector says it is doing."""
        return self._collectors[name].doing

    def finish(self) -> dict[str, Any]:
        """What was started, once it is done."""
        assert self._running is not None
        self._running.join()
        return self._readings

    def call(self, name: str, *arguments: Any, device: int | None = None) -> Any:
        """A function of the binding: its answer as text, or the number of its error."""
        try:
            handle = () if device is None else (pynvml.nvmlDeviceGetHandleByIndex(device),)
            return {"answer": str(getattr(pynvml, name)(*handle, *arguments))}
        except pynvml.NVMLError as error:
            return {"error": error.value}

    def sizes(self) -> dict[str, list[int]]:
        """Of each structure: its size in the library, and in the binding."""
        library = ctypes.CDLL("libnvidia-ml.so.1")
        library.standin_struct.restype = ctypes.c_char_p
        library.standin_sizeof.restype = ctypes.c_size_t
        found, place = {}, 0
        while name := library.standin_struct(place):
            found[name.decode()] = [library.standin_sizeof(name), ctypes.sizeof(getattr(pynvml, name.decode()))]
            place += 1
        asked = pynvml.c_nvmlGpmMetricsGet_t
        found["c_nvmlGpmMetricsGet_t"][1] = asked.metrics.offset  # as many metrics follow as the binding knows
        return found


def main() -> None:
    program = Program(sys.argv[1] if len(sys.argv) > 1 else None)
    for line in sys.stdin:
        command = json.loads(line)
        answer = getattr(program, command.pop("do"))(*command.pop("arguments", ()), **command)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    os._exit(0)  # a call that hangs must not keep it alive


if __name__ == "__main__":
    main()
