"""What makes a model of llama.cpp fit the GPU whole, or else how many of its layers do?"""

from math import floor

import msgspec

from advisor.facts import ServiceFacts
from advisor.finding import Change
from advisor.gpu.amounts import GIB, gib
from advisor.gpu.holding import geometry_of, on_device_bytes, weights_bytes
from advisor.gpu.slimmer import MARGIN_BYTES, reserved_cache, smaller_cache
from advisor.view import View
from collectors.entities import Model
from collectors.levers import Lever

CONTEXT_BYTES = 0.65 * GIB
"""A CUDA context with cuBLAS, about."""
MICRO_BATCH = 512
"""Tokens of which the output is computed at once, where nothing else is set."""
FEWEST_BITS = 2.5
"""Below it a smaller model answers better."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`after`: part of the weights on the GPU then; None = nothing changes it. `need`, `room`: bytes, None = not known."""

    changes: tuple[Change, ...] = ()
    after: float | None = None
    text: str
    need: float | None = None
    room: int | None = None


def room_of(view: View) -> int | None:
    """What the service could have of its devices: all that others do not have. None if that is not known of one."""
    found = 0
    for one in view.gpus:
        usable, used = one.gpu.memory_usable_bytes, one.gpu.memory_used_bytes
        own = used if one.alone and one.memory_bytes is None else one.memory_bytes
        if usable is None or used is None or own is None:
            return None
        found += max(0, usable - max(0, used - own))
    return found or None


def plan_of(view: View, facts: ServiceFacts, model: Model, layers: int | None) -> Plan:
    """In llama.cpp's order: context, slots, KV cache of 8 bits, a smaller quantisation, then layers."""
    room, weights, cache, shape = room_of(view), on_device_bytes(model), reserved_cache(facts), geometry_of(model)
    if room is None or weights is None or cache is None or shape is None or not shape.layers:
        return Plan(
            text="What would fit cannot be told: the shape of the model, its context or the device is not known."
        )
    rest = CONTEXT_BYTES + MICRO_BATCH * 4 * (shape.vocabulary or 0)
    need = weights + cache.bytes + rest
    parts = f"{gib(weights)} of weights, {gib(cache.bytes)} for {cache.context * cache.slots} tokens"
    whole = f"Whole it needs {gib(need)} ({parts}) and {gib(MARGIN_BYTES)} to spare, of {gib(room)} that others leave."
    missing = need + MARGIN_BYTES - room
    every = _layers(layers, shape.layers + 1)
    if missing <= 0:
        return Plan(changes=every, after=1.0, text=f"{whole} It fits.", need=need, room=room)
    less = smaller_cache(cache, missing)
    if less is not None:
        return Plan(changes=(less.change, *every), after=1.0, text=whole, need=need, room=room)
    left = room - MARGIN_BYTES - rest
    output = weights / (shape.layers + 1)
    fit = floor((left - output) / ((weights - output + cache.bytes) / shape.layers)) + 1 if left > output else 0
    fit = min(fit, shape.layers)
    if layers is None or fit <= layers:
        return Plan(text=f"{whole} {_bits(model, left - cache.bytes)}", need=need, room=room)
    text = f"{whole} {_bits(model, left - cache.bytes)} {fit} of its {shape.layers + 1} layers fit."
    return Plan(changes=_layers(layers, fit), after=fit / (shape.layers + 1), text=text, need=need, room=room)


def _layers(now: int | None, proposed: int) -> tuple[Change, ...]:
    """Where they were asked for by number; by itself llama.cpp takes as many as fit when it is started again."""
    if now is None or now >= proposed:
        return ()
    return (Change(lever=Lever.GPU_LAYERS, current=now, proposed=proposed),)


def _bits(model: Model, left: float) -> str:
    """Which quantisation would fit."""
    parameters, stored = model.parameters, weights_bytes((model,))
    if not parameters or not stored:
        return "A smaller quantisation may fit."
    bits, now = 8 * left / parameters, 8 * stored / parameters
    if bits < FEWEST_BITS:
        return "No quantisation of it fits."
    return f"A file of at most {bits:.1f} bits a weight (now {now:.1f}) fits with its present context."
