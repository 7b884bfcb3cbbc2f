"""Do the forms of a model bring on this node's CPUs what is said of them? Predicted from a profile and the files' headers,
then measured in pairs, pooled over six kinds of models."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from statistics import median

import msgspec

from advisor.finding import Gain
from advisor.ledger.scores import interval_score
from advisor.migration.cpu import HostCpu, host_cpu
from advisor.migration.spread import Percentiles
from advisor.view import CoreView
from agent.demo.environment import prepare
from agent.demo.processes import Programs
from agent.memory_probe import measured_bandwidth
from agent.memory_room import room_of
from bench.crowd import NotHereError
from bench.migration import judged, on_gpu
from bench.migration.predicted import Watched, predict, watched
from bench.migration.runs import Form, Run, write_models
from bench.stats import Estimate, estimate
from collectors.host import Host
from collectors.topology import read_topology

EAGER, ONNX, INT8 = Form("eager"), Form("onnx"), Form("int8")
LOCK = Path(__file__).with_name("requirements.lock")
MOST_ERROR = 0.25
PROFILE_SECONDS = 12.0
MANY = (8, 32)
CONSTANTS = {
    "runtime": (1.0, 1.4, 2.0),
    "int8": (1.2, 2.2, 4.0),
    "batches": (1.0, 3.7, 7.6),
    "threads": (1.0, 1.5, 2.0),
}
"""What a table would say whatever the model (published gains of graph runtimes and of dynamic quantisation, Triton's guide on
batches with MLServer's forest, proportional threads)."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One form against what was said of it."""

    model: str
    before: Form
    after: Form
    said: Percentiles
    measured: Estimate

    @property
    def kind(self) -> str:
        if self.after.batch != self.before.batch:
            return "batches"
        if self.after.threads != self.before.threads:
            return "threads"
        return "int8" if self.after.library.endswith("int8") else "runtime"

    @property
    def error(self) -> float:
        return log(self.measured.ratio / self.said.p50)


SETS: Mapping[str, tuple[str, ...]] = {
    "known": ("mlp", "cnn", "encoder", "decoder", "forest", "boosting"),
    "held-out": (
        "mlp-large", "cnn-plain", "encoder-large", "decoder-wide", "forest-regression", "boosting-classifier",
    ),
}  # fmt: skip
"""The bounds in `advisor/migration/forms.py` were set with the first in view, and never with the second."""


DEVICE_SETS: Mapping[str, tuple[str, ...]] = {
    "known": ("mlp", "cnn", "encoder", "decoder"),
    "held-out": ("mlp-large", "cnn-plain", "encoder-large", "decoder-wide", "encoder-base", "decoder-deep"),
}
"""What is said of devices was corrected with the first in view."""


def plan(models: Sequence[str]) -> list[tuple[str, Form, tuple[Form, ...]]]:
    """Model, the form that is watched, and those that it is compared with."""
    batches = tuple(Form("eager", rows) for rows in MANY)
    threads = (Form("eager", 1, 2),) if len(os.sched_getaffinity(0)) > 1 else ()
    found: list[tuple[str, Form, tuple[Form, ...]]] = []
    for model in models:
        match model.partition("-")[0]:
            case "mlp" | "encoder":
                found += [(model, EAGER, (ONNX, INT8, *batches, *threads)), (model, ONNX, (Form("onnx-int8"),))]
            case "cnn":
                found += [(model, EAGER, (ONNX, *batches, *threads)), (model, ONNX, (Form("onnx-int8"),))]
            case "decoder":
                found.append((model, EAGER, (INT8, *batches, *threads)))
            case _:
                found.append((model, EAGER, (ONNX, *batches)))
    return found


def measure(programs: Programs, folder: Path, pairs: int, seconds: float) -> None:
    """All of the plan, each comparison in so many interleaved pairs of `seconds` each."""
    python = python_of(programs)
    write_models(python, folder)
    host = this_host()
    print(f"host: {host.told_by}; {host.bytes_per_core.mode / 1e9:.1f} GB/s a core; int8 {host.int8}", flush=True)
    pooled: list[Compared] = []
    for name, models in SETS.items():
        found: list[Compared] = []
        for model, before, forms in plan(models):
            try:
                found += _compare(python, folder, model, before, forms, host, pairs, seconds)
            except NotHereError as problem:
                print(f"  {model}: not available here: {problem}")
        print(f"models {name}:")
        report(found)
        pooled += found
    print("all models:")
    report(pooled)
    try:
        measure_device(python, folder, host, pairs, seconds)
    except NotHereError as problem:
        print(f"GPU side: {problem}")


def measure_device(
    python: Path, folder: Path, host: HostCpu, pairs: int, seconds: float, keep: Path | None = None
) -> None:
    """The networks on the first GPU; what was measured is written to `keep`. Raises NotHereError without one."""
    on_gpu.device_of(python)
    write_models(python, folder, *(one for models in DEVICE_SETS.values() for one in models))
    found = on_gpu.measure(
        python, folder, [one for models in DEVICE_SETS.values() for one in models], host, pairs, seconds
    )
    if keep is not None:
        keep.write_bytes(msgspec.json.encode(found))
    for name, models in DEVICE_SETS.items():
        print(f"models {name} on the GPU:", flush=True)
        judged.report([one for one in found if one.model in models])


def python_of(programs: Programs) -> Path:
    """The interpreter that `NODEWRIGHT_TORCH_PYTHON` names, else an environment of its own, installed once."""
    named = os.environ.get("NODEWRIGHT_TORCH_PYTHON")
    return (
        Path(named)
        if named
        else prepare(programs, lambda line: print(line, flush=True), LOCK, "migration-venv") / "python"
    )


def this_host() -> HostCpu:
    """As its kernel tells, and with its memory as `nodewright migrate --probe` measures it."""
    topology = read_topology(Host.real())
    cores = [CoreView(cpu=number, busy=0.0, own=0.0, steal=0.0) for number in sorted(os.sched_getaffinity(0))]
    found = host_cpu(cores, topology.features, measured_bandwidth(room_of(Host.real())).bytes_per_second)
    if found is None:
        raise NotHereError("/proc/cpuinfo does not tell what these CPUs compute")
    return found


def _compare(
    python: Path, folder: Path, model: str, before: Form, forms: Sequence[Form], host: HostCpu, pairs: int, seconds: float
) -> list[Compared]:  # fmt: skip
    found = []
    base = Run(python, model, before, folder)
    try:
        profile = base.profile(PROFILE_SECONDS)
        cpu = median(base.compute(seconds).cpu_seconds for _ in range(3))
        seen = watched(model, folder, before, profile, cpu, host)
        print(f"{model} as {before}: {cpu * 1e3:.3g} ms of CPU time a request; {_told(seen)}", flush=True)
        for form in forms:
            said = predict(model, seen, before, form, host)
            if said is None:
                continue
            compared = Compared(model, before, form, said, _ratio(python, folder, model, base, form, pairs, seconds))
            found.append(compared)
            print(f"  {compared.kind:>8} ({form}): {_line(compared)}", flush=True)
    finally:
        base.end()
    return found


def _ratio(python: Path, folder: Path, model: str, base: Run, form: Form, pairs: int, seconds: float) -> Estimate:
    other = Run(python, model, form, folder)
    try:
        ratios = []
        for number in range(pairs):
            rates = {run: run.compute(seconds) for run in ((base, other) if number % 2 else (other, base))}
            ratios.append(rates[other].rows_per_second / rates[base].rows_per_second)
        return estimate(ratios)
    finally:
        other.end()


def _told(seen: Watched) -> str:
    a = seen.anatomy
    return (
        f"stream {a.stream.low:.2f}-{a.stream.high:.2f}, packing {a.packing:.2f}, kernel {a.kernel:.2f}, array "
        f"{a.array:.2f}, "
        f"trees {a.trees:.2f} ({a.walking.low:.3f}-{a.walking.high:.3f} walking), calling {a.calling:.2f}, outside "
        f"{a.outside.low:.2f}-{a.outside.high:.2f}"
    )


def _line(one: Compared) -> str:
    said, real = one.said, one.measured
    mark = "" if said.p10 <= real.ratio <= said.p90 else "  OUTSIDE"
    return (
        f"said ×{said.p10:.2f} – ×{said.p90:.2f}, likely ×{said.p50:.2f}; measured ×{real.ratio:.2f} "
        f"({real.low:.2f} to {real.high:.2f}), log error {one.error:+.2f}{mark}"
    )


def report(found: Sequence[Compared]) -> None:
    """Pooled, and by kind: coverage, width and interval score of the 80 % intervals on logarithms, beside a table's
    constants."""
    print(
        f"{'':>10} {'n':>3} {'inside':>7} {'width':>6} {'score':>6} {'|log error|':>12}   constants: inside, score, |log "
        f"error|"
    )
    for kind in ("all", *CONSTANTS):
        chosen = [one for one in found if kind in ("all", one.kind)]
        if not chosen:
            continue
        own = [(_gain(one.said), one.measured.ratio) for one in chosen]
        table = [(_gain(Percentiles(*CONSTANTS[one.kind])), one.measured.ratio) for one in chosen]
        print(f"{kind:>10} {len(chosen):3} {_scores(own)}    {_scores(table)}")
    if found:
        error = median(abs(one.error) for one in found)
        print(f"median |log error| {error:.3f} (wanted {MOST_ERROR} at most)")


def _scores(pairs: Sequence[tuple[Gain, float]]) -> str:
    count = len(pairs)
    inside = sum(gain.p10 <= ratio <= gain.p90 for gain, ratio in pairs) / count
    width = sum(log(gain.p90 / gain.p10) for gain, _ in pairs) / count
    score = sum(interval_score(gain, ratio) for gain, ratio in pairs) / count
    error = median(abs(log(ratio / gain.p50)) for gain, ratio in pairs)
    return f"{inside:7.0%} {width:6.2f} {score:6.2f} {error:12.3f}"


def _gain(said: Percentiles) -> Gain:
    return Gain(metric="throughput_ratio", p10=said.p10, p50=said.p50, p90=said.p90)
