"""Does a model fit the devices of a server that loads it whole (vLLM, SGLang, TGI), before it has loaded it?"""

from collections.abc import Sequence
from math import ceil, floor, inf

import msgspec

from advisor.facts import ServiceFacts
from advisor.finding import Change
from advisor.gpu.amounts import GIB
from advisor.gpu.holding import NO_WEIGHTS, geometry_of, kv_bytes_per_token, weights_bytes
from advisor.gpu.preempted import EIGHT_BITS
from advisor.gpu.view import GpuView
from advisor.view import View
from collectors.entities import Model
from collectors.levers import Lever, Value

WHOLE = frozenset(("vllm", "sglang", "tgi"))
LEAST_REST = 0.3 * GIB
"""A bare CUDA context: what is claimed not to fit does not fit beside no more than that."""
MOST_REST, REST_PART, REST_LIMIT = 0.65 * GIB, 0.2, 4 * GIB
"""Context with libraries, and activations as a part of the weights, at most: what is proposed leaves room for all that."""
LEAST_CACHE = GIB
CONTEXT_STEP, SHORTEST = 256, 2048
PARALLEL = (2, 4, 8)
HIDDEN_PART = 0.1
"""Of the weights: more than that of nobody known may be the server's own."""
LARGEST_SHARE = 0.97
"""Of a device, where the server's own share of it is not known."""
_SPREADS = (
    Lever.TENSOR_PARALLEL, Lever.PIPELINE_PARALLEL, Lever.DATA_PARALLEL, Lever.CPU_OFFLOAD, Lever.PRECISION,
)  # fmt: skip
"""What says how much of the weights a device gets: unread, each of them may make it fit."""
_BY_TOKENS = ("--decode-context-parallel-size", "--prefill-context-parallel-size", "-dcp", "-pcp")
"""Beginnings of vLLM's options that split the cache by tokens."""


class Misfit(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of one device. `weights`: at least; `cache`: of one request of the full context, 0 where the server needs none to
    start; `room`: of what the server may take of the tightest device that it needs."""

    weights: float
    cache: float
    room: float
    devices: int
    context: int | None
    beside_others: bool
    """It would fit if the others on the devices were gone, among which a predecessor may be that still ends."""
    changes: tuple[Change, ...]

    @property
    def need(self) -> float:
        return self.weights + self.cache + LEAST_REST


def misfit_of(view: View, facts: ServiceFacts) -> Misfit | None:
    """None where it fits, has been loaded, is spread over devices in another way, or a size is not known."""
    models = facts.service.models
    stored = weights_bytes(models)
    if facts.service.framework not in WHOLE or len(models) != 1 or not stored or may_have_loaded(view, stored):
        return None
    if not _spread_evenly(facts):
        return None
    model, devices = models[0], _devices(view, facts)
    rooms = sorted((room for gpu in view.node_gpus if (room := _room(view, facts, gpu)) is not None), reverse=True)
    if len(rooms) < len([gpu for gpu in view.node_gpus if not gpu.mig]) or not rooms:
        return None
    weights = _least_weights(facts, model, stored) / devices - _out(facts) * GIB
    per_token, context = _bytes_per_token(facts, model, devices), _context(facts, model)
    cache = per_token * context if per_token and context else 0.0
    room = rooms[min(devices, len(rooms)) - 1]
    if weights + cache + LEAST_REST <= room:
        return None
    empty = sorted(
        (_part(facts) * (gpu.memory_usable_bytes or 0) for gpu in view.node_gpus if not gpu.mig), reverse=True
    )
    return Misfit(
        weights=weights, cache=cache, room=room, devices=devices, context=context,
        beside_others=weights + cache + LEAST_REST <= empty[min(devices, len(empty)) - 1],
        changes=_changes(view, facts, model, stored, devices, rooms, per_token if context else None),
    )  # fmt: skip


def _spread_evenly(facts: ServiceFacts) -> bool:
    """Whether each device is known to get its part of all weights, and no more than that of one engine: stages of a pipeline
    hold layers of their own, and engines in data parallel share out the experts of a mixture."""
    if any(one is not None and one.unread for one in map(facts.setting, _SPREADS)):
        return False
    return all(_given(facts, lever) in (None, 1) for lever in (Lever.PIPELINE_PARALLEL, Lever.DATA_PARALLEL))


def _bytes_per_token(facts: ServiceFacts, model: Model, devices: int) -> float | None:
    """Of the KV cache of one device. It is split by heads, and where there are fewer of them than devices each has one; unless
    it is split by tokens, too."""
    precision, shape = facts.setting(Lever.KV_CACHE_PRECISION), geometry_of(model)
    if facts.service.framework != "vllm" or (precision is not None and precision.unread):
        return None
    per_token = kv_bytes_per_token(model, _given(facts, Lever.KV_CACHE_PRECISION))
    if per_token is None or shape is None:
        return None
    arguments = [item.replace("_", "-") for worker in facts.service.workers for item in worker.process.argv]
    by_tokens = any(item.startswith(_BY_TOKENS) for item in arguments)
    return per_token / (devices if by_tokens else min(devices, shape.kv_heads or shape.heads or devices))


def may_have_loaded(view: View, stored: int) -> bool:
    """Whether it has, or may have: it answers, its processes hold half of the weights, or somebody does who is not known."""
    held = [one.memory_bytes for one in view.gpus]
    if view.metrics_age_seconds is not None or None in held or sum(each or 0 for each in held) >= stored / 2:
        return True
    plain = [gpu for gpu in view.node_gpus if not gpu.mig]
    return any(not gpu.processes_known or _hidden(gpu) > HIDDEN_PART * stored for gpu in plain)


def _hidden(gpu: GpuView) -> float:
    return inf if gpu.unknown_memory_bytes is None else gpu.unknown_memory_bytes


def _room(view: View, facts: ServiceFacts, gpu: GpuView) -> float | None:
    """What others leave, and no more than its share of the whole."""
    usable, used = gpu.memory_usable_bytes, gpu.memory_used_bytes
    if usable is None or usable <= 0 or used is None or gpu.mig or gpu.unified_memory:
        return None
    own = sum(one.memory_bytes or 0 for one in view.gpus if one.gpu.uuid == gpu.uuid)
    return min(max(0.0, float(usable - max(0, used - own))), _part(facts) * usable)


def _part(facts: ServiceFacts) -> float:
    """Of a device, what the server may take at most."""
    share = _given(facts, Lever.GPU_MEMORY_SHARE)
    return float(share) if isinstance(share, int | float) and 0 < share <= 1 else LARGEST_SHARE


def _given(facts: ServiceFacts, lever: Lever) -> Value:
    setting = facts.setting(lever)
    return setting.value if setting is not None else None


def _devices(view: View, facts: ServiceFacts) -> int:
    """How many share the weights; TGI takes all that it sees where nothing is set."""
    value = _given(facts, Lever.TENSOR_PARALLEL)
    if isinstance(value, int) and value > 0:
        return value
    return max(1, len([gpu for gpu in view.node_gpus if not gpu.mig])) if facts.service.framework == "tgi" else 1


def _out(facts: ServiceFacts) -> float:
    """GiB of each device's part that are asked to stay in the node's memory."""
    value = _given(facts, Lever.CPU_OFFLOAD)
    return max(0.0, float(value)) if isinstance(value, int | float) else 0.0


def _context(facts: ServiceFacts, model: Model) -> int | None:
    """None where the server takes as long a one as fits (`auto`, -1), or it is not known."""
    setting, shape = facts.setting(Lever.CONTEXT_LENGTH), geometry_of(model)
    if setting is None or (setting.value is None and not setting.unread):
        return shape.context if shape else None
    return setting.value if isinstance(setting.value, int) and setting.value > 0 else None


def _least_weights(facts: ServiceFacts, model: Model, stored: int) -> float:
    """32 bits are loaded as 16; what is to be quantised at loading may come to 4 bits of 16."""
    files = [one for one in model.files if one.format not in NO_WEIGHTS]
    wide = all(set(one.dtypes) == {"F32"} for one in files)
    quantised = _given(facts, Lever.PRECISION) is not None and not any(one.quantization for one in model.files)
    return stored / (2 if wide else 1) / (4 if quantised else 1)


def _changes(
    view: View,
    facts: ServiceFacts,
    model: Model,
    stored: int,
    devices: int,
    rooms: Sequence[float],
    per_token: float | None,
) -> tuple[Change, ...]:
    """The first that makes it fit: a shorter context, weights of 8 bits, more devices, weights in the node's memory."""
    weights = stored / (
        2 if _least_weights(facts, model, stored) < stored and _given(facts, Lever.PRECISION) is None else 1
    )
    rest = MOST_REST + min(REST_PART * weights / devices, REST_LIMIT)
    room = rooms[min(devices, len(rooms)) - 1]
    left = room - weights / devices - rest
    if per_token:
        context = floor(left / per_token / CONTEXT_STEP) * CONTEXT_STEP
        if context >= SHORTEST:
            return (Change(lever=Lever.CONTEXT_LENGTH, current=_given(facts, Lever.CONTEXT_LENGTH), proposed=context),)
    precision = facts.setting(Lever.PRECISION)
    plain = precision is not None and precision.value is None and not any(one.quantization for one in model.files)
    kinds = {gpu.architecture for gpu in view.node_gpus}
    if plain and kinds <= EIGHT_BITS and weights / 2 / devices + rest + LEAST_CACHE <= room:
        return (Change(lever=Lever.PRECISION, current=None, proposed="fp8"),)
    shape = geometry_of(model)
    heads = (shape.heads if shape else None) or 1
    more = [count for count in PARALLEL if devices < count <= len(rooms) and heads % count == 0]
    enough = next((count for count in more if weights / count + rest + LEAST_CACHE <= rooms[count - 1]), None)
    if enough is not None:
        return (Change(lever=Lever.TENSOR_PARALLEL, current=devices, proposed=enough),)
    out = ceil((weights / devices + rest + LEAST_CACHE - room) / GIB)
    if facts.setting(Lever.CPU_OFFLOAD) is None or (view.memory_available_bytes or 0) < 1.2 * out * GIB * devices:
        return ()
    return (Change(lever=Lever.CPU_OFFLOAD, current=_given(facts, Lever.CPU_OFFLOAD), proposed=out),)
