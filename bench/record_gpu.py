"""What does NVML answer on this card, call by call, and what does each call cost?

    python bench/record_gpu.py OUT.jsonl [--seconds 60] [--every 1.0] [--device 0] [--phase-file FILE]

Needs `nvidia-ml-py` and a driver. Writes one JSON object a line: `header`, `once`, `fields`, `gpm`, then a `tick` every
so often and `cost` at the end (tests/fixtures/gpu/README.md says what stands in them). The content of FILE, read at each
tick, labels the ticks: a program that puts load on the card writes what it does there. UUID and serial number are not
recorded. No setting of the card is changed.
"""

import argparse
import importlib
import itertools
import json
import platform
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, TextIO

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.nvml_calls import FIELDS_EACH, SAMPLINGS, each, once
from bench.nvml_fields import each_alone, every_field, field_values
from bench.nvml_gpm import Gpm
from bench.nvml_values import Calls, Json

SYSTEM = ("DriverVersion", "NVMLVersion", "CudaDriverVersion", "CudaDriverVersion_v2")
GPM_ENDS = (404, 332, 260, 247, 209, 163, 61)
"""Where the metrics of a version of nvml.h end: a driver refuses numbers that it does not know."""
WINDOWS_AT = 3
"""The tick of each phase at which the short GPM windows are tried."""


def resident_kib() -> int:
    """Resident memory of this process."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0])


class Recorder:
    """Asks one card everything, and writes it down."""

    def __init__(self, out: TextIO, device: int, phase_file: Path | None) -> None:
        moments = [("begin", time.monotonic(), resident_kib())]
        try:
            self.nvml: Any = importlib.import_module("pynvml")
        except ImportError:
            sys.exit("nvidia-ml-py is not installed: pip install nvidia-ml-py")
        moments.append(("import", time.monotonic(), resident_kib()))
        try:
            self.nvml.nvmlInit()
            moments.append(("init", time.monotonic(), resident_kib()))
            self.handle = self.nvml.nvmlDeviceGetHandleByIndex(device)
            moments.append(("handle", time.monotonic(), resident_kib()))
        except self.nvml.NVMLError as error:
            sys.exit(f"no card {device} to ask: {error}")
        self._start = {
            name: {"ms": round((at - before) * 1e3, 1), "resident_kib": kib}
            for (_, before, _), (name, at, kib) in itertools.pairwise([moments[0], *moments])
        }
        self.calls = Calls(self.nvml)
        self._out = out
        self._phase_file = phase_file
        self._each = each(self.nvml, self.handle)
        self._seen_processes = self._seen_processes_v2 = 0
        self._seen_samples = dict.fromkeys(SAMPLINGS, 0)
        self._ticks_of: dict[str, int] = {}
        self._errors: dict[str, list[str]] = {}
        self._gpm = Gpm(self.calls, self.handle)

    def write(self, kind: str, **content: Json) -> None:
        """One line."""
        self._out.write(json.dumps({"kind": kind, **content}, separators=(",", ":")) + "\n")
        self._out.flush()

    def header(self, every: float) -> None:
        """Versions, and what it took to begin."""
        nvml = self.nvml
        systems = {name: self.calls.make(name, getattr(nvml, f"nvmlSystemGet{name}"))[0] for name in SYSTEM}
        self.write(
            "header",
            nvidia_ml_py=importlib.import_module("importlib.metadata").version("nvidia-ml-py"),
            kernel=platform.release(),
            python=platform.python_version(),
            unix=round(time.time(), 3),
            every=every,
            devices=nvml.nvmlDeviceGetCount(),
            start=dict(self._start),
            **systems,
        )

    @staticmethod
    def _note(name: str, made: tuple[Json, str | None], answers: dict[str, Json], errors: dict[str, list[str]]) -> None:
        answer, error = made
        if error is None:
            answers[name] = answer
        else:
            errors.setdefault(error, []).append(name)

    def once(self) -> None:
        """Every call whose answer stays."""
        answers: dict[str, Json] = {}
        errors: dict[str, list[str]] = {}
        for name, call in once(self.nvml, self.handle).items():
            self._note(name, self.calls.make(name, call), answers, errors)
        took: dict[str, Json] = {name: spent[-1][0] for name, spent in self.calls.spent.items()}
        self.write("once", answers=answers, errors=errors, wall_us=took)

    def fields(self) -> None:
        """Every field, in one call; then one by one, and what was different so."""
        together, error = self.calls.make("FieldValues.every", partial(every_field, self.calls, self.handle))
        if error is not None:
            self.write("fields", error=error)
            return
        self.write("fields", **together)
        self.write("fields_alone", **each_alone(self.calls, self.handle, together))

    def gpm(self) -> None:
        """Every metric that the library has a number for, over 200 ms of whatever runs; fewer if the driver refuses."""
        for last in (self.nvml.NVML_GPM_METRIC_MAX - 1, *GPM_ENDS):
            call = partial(self._gpm.over, 0.2, range(1, last + 1))
            answer, error = self.calls.make(f"GpmMetricsGet.1-{last}", call)
            self.write("gpm", asked=f"1-{last}", answer=answer, error=error)
            if error is None:
                return

    def _process_utilisation(self, since: int) -> list[list[int]]:
        used = self.nvml.nvmlDeviceGetProcessUtilization(self.handle, since)
        return [[u.pid, u.timeStamp, u.smUtil, u.memUtil, u.encUtil, u.decUtil] for u in used]

    def _process_utilisation_v2(self) -> list[list[int]]:
        used = self.nvml.nvmlDeviceGetProcessesUtilizationInfo(self.handle, self._seen_processes_v2)
        self._seen_processes_v2 = max((u.timeStamp for u in used), default=self._seen_processes_v2)
        return [[u.pid, u.timeStamp, u.smUtil, u.memUtil] for u in used]

    def _samples(self, name: str) -> list[int | float]:
        """Count, first and last time (µs), then minimum, mean and maximum of the value."""
        kind, got = self.nvml.nvmlDeviceGetSamples(self.handle, SAMPLINGS[name], self._seen_samples[name])
        values = [one.sampleValue.dVal if kind == 0 else one.sampleValue.uiVal for one in got if one.timeStamp]
        stamps = [one.timeStamp for one in got if one.timeStamp]
        if not values:
            return [0]
        self._seen_samples[name] = max(stamps)
        return [len(values), min(stamps), max(stamps), min(values), round(sum(values) / len(values), 1), max(values)]

    def tick(self) -> None:
        """Everything that changes."""
        phase = ""
        if self._phase_file is not None and self._phase_file.exists():
            phase = self._phase_file.read_text().strip()
        at, wall, cpu = time.time(), time.monotonic(), time.thread_time()
        answers: dict[str, Json] = {}
        errors: dict[str, list[str]] = {}

        def note(name: str, made: tuple[Json, str | None]) -> None:
            self._note(name, made, answers, errors)

        for name, call in self._each.items():
            note(name, self.calls.make(name, call))
        since = self._seen_processes
        used, error = self.calls.make("ProcessUtilization.since", lambda: self._process_utilisation(since))
        if isinstance(used, list):
            stamps = [one[1] for one in used if isinstance(one, list) and isinstance(one[1], int)]
            self._seen_processes = max((*stamps, since))
        note("ProcessUtilization.since", (used, error))
        note("ProcessUtilization.all", self.calls.make("ProcessUtilization.all", lambda: self._process_utilisation(0)))
        note("ProcessesUtilizationInfo", self.calls.make("ProcessesUtilizationInfo", self._process_utilisation_v2))
        for name in SAMPLINGS:
            note(f"Samples.{name}", self.calls.make(f"Samples.{name}", partial(self._samples, name)))
        made = self.calls.make("FieldValues", partial(field_values, self.calls, self.handle, FIELDS_EACH.split()))
        if made[1] is None:
            made = made[0][0], None
        note("FieldValues", made)
        note("Gpm", self.calls.make("Gpm", self._gpm.since_last))
        took = {
            "wall_us": round((time.monotonic() - wall) * 1e6),
            "cpu_us": round((time.thread_time() - cpu) * 1e6),
        }
        self._ticks_of[phase] = self._ticks_of.get(phase, 0) + 1
        windows = {"gpm_windows": self._gpm.windows()} if self._ticks_of[phase] == WINDOWS_AT else {}
        news = {"errors": errors} if errors != self._errors else {}
        self._errors = errors
        self.write("tick", unix=round(at, 3), phase=phase, answers=answers, **news, **took, **windows)


def main() -> None:
    """Record, until the time is over or SIGINT or SIGTERM comes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--every", type=float, default=1.0)
    parser.add_argument("--device", type=int, default=0)
    parser.add_argument("--phase-file", type=Path)
    asked = parser.parse_args()
    over: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: over.append(number))
    with asked.out.open("w") as out:
        recorder = Recorder(out, asked.device, asked.phase_file)
        recorder.header(asked.every)
        recorder.once()
        recorder.fields()
        recorder.gpm()
        until = time.monotonic() + asked.seconds
        due = time.monotonic()
        while not over and time.monotonic() < until:
            recorder.tick()
            due = max(due + asked.every, time.monotonic())
            while not over and time.monotonic() < due:
                time.sleep(min(0.1, max(0.0, due - time.monotonic())))
        recorder.write("cost", calls=recorder.calls.costs(), resident_kib=resident_kib())


if __name__ == "__main__":
    main()
