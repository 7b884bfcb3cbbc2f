"""Does what is said of a GPU hold on one that is here? Time, throughput in batches and memory of the networks, predicted from
what is seen of them on CPUs, then measured.

Without a GPU that torch can use it says so: what the product says of devices is not validated then.
"""

import json
import os
import subprocess
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from math import log
from pathlib import Path
from statistics import median

from advisor.migration.cpu import HostCpu
from advisor.migration.devices import Device, named, of_memory
from advisor.migration.fit import Need
from advisor.migration.generation import Generation
from advisor.migration.offload import offloadable
from advisor.migration.parameters import parameters_of
from advisor.migration.simulate import Simulated, simulate
from advisor.migration.spread import Percentiles, Spread
from advisor.migration.work import (
    LAUNCHES_PER_LAYER,
    OPERATIONS_PER_ACTIVATION_BYTE,
    Family,
    Work,
    launches_of_matrices,
)
from bench.crowd import NotHereError
from bench.migration.predicted import STEPS, files_of
from bench.migration.runs import Form, Run
from bench.stats import Estimate, estimate

TOKENS = {
    "encoder": 64, "encoder-large": 128, "encoder-base": 128, "decoder": 32, "decoder-wide": 40, "decoder-deep": 40,
}  # fmt: skip
"""Of a request, read and made, as a server's page would tell."""
PROFILE_SECONDS = 14.0
CORES = 1.0
"""That the host's part has: one process feeds the device."""
MODELS = 8
"""That are watched at a time, on cores of their own; the device serves one of them at a time."""
_DEVICE = threading.Lock()
_ASK = (
    "import json, torch; p = torch.cuda.get_device_properties(0); "
    "print(json.dumps({'name': p.name, 'memory': p.total_memory}))"
)


@dataclass(frozen=True, slots=True)
class Shown:
    """One figure that was said, and what it is."""

    what: str
    said: Percentiles
    real: Estimate


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
) -> list[Shown]:
    """`device`: as torch calls it. A model that cannot be measured is printed and left out. Raises NotHereError without
    one."""
    card = device_of(python)

    def one(model: str) -> list[Shown]:
        try:
            return _of_model(python, folder, model, card, host, pairs, seconds, device)
        except NotHereError as problem:
            print(f"  {model}: not available here: {problem}", flush=True)
            return []

    with ThreadPoolExecutor(max(1, min(MODELS, len(os.sched_getaffinity(0)) // 2))) as pool:
        return [shown for found in pool.map(one, models) for shown in found]


def _of_model(
    python: Path, folder: Path, model: str, card: Device, host: HostCpu, pairs: int, seconds: float, device: str
) -> list[Shown]:
    base = Run(python, model, Form(), folder)
    try:
        work = _work(model, folder, base, host, seconds)
        said = simulate(work, card, "fp16", CORES, None, None, f"{model} {card.name}")
        assert said is not None, f"{card.name} does not compute in 16 bits"
        return _shown(python, folder, model, base, work, said, pairs, seconds, device)
    finally:
        base.end()


def report(found: Sequence[Shown]) -> None:
    for one in found:
        inside = one.said.p10 <= one.real.ratio <= one.said.p90
        print(
            f"  {one.what}: said {one.said.p10:.3g} to {one.said.p90:.3g}, likely {one.said.p50:.3g}; measured "
            f"{one.real.ratio:.3g} ({one.real.low:.3g} to {one.real.high:.3g}){'' if inside else '  OUTSIDE'}"
        )
    if found:
        inside = sum(one.said.p10 <= one.real.ratio <= one.said.p90 for one in found) / len(found)
        error = median(abs(log(one.real.ratio / one.said.p50)) for one in found)
        width = sum(log(one.said.p90 / one.said.p10) for one in found) / len(found)
        print(
            f"on the GPU: {len(found)} figures, {inside:.0%} inside, width {width:.2f}, median |log error| {error:.3f}"
        )


def _shown(
    python: Path, folder: Path, model: str, base: Run, work: Work, said: Simulated, pairs: int, seconds: float,
    device: str,
) -> list[Shown]:  # fmt: skip
    alone = Run(python, model, Form(), folder, device)
    try:
        many = Run(python, model, Form(batch=said.batch), folder, device)
    except NotHereError:
        alone.end()
        raise
    try:
        latency, rate = [], []
        for number in range(pairs):
            order = (base, alone, many) if number % 2 else (many, alone, base)
            rates = {run: _rate(run, run is not base, seconds) for run in order}
            latency.append(rates[base] / rates[alone])
            rate.append(rates[many])
        memory = many.gpu_bytes()
    finally:
        alone.end()
        many.end()
    need = Need(weights=work.weights / 2, cache=work.generation.held).total
    found = [
        Shown(f"{model}: latency of one, GPU / CPU", said.latency, estimate(latency)),
        Shown(f"{model}: requests a second in batches of {said.batch}", said.per_second, estimate(rate)),
    ]
    if memory is not None:
        said_memory = Percentiles(0.8 * need, need, 1.25 * need)
        found.append(Shown(f"{model}: bytes of the device", said_memory, Estimate(memory, memory, memory, 1)))
    return found


def _rate(run: Run, on_device: bool, seconds: float) -> float:
    """Rows a second; nothing else runs on the device meanwhile."""
    with _DEVICE if on_device else nullcontext():
        return run.compute(seconds).rows_per_second


def _work(model: str, folder: Path, base: Run, host: HostCpu, seconds: float) -> Work:
    """As the product has it of a service whose page counts tokens."""
    part = offloadable(base.profile(PROFILE_SECONDS))
    if part is None:
        raise NotHereError(f"{model}: too few samples in its profile")
    cpu = median(base.compute(seconds).cpu_seconds for _ in range(3))
    files = files_of(folder / model, Form())
    shape = next((one.geometry for one in files if one.geometry is not None), None)
    counted = parameters_of(shape) if shape is not None else None
    weights = float(sum(one.weights_bytes or 0 for one in files))
    rate, share = host.flops, part.share
    flops = Spread(share.low * cpu * rate.low, share.mode * cpu * rate.mode, share.high * cpu * rate.high)
    if counted is not None and model in TOKENS:
        flops = Spread.around(2.0 * counted.computed * TOKENS[model], 0.1)
    low, likely, high = OPERATIONS_PER_ACTIVATION_BYTE
    layers = shape.layers if shape is not None else None
    family: Family = "transformer" if shape else "convolutional" if model.startswith("cnn") else "other"
    return Work(
        family=family,
        per_second=1 / cpu,
        cpu_seconds=cpu,
        as_configured_seconds=cpu,
        wall_seconds=cpu,
        part=part,
        flops=flops,
        weights=weights,
        layers=None,
        bits=32.0,
        generation=Generation(steps=float(STEPS.get(model, 1))),
        activations=Spread(flops.low / high, flops.mode / likely, flops.high / low),
        moved=Spread.around(4e4, 0.9),
        launches=LAUNCHES_PER_LAYER.times(layers)
        if layers
        else launches_of_matrices(sum(one.matrices or 0 for one in files)),
        exact=counted is not None,
        told=(),
    )
