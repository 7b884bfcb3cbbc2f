"""Which part of a model is on the GPU, and what would be gained with more of it there?"""

from collections.abc import Sequence

import msgspec

from advisor.facts import ServiceFacts
from advisor.finding import Gain
from advisor.gpu.amounts import GIB, gib
from advisor.gpu.growth import moved
from advisor.gpu.holding import geometry_of, on_device_bytes, weights_bytes
from advisor.gpu.pool import AT_START
from advisor.gpu.view import ServiceGpu
from advisor.intervals import throughput
from advisor.view import View
from collectors.entities import Model
from collectors.levers import Lever

LOADED_SECONDS = 60.0
STILL = 0.01
"""Of the weights: memory that moved by less in the last minute is that of a model that has been loaded."""
AROUND_BYTES = 2 * GIB
"""Context, buffers and a short KV cache: at most that much of what a process holds is taken for none of its weights."""


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """Part of a model's weights on the GPU, at least and at most, and what says so. `layers`: how many were asked for there."""

    least: float
    most: float
    because: str
    layers: int | None = None


def split_of(view: View, facts: ServiceFacts) -> Split | None:
    """As the server states it, as its options ask for it, or as the device's memory shows it; None where none of them tells."""
    whole, there = view.model_bytes, view.model_gpu_bytes
    if whole and there is not None:
        part = min(1.0, there / whole)
        return Split(least=part, most=part, because=f"it says itself that {gib(there)} of {gib(whole)} are on the GPU")
    models = facts.service.models
    model = models[0] if len(models) == 1 else None
    if model is None or (facts.service.framework in AT_START and not view.gpus):
        return None
    return _asked(facts, model) or _offloaded(facts, model) or _measured(view, facts, model)


def _asked(facts: ServiceFacts, model: Model) -> Split | None:
    """The layers that -ngl asks for; llama.cpp counts the output as one."""
    setting, shape = facts.setting(Lever.GPU_LAYERS), geometry_of(model)
    if setting is None or not isinstance(setting.value, int) or setting.value < 0 or shape is None or not shape.layers:
        return None
    all_layers = shape.layers + 1
    there = min(setting.value, all_layers)
    because = f"{there} of {all_layers} layers are asked for there ({setting.origin})"
    return Split(least=there / all_layers, most=there / all_layers, because=because, layers=there)


def _offloaded(facts: ServiceFacts, model: Model) -> Split | None:
    """GB of each device's part of the weights that are kept in the node's memory (vLLM, SGLang)."""
    setting, stored = facts.setting(Lever.CPU_OFFLOAD), weights_bytes((model,))
    if facts.service.framework in AT_START or setting is None or not stored:
        return None
    if not isinstance(setting.value, int | float) or setting.value <= 0:
        return None
    parallel = facts.setting(Lever.TENSOR_PARALLEL)
    devices = parallel.value if parallel is not None and isinstance(parallel.value, int) and parallel.value > 0 else 1
    there = max(0.0, 1 - setting.value * GIB * devices / stored)
    return Split(
        least=there, most=there, because=f"{setting.value:g} GiB of each device's weights are asked to stay out"
    )


def _measured(view: View, facts: ServiceFacts, model: Model) -> Split | None:
    """What the processes hold, where that is less than the weights are and no longer grows."""
    weights = on_device_bytes(model)
    held = [one.memory_bytes for one in view.gpus]
    if facts.service.framework not in AT_START or not weights or not held or None in held:
        return None
    total = sum(each for each in held if each is not None)
    if not all(_still(one, weights) for one in view.gpus):
        return None
    most = min(1.0, total / weights)
    because = f"it holds {gib(total)} of the device, and its weights alone are {gib(weights)}"
    return Split(least=max(0.0, (total - AROUND_BYTES) / weights), most=most, because=because)


def _still(one: ServiceGpu, weights: int) -> bool:
    seen = one.gpu.memory_seen
    return bool(seen) and seen[0][0] >= LOADED_SECONDS and moved(seen, LOADED_SECONDS + 5) <= STILL * weights


def gain_of(view: View, now: Split, after: float) -> tuple[Gain, ...]:
    """The device's own time grows with the part that is on it, the rest of the working time shrinks with the part that is not.
    At worst half of that comes true: text is also cut and sampled on the CPU. Nothing is stated where the device's share of
    the working time is not known."""
    busy, working = _busy(view.gpus), _working(view)
    if busy is None or working is None or not 0 < busy < working or view.samples < 15:
        return ()
    bounds = sorted(_faster(busy, working, min(0.99, max(0.01, part)), after) for part in (now.least, now.most))
    if bounds[0] <= 1:
        return ()
    least = (1 + bounds[0]) / 2
    return (throughput(least, (least + bounds[1]) / 2, bounds[1]),)


def _faster(busy: float, working: float, part: float, after: float) -> float:
    return working / (busy * after / part + (working - busy) * (1 - after) / (1 - part))


def _busy(devices: Sequence[ServiceGpu]) -> float | None:
    """Share of time in which the service's kernels ran; its devices take turns on one request."""
    shares = [one.gpu.busy_ratio if one.alone and one.gpu.busy_ratio is not None else one.sm_ratio for one in devices]
    known = [share for share in shares if share is not None]
    return min(1.0, sum(known)) if known and len(known) == len(shares) else None


def _working(view: View) -> float | None:
    return min(1.0, sum(view.demand) / len(view.demand)) if view.demand else None
