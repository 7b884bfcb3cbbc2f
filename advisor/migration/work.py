"""What does one request of a service ask of a processor: operations, bytes, time, and how is that known?"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from advisor.answered import answered_per_second, seen_of
from advisor.finding import Need
from advisor.gpu.holding import geometry_of, weights_bytes
from advisor.migration.anatomy import anatomy_of, outside_of
from advisor.migration.cpu import HostCpu
from advisor.migration.fit import Layers
from advisor.migration.generation import Generation, generation_of
from advisor.migration.offload import LEAST_SAMPLES, Offloadable, offloadable
from advisor.migration.parameters import parameters_of
from advisor.migration.spread import Spread
from advisor.migration.vision_nets import net_of
from advisor.profiling.view import ProfileView
from advisor.view import View
from collectors.entities import Model

Family = Literal["transformer", "convolutional", "trees", "linear", "other"]
TREE_SHARE = 0.5
CONVOLUTION_SHARE = 0.5
LAUNCHES_PER_LAYER = Spread(6, 12, 25)
"""Kernels of a transformer's layer: fused attention and fused norms, as usual, eager elementwise operations."""
LAUNCHES_OF_OTHERS = Spread(20, 120, 500)
LAUNCHES_PER_MATRIX, LAUNCHES_BESIDE = Spread(1.0, 2.5, 6), 3
"""A product, its bias and activation, often a norm; beside them casts and copies of inputs and outputs."""
LAUNCHES_PER_CONVOLUTION = Spread(1, 3, 5)
OPERATIONS_PER_ACTIVATION_BYTE = (60.0, 150.0, 400.0)
"""Of a layer's inputs and outputs: ResNet-50 at 224 pixels has about 140, BERT with 128 tokens 270."""
MOVED_BYTES = Spread(1e3, 3e4, 1e6)
"""Into the device and out of it for a request, where its connections do not tell."""
_LINEAR = ("Linear", "Logistic", "SVM", "SVC", "SVR", "Ridge", "Lasso", "ElasticNet", "SGD", "NaiveBayes", "Pipeline")
_TREES = ("Forest", "Tree", "Boost", "XGB", "LGBM", "CatBoost", "IsolationForest")


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """Of one request, in seconds, operations and bytes. `cpu_seconds`: of work, without what threads spend on waiting for each
    other; `wall_seconds`: of one that does not queue; `flops`, `activations`, `launches`: of the part that may move."""

    family: Family
    per_second: float
    cpu_seconds: float
    as_configured_seconds: float
    wall_seconds: float
    part: Offloadable
    flops: Spread
    weights: float
    layers: Layers | None
    """None = the model cannot be placed layer by layer, or its headers do not tell."""
    bits: float | None
    """Of a weight as it is stored."""
    generation: Generation
    activations: Spread
    moved: Spread
    launches: Spread
    exact: bool
    """Operations and weights come from the headers of the model's files."""
    prompt_tokens: float | None = None
    generated_tokens: float | None = None
    """Of a request, as the server's page counts them; None = not counted."""
    calling: Spread = Spread(0.0, 0.0, 0.0)
    """Share of the work that stays on the host and is of a call of the model, however many requests it serves."""
    memory_ratio: float = 1.0
    """What models of its kind were seen to hold of a device / what is predicted of them."""
    told: tuple[str, ...]
    """How each of the numbers is known."""


def work_of(view: View, profile: ProfileView | None, host: HostCpu | None) -> Work | Need | None:
    """What is missing where it cannot be told; None where the service answers nothing."""
    answered = answered_per_second(seen_of(view))
    if answered is None or answered.what in ("segments", "bytes"):
        text = "how many requests it answers: a metrics page, or clients that open a connection for each"
        return Need(kind="metrics", text=text) if view.cores_used > 0 else None
    if not answered.value or view.cores_used <= 0:
        return None
    part = offloadable(profile) if profile is not None else None
    if part is None:
        return Need(kind="profile", text=f"a profile of its workers under load with {LEAST_SAMPLES} samples")
    if host is None:
        return Need(kind="kernel", text="what its CPUs compute: the flags of /proc/cpuinfo")
    configured = view.cores_used / answered.value
    generation = generation_of(view)
    if not isinstance(generation, Generation):
        return generation
    useful = configured * (1 - part.needless)
    if useful <= 0:
        return Need(kind="profile", text="a profile in which its threads do more than wait for each other")
    weights, told_weights = _weights(view)
    read = (streamed_bytes(view.service.models) or 0.0) * generation.steps
    streamed = _streamed(view, profile, useful, read, host)
    flops, exact, told = _flops(view, part, useful, host, streamed)
    low, likely, high = OPERATIONS_PER_ACTIVATION_BYTE
    return Work(
        family=family_of(view, part),
        per_second=answered.value,
        cpu_seconds=useful,
        as_configured_seconds=configured,
        wall_seconds=_wall(view, useful),
        part=part,
        flops=flops,
        weights=weights,
        layers=_layers(view.service.models),
        bits=_bits(view.service.models),
        generation=generation,
        activations=Spread(flops.low / high, flops.mode / likely, flops.high / low),
        moved=_moved(view, answered.value),
        launches=_launches(view.service.models),
        exact=exact and weights_bytes(view.service.models) is not None,
        calling=calling_of(profile, part) if profile is not None else Spread.exactly(0.0),
        prompt_tokens=_of_a_request(view, view.tokens_in_per_second),
        generated_tokens=_of_a_request(view, view.tokens_out_per_second),
        told=(
            f"{configured * 1e3:.3g} ms of CPU time a request ({view.cores_used:.2f} cores / {answered.value:.3g} a second), "
            f"{part.needless:.0%} of it spent on waiting for other threads",
            told,
            told_weights,
        ),
    )


def _of_a_request(view: View, tokens_per_second: float | None) -> float | None:
    rate = view.requests_per_second
    return tokens_per_second / rate if tokens_per_second is not None and rate else None


def calling_of(profile: ProfileView, part: Offloadable) -> Spread:
    """Share of the work in Python around the model's own, inside of its calls, where functions are named as such."""
    if not any(worker.phases.get("predict") for worker in profile.workers):
        return Spread.exactly(0.0)
    work = max(1e-6, 1 - part.needless)
    known = profile.share("kernel", "array", "allocation", "trees", "unknown").value / work
    fixed, outside = max(0.0, 1 - known), outside_of(profile, work)
    ends = (max(0.0, fixed - one) for one in (outside.high, outside.mode, outside.low))
    return Spread(*sorted(ends))


def _weights(view: View) -> tuple[float, str]:
    """As the files say, else all that the largest worker holds: they are no more than that."""
    stored = weights_bytes(view.service.models)
    if stored:
        return float(stored), "weights as the model's files say"
    held = max((w.resident_bytes or 0 for w in view.serving), default=0)
    return float(held), f"weights are not known: at most the {held / 1e9:.2f} GB that a worker holds"


def streamed_bytes(models: Sequence[Model]) -> float | None:
    """Weights that a pass reads: not the rows of an embedding's table, nor experts that sleep. None = the files do not tell."""
    stored = weights_bytes(models)
    shape = geometry_of(models[0]) if len(models) == 1 else None
    counted = parameters_of(shape) if shape is not None else None
    if not stored or counted is None:
        return float(stored) if stored else None
    return stored * counted.computed / counted.total


def _bits(models: Sequence[Model]) -> float | None:
    stored, counted = weights_bytes(models), [model.parameters for model in models]
    known = sum(one for one in counted if one is not None)
    return 8 * stored / known if stored and known and None not in counted else None


def _layers(models: Sequence[Model]) -> Layers | None:
    """Parts of the weights: those of one layer and of the output layer."""
    shape = geometry_of(models[0]) if len(models) == 1 else None
    counted = parameters_of(shape) if shape is not None else None
    if shape is None or counted is None or not shape.layers:
        return None
    count = shape.layers + (shape.encoder_layers or 0)
    output = counted.output or (counted.table if counted.tied else 0)
    return Layers(
        count=count,
        layer=counted.layers / count / counted.total,
        output=output / counted.total,
        active=counted.active_layers / counted.layers,
        hidden=shape.hidden_size or 0,
    )


def family_of(view: View, part: Offloadable) -> Family:
    """What kind of model it is, as far as headers and the profile tell."""
    names = " ".join(one.architecture or "" for model in view.service.models for one in model.files)
    if part.trees >= TREE_SHARE or any(word in names for word in _TREES):
        return "trees"
    if any(word in names for word in _LINEAR):
        return "linear"
    model = view.service.models[0] if len(view.service.models) == 1 else None
    if model is not None and geometry_of(model) is not None:
        return "transformer"
    if model is not None and (convolves(model) or (model.parameters and net_of(model.parameters) is not None)):
        return "convolutional"
    return "other"


def convolves(model: Model) -> bool:
    """Whether most of its parameters are in convolutions, as its headers tell."""
    return max((one.convolution_share or 0.0 for one in model.files), default=0.0) >= CONVOLUTION_SHARE


def _streamed(
    view: View, profile: ProfileView | None, useful: float, read: float, host: HostCpu
) -> tuple[Spread, float] | None:
    """Part of the CPU time in which kernels wait for weights, as their names tell, and the operations on these: two for
    each. None where nothing is known of it."""
    anatomy = anatomy_of(profile, useful, read, host) if profile is not None and read else None
    if anatomy is None or anatomy.stream.low <= 0:
        return None
    return anatomy.stream, 2 * read / ((_bits(view.service.models) or 32) / 8)


def _flops(
    view: View, part: Offloadable, useful: float, host: HostCpu, streamed: tuple[Spread, float] | None
) -> tuple[Spread, bool, str]:
    """Of what may move: as the CPU needed for it, and as the headers say where that is possible of this CPU time."""
    share, rate = part.share, host.flops
    stream, on_weights = streamed or (Spread.exactly(0.0), 0.0)
    computing = [
        max(0.0, share.low - stream.high),
        max(0.0, share.mode - stream.mode),
        max(0.0, share.high - stream.low),
    ]
    each_rate = (rate.low, rate.mode, rate.high)
    seen = Spread(*(on_weights + one * useful * speed for one, speed in zip(computing, each_rate, strict=True)))
    known = from_headers(view.service.models, view)
    if known is not None:
        name, each, tokens = known
        if tokens is not None:
            return Spread.around(each * tokens, 0.1), True, f"operations of {tokens:.0f} tokens of {name}"
        if seen.low <= each <= seen.high:
            return Spread.around(each, 0.1), True, f"operations of one input of {name}"
    return seen, False, f"operations from CPU time: {host.told_by}"


def from_headers(models: Sequence[Model], view: View) -> tuple[str, float, float | None] | None:
    """Name, operations of one token or input, and tokens of a request where the page counts them."""
    model = models[0] if len(models) == 1 else None
    if model is None:
        return None
    net = net_of(model.parameters) if model.parameters else None
    if net is not None:
        return net[0], float(net[1].flops), None
    shape = geometry_of(model)
    counted = parameters_of(shape) if shape is not None else None
    tokens = (view.tokens_in_per_second or 0.0) + (view.tokens_out_per_second or 0.0)
    if counted is None or not tokens or not view.requests_per_second:
        return None
    return model.name, 2.0 * counted.computed, tokens / view.requests_per_second


def _launches(models: Sequence[Model]) -> Spread:
    model = models[0] if len(models) == 1 else None
    shape = geometry_of(model) if model is not None else None
    if shape is not None and shape.layers:
        return LAUNCHES_PER_LAYER.times(shape.layers + (shape.encoder_layers or 0))
    net = net_of(model.parameters) if model is not None and model.parameters else None
    if net is not None:
        return LAUNCHES_PER_CONVOLUTION.times(net[1].layers)
    counted = sum(one.matrices or 0 for one in model.files) if model is not None else 0
    return launches_of_matrices(counted) if counted else LAUNCHES_OF_OTHERS


def launches_of_matrices(count: int) -> Spread:
    each = LAUNCHES_PER_MATRIX.times(count)
    return Spread(*(LAUNCHES_BESIDE + one for one in (each.low, each.mode, each.high)))


def _moved(view: View, rate: float) -> Spread:
    both = [view.connections.received_bytes_per_second, view.connections.sent_bytes_per_second]
    known = [value for value in both if value is not None]
    return Spread.around(sum(known) / rate, 0.2) if len(known) == 2 and sum(known) > 0 else MOVED_BYTES


def _wall(view: View, useful: float) -> float:
    """Threads of one worker compute it together, as far as they did."""
    busy = [len(w.active_compute) for w in view.serving if w.active_compute]
    together = max(1.0, sum(busy) / len(busy)) if busy else 1.0
    return useful / together
