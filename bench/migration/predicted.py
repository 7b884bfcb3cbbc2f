"""What does the product say of a model that it has watched, before another form of it is tried?"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from advisor.migration.anatomy import Anatomy, anatomy_of
from advisor.migration.cpu import HostCpu
from advisor.migration.forms import in_batches, in_int8, in_runtime, on_threads
from advisor.migration.here import quantised_part
from advisor.migration.spread import Percentiles, Spread
from advisor.migration.work import convolves, streamed_bytes
from advisor.profiling.view import ProfileView
from bench.migration.runs import Form
from collectors.entities import Model
from collectors.model_file import ModelFile
from collectors.model_headers.read import read_model_file

STEPS: Mapping[str, int] = {"decoder": 16, "decoder-wide": 16, "decoder-deep": 16}
"""Passes through the model for one request; a server's page would say it (generated tokens / requests)."""


@dataclass(frozen=True, slots=True)
class Watched:
    """`read`: bytes of weights that a request reads; `weights`: of the model; `wide`: part of those that int8 would change."""

    anatomy: Anatomy
    cpu_seconds: float
    read: float
    weights: float
    wide: Spread


def watched(model: str, folder: Path, form: Form, profile: ProfileView, cpu_seconds: float, host: HostCpu) -> Watched:
    """From what an agent has: the files' headers, a profile, CPU time a request."""
    models = _model(files_of(folder / model, form))
    weights, wide = streamed_bytes(models) or 0.0, quantised_part(models)
    read = weights * STEPS.get(model, 1)
    anatomy = anatomy_of(profile, cpu_seconds, read, host, convolutional=convolves(models[0]))
    assert anatomy is not None, "the profile has no samples"
    return Watched(anatomy, cpu_seconds, read, weights, wide)


def predict(model: str, seen: Watched, before: Form, after: Form, host: HostCpu) -> Percentiles | None:
    """Throughput after / before."""
    seed = f"{model} {before} {after}"
    if after.batch != before.batch:
        return in_batches(seen.anatomy, host, after.batch, seed)
    if after.threads != before.threads:
        return on_threads(seen.anatomy, after.threads, seed)
    if after.library.endswith("int8"):
        return in_int8(seen.anatomy, host, seen.weights, seen.wide, seed)
    return in_runtime(seen.anatomy, host, seed)


def files_of(folder: Path, form: Form) -> Sequence[ModelFile]:
    names = ("model.onnx",) if form.library == "onnx" else ("model.safetensors", "config.json", "model.joblib")
    found = []
    for name in names:
        if (folder / name).exists():
            descriptor = os.open(folder / name, os.O_RDONLY)
            try:
                found.append(read_model_file(descriptor, str(folder / name), (folder / name).stat().st_size))
            finally:
                os.close(descriptor)
    return found


def _model(files: Sequence[ModelFile]) -> tuple[Model, ...]:
    return (Model(name="bench", files=tuple(files)),)
