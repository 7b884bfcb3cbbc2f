"""What does a GPU that is here do with the networks, and what would an agent see of them on CPUs? Written down, so that what is
said of devices can be held against it wherever it is read (`judged.py`).

Without a GPU that torch can use it says so.
"""

import json
import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from statistics import median

import msgspec

from advisor.migration.cpu import HostCpu
from advisor.migration.devices import Device, named, of_memory
from advisor.profiling.view import ProfileView
from bench.crowd import NotHereError
from bench.migration.predicted import files_of
from bench.migration.runs import Form, Run
from collectors.model_file import ModelFile

BATCHES = (1, 8, 32)
PROFILE_SECONDS = 14.0
MODELS = 8
"""That are watched at a time, on cores of their own; the device serves one of them at a time."""
_DEVICE = threading.Lock()
_ASK = (
    "import json, torch; p = torch.cuda.get_device_properties(0); "
    "print(json.dumps({'name': p.name, 'memory': p.total_memory}))"
)


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One network. `profile`, `cpu_seconds` of a request and `files`: as seen on CPUs, one thread; `on_cpu`: requests a second
    there, one for each round; `on_device`: by size of the batch; `device_bytes`: that its process then held, by batch."""

    model: str
    device: str
    host: HostCpu
    profile: ProfileView
    cpu_seconds: float
    files: tuple[ModelFile, ...]
    on_cpu: tuple[float, ...]
    on_device: dict[int, tuple[float, ...]]
    device_bytes: dict[int, float]


def device_of(python: Path) -> Device:
    """The GPU that torch sees first. Raises NotHereError where there is none, or the catalogue does not have it."""
    done = subprocess.run([str(python), "-c", _ASK], check=False, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise NotHereError("no GPU that torch can use: what is said of devices is not validated")
    told = json.loads(done.stdout.splitlines()[-1])
    found = named(told["name"]) or of_memory(told["name"], int(told["memory"]))
    if found is None:
        raise NotHereError(f"{told['name']} is not in the catalogue")
    return found


def measure(
    python: Path, folder: Path, models: Sequence[str], host: HostCpu, pairs: int, seconds: float, device: str = "cuda"
) -> list[Measured]:
    """`device`: as torch calls it. A model that cannot be measured is printed and left out. Raises NotHereError without
    one."""
    card = device_of(python)

    def one(model: str) -> Measured | None:
        try:
            return _of_model(python, folder, model, card, host, pairs, seconds, device)
        except NotHereError as problem:
            print(f"  {model}: not available here: {problem}", flush=True)
            return None

    with ThreadPoolExecutor(max(1, min(MODELS, len(os.sched_getaffinity(0)) // 2))) as pool:
        return [found for found in pool.map(one, models) if found is not None]


def _of_model(
    python: Path, folder: Path, model: str, card: Device, host: HostCpu, pairs: int, seconds: float, device: str
) -> Measured:
    with ExitStack() as stack:
        base = stack.enter_context(_running(python, model, Form(), folder, "cpu"))
        profile = base.profile(PROFILE_SECONDS)
        cpu = median(base.compute(seconds).cpu_seconds for _ in range(3))
        there = {
            size: stack.enter_context(_running(python, model, Form(batch=size), folder, device)) for size in BATCHES
        }
        on_cpu: list[float] = []
        on_device: dict[int, list[float]] = {size: [] for size in BATCHES}
        for number in range(pairs):
            order = [(None, base), *there.items()]
            for size, run in order if number % 2 else reversed(order):
                (on_cpu if size is None else on_device[size]).append(_rate(run, size is not None, seconds))
        held = {size: run.gpu_bytes() for size, run in there.items()}
        return Measured(
            model=model,
            device=card.name,
            host=host,
            profile=profile,
            cpu_seconds=cpu,
            files=tuple(
                msgspec.structs.replace(one, path=Path(one.path).name) for one in files_of(folder / model, Form())
            ),
            on_cpu=tuple(on_cpu),
            on_device={size: tuple(rates) for size, rates in on_device.items()},
            device_bytes={size: one for size, one in held.items() if one is not None},
        )


@contextmanager
def _running(python: Path, model: str, form: Form, folder: Path, device: str) -> Iterator[Run]:
    run = Run(python, model, form, folder, device)
    try:
        yield run
    finally:
        run.end()


def _rate(run: Run, on_device: bool, seconds: float) -> float:
    """Rows a second; nothing else runs on the device meanwhile."""
    with _DEVICE if on_device else nullcontext():
        return run.compute(seconds).rows_per_second
