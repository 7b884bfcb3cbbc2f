"""How does a model run beside the measurement, and how is it profiled? One process for each form of each model."""

import json
import os
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from advisor.profiling.digest import digest
from advisor.profiling.table import load_table
from advisor.profiling.view import ProfileView
from agent.demo.processes import read_process
from bench.crowd import NotHereError
from collectors.entities import WorkerKey
from collectors.host import Host
from collectors.profiles.profile import Profile, ProfileSpec
from collectors.profiles.take import take_profile

HERE = Path(__file__).parent
START_SECONDS = 120.0
ONE_THREAD = ("OMP", "OPENBLAS", "MKL")


@dataclass(frozen=True, slots=True, order=True)
class Form:
    """How a model is run. `library`: eager, onnx, int8, onnx-int8; `batch` rows a call."""

    library: str = "eager"
    batch: int = 1
    threads: int = 1

    def __str__(self) -> str:
        return f"{self.library}, {self.batch} a call, {self.threads} thread{'s' * (self.threads > 1)}"


@dataclass(frozen=True, slots=True)
class Rate:
    """Of one stretch: rows a second, and seconds of CPU time a row."""

    rows_per_second: float
    cpu_seconds: float


class Run:
    """A process that has loaded one model in one form, and computes when it is told to."""

    def __init__(self, python: Path, model: str, form: Form, models: Path, device: str = "cpu") -> None:
        """Raises NotHereError if it does not start."""
        environment = {**os.environ, **{f"{name}_NUM_THREADS": str(form.threads) for name in ONE_THREAD}}
        argv = [str(python), "-W", "ignore", str(HERE / "program.py"), model, form.library, str(form.batch),
                str(form.threads), str(models), device]  # fmt: skip
        self.form, self._model = form, model
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        if not self._answer():
            self.end()
            raise NotHereError(f"{model} does not start as {form}")

    def compute(self, seconds: float) -> Rate:
        """Raises NotHereError where its process has ended."""
        told = self._ask(f"{seconds}")
        rows = told["calls"] * self.form.batch
        return Rate(rows / told["seconds"], told["cpu_seconds"] / rows)

    def profile(self, seconds: float) -> ProfileView:
        """What the agent would see of it under load. Raises NotHereError where nothing can be seen."""
        load = threading.Thread(target=self._load, args=(seconds + 1.5,))
        load.start()
        time.sleep(0.5)
        row = read_process(self._process.pid)
        if row is None:
            raise NotHereError(f"{self._model} as {self.form} ended before it was profiled")
        table = load_table()
        spec = ProfileSpec(kind="burst", seconds=seconds, native=True)
        taken = take_profile(Host.real(), WorkerKey(row.pid, row.started), spec, table.calls)
        load.join()
        if not isinstance(taken, Profile):
            raise NotHereError(f"no profile: {taken.reason}")
        return ProfileView(age_seconds=0.0, workers=(digest(taken, table),))

    def gpu_bytes(self) -> float | None:
        """That it holds of its device, with the context; None of a CPU, or where the driver does not tell. Raises
        NotHereError where its process has ended."""
        return self._ask("memory").get("gpu_bytes")

    def end(self) -> None:
        """By its own pid."""
        with suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _load(self, seconds: float) -> None:
        with suppress(NotHereError):  # that its process has ended is told by what was asked of it
            self.compute(seconds)

    def _ask(self, line: str) -> dict[str, float]:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        if (told := self._answer()) is None:
            raise NotHereError(f"{self._model} as {self.form} ended before it answered")
        return told

    def _answer(self) -> dict[str, float] | None:
        """None at the end of what it says."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found: dict[str, float] | None = json.loads(line) if line else None
        return found


def write_models(python: Path, folder: Path, *only: str) -> None:
    """The models' files, made anew; of `only` these networks what is needed beside a device. Raises NotHereError."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [str(python), str(HERE / "write.py"), str(folder), *only],
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
    )
    if done.returncode:
        raise NotHereError(f"the models cannot be written: {done.stderr.strip().splitlines()[-1:]}")
