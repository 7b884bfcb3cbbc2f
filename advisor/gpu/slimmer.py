"""Which setting of a server gives back the device memory that is missing, and which value does?"""

from math import ceil, floor

import msgspec

from advisor.facts import ServiceFacts
from advisor.finding import Change, Gain
from advisor.gpu.amounts import GIB
from advisor.gpu.filling import Filling
from advisor.gpu.holding import VALUE_BYTES, geometry_of, kv_bytes_per_token, weights_bytes
from advisor.gpu.pool import AT_START
from advisor.gpu.staying import workers_needed
from advisor.intervals import gain, memory
from advisor.view import View
from advisor.workers import change_to, processes_each
from collectors.levers import Lever

CONTEXT_STEP = 256
LEAST_CONTEXT = 0.75
"""Of a context that was chosen, at least: a shorter one is another service."""
SHORTEST = 4096
"""Of one that nobody chose."""
EIGHT_BITS = "q8_0"
MARGIN_BYTES = GIB
"""What llama.cpp itself leaves free of a device."""


class Slimmer(msgspec.Struct, frozen=True, kw_only=True):
    """A change and what it gives back. `sure`: it follows from sizes that are known; else at most that much."""

    change: Change
    freed: float
    sure: bool = True


class Cache(msgspec.Struct, frozen=True, kw_only=True):
    """The KV cache of a server that reserves it for all of its slots: bytes a token, tokens of a slot, slots."""

    per_token: float
    context: int
    slots: int
    kind: str
    context_set: bool
    slots_set: bool

    @property
    def bytes(self) -> float:
        return self.per_token * self.context * self.slots


def slimmer(view: View, facts: ServiceFacts, found: Filling, until_ratio: float) -> Slimmer | None:
    """The first change that brings the device's use below the ratio, or leaves the margin; None where none is known to."""
    if facts.service.framework in AT_START:
        missing = MARGIN_BYTES - found.free
        cache = reserved_cache(facts)
        return None if cache is None or missing <= 0 else smaller_cache(cache, missing)
    missing = round(found.used - until_ratio * found.usable)
    return _fewer_workers(view, facts, found, missing) or _smaller_batch(facts, found, missing)


def reserved_cache(facts: ServiceFacts) -> Cache | None:
    """None where the shape of the only model, or a setting, is not known. Without one llama-server takes the model's context,
    at most; Ollama's depends on the device."""
    models = facts.service.models
    shape = geometry_of(models[0]) if len(models) == 1 else None
    if shape is None:
        return None
    precision = facts.setting(Lever.KV_CACHE_PRECISION)
    if precision is not None and precision.unread:
        return None
    kind = _given(facts, Lever.KV_CACHE_PRECISION) or "f16"
    ollama, context = facts.service.framework == "ollama", _given(facts, Lever.CONTEXT_LENGTH)
    context_set = bool(context)
    context = context or (None if ollama else shape.context)
    slots = _given(facts, Lever.MAX_REQUESTS_IN_FLIGHT) if ollama else 1
    per_token = kv_bytes_per_token(models[0], kind)
    if per_token is None or not isinstance(context, int) or context <= 0 or not isinstance(slots, int) or slots < 1:
        return None
    return Cache(
        per_token=per_token, context=context, slots=slots, kind=str(kind),
        context_set=context_set, slots_set=ollama,
    )  # fmt: skip


def _given(facts: ServiceFacts, lever: Lever) -> int | float | str | bool | None:
    setting = facts.setting(lever)
    return setting.value if setting is not None else None


def smaller_cache(cache: Cache, missing: float) -> Slimmer | None:
    """In the order of least harm: a shorter context, fewer slots, 8 bits; the first that gives back enough."""
    context = floor((cache.context - missing / cache.per_token / cache.slots) / CONTEXT_STEP) * CONTEXT_STEP
    if context >= (LEAST_CONTEXT * cache.context if cache.context_set else SHORTEST):
        now = cache.context if cache.context_set else None
        freed = (cache.context - context) * cache.per_token * cache.slots
        return Slimmer(change=Change(lever=Lever.CONTEXT_LENGTH, current=now, proposed=context), freed=freed)
    slots = cache.slots - ceil(missing / (cache.per_token * cache.context))
    if slots >= 1 and cache.slots_set:
        change = Change(lever=Lever.MAX_REQUESTS_IN_FLIGHT, current=cache.slots, proposed=slots)
        return Slimmer(change=change, freed=(cache.slots - slots) * cache.per_token * cache.context)
    now_bytes = VALUE_BYTES.get(cache.kind, 0.0)
    freed = cache.bytes * (1 - VALUE_BYTES[EIGHT_BITS] / now_bytes) if now_bytes else 0.0
    if freed < missing:
        return None
    return Slimmer(change=Change(lever=Lever.KV_CACHE_PRECISION, current=cache.kind, proposed=EIGHT_BITS), freed=freed)


def _fewer_workers(view: View, facts: ServiceFacts, found: Filling, missing: int) -> Slimmer | None:
    """Where each worker holds its own part of the device, and those that stay can do the work of all."""
    count, needed = len(found.one.own), workers_needed(view, facts)
    if not found.own or count < 2 or count != len(view.serving) or needed is None or missing <= 0:
        return None
    each, step = found.own / count, processes_each(view, facts) or count
    gone = ceil(missing / each / step) * step
    if count - gone < needed:
        return None
    change = change_to(view, facts, count - gone)
    return None if change is None else Slimmer(change=change, freed=gone * each)


def _smaller_batch(facts: ServiceFacts, found: Filling, missing: int) -> Slimmer | None:
    """What is held beside the models grows with the batch, at most in proportion to it."""
    batch, stored = _given(facts, Lever.MAX_BATCH_SIZE), weights_bytes(facts.service.models)
    if not isinstance(batch, int) or batch < 2 or stored is None or found.own is None or missing <= 0:
        return None
    beside = found.own - len(found.one.own) * stored
    if beside <= missing:
        return None
    proposed = floor(batch * (1 - missing / beside))
    if proposed < 1:
        return None
    change = Change(lever=Lever.MAX_BATCH_SIZE, current=batch, proposed=proposed)
    return Slimmer(change=change, freed=beside * (1 - proposed / batch), sure=False)


def gain_of(found: Filling, less: Slimmer | None) -> tuple[Gain, ...]:
    """Device memory of the service, after / before."""
    if less is None or not found.own or less.freed >= found.own:
        return ()
    left = 1 - less.freed / found.own
    return (
        memory(found.own, found.own - less.freed, 0.05)
        if less.sure
        else gain("memory_ratio", left, (1 + left) / 2, 1.0),
    )
