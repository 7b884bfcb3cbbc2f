"""What does a service that is on a device hold of it, against what would be predicted of it?

Compared is only what can be: a process with one model of known headers, whole on one device, that takes what it needs. Servers
that reserve a share of the device (vLLM, SGLang, TensorFlow, JAX) are left out.
"""

import msgspec

from advisor.facts import ServiceFacts
from advisor.gpu.growth import moved
from advisor.gpu.holding import on_device_bytes, stored_wide, weights_bytes
from advisor.gpu.pool import AT_START, pool_of
from advisor.gpu.slimmer import reserved_cache
from advisor.gpu.split import LOADED_SECONDS, STILL, split_of
from advisor.gpu.view import GpuProcessView
from advisor.migration.fit import Need
from advisor.migration.generation import Generation, generation_of
from advisor.migration.vram_calibration import Key
from advisor.view import View
from collectors.entities import Model
from collectors.levers import Lever

LEAST_SAMPLES = 15
RESERVED_PART = 0.7
"""Of a device: who holds that much may have reserved it, unless the server is known to take what the model needs."""
_WHOLE = 0.99
_NAME_LIMIT = 100


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of the largest of its processes."""

    key: Key
    held: float
    predicted: float

    @property
    def ratio(self) -> float:
        return self.held / self.predicted


def key_of(facts: ServiceFacts) -> Key | None:
    """None where its headers do not tell, or it has more models than one."""
    models = facts.service.models
    model = models[0] if len(models) == 1 else None
    architecture, dtype = (None, None) if model is None else (_architecture(model), _dtype(model))
    if model is None or architecture is None or dtype is None:
        return None
    setting = facts.setting(Lever.PRECISION)
    asked = setting.value if setting is not None and isinstance(setting.value, str) else "auto"
    runtime = (model.runtime or facts.service.framework)[:_NAME_LIMIT]
    return Key(runtime, architecture[:_NAME_LIMIT], dtype if asked == "auto" else asked[:_NAME_LIMIT])


def compared(view: View, facts: ServiceFacts) -> Comparison | None:
    """None where the two are not of the same, or not settled."""
    key, models = key_of(facts), facts.service.models
    if key is None or len(view.gpus) != 1 or pool_of(facts) is not None or not _settled(view):
        return None
    one, stored, cache = view.gpus[0], weights_bytes(models), cache_of(view, facts)
    usable, largest = one.gpu.memory_usable_bytes, max(one.own, key=lambda p: p.memory_bytes or 0)
    held, part = largest.memory_bytes, split_of(view, facts)
    if not stored or not usable or cache is None or not held or (models[0].instances or 1) > 1:
        return None
    if held < _least(models[0], stored) or (part is not None and part.most < _WHOLE):
        return None
    if facts.service.framework not in AT_START and held >= RESERVED_PART * usable:
        return None
    return Comparison(key=key, held=float(held), predicted=Need(weights=float(stored), cache=cache).total)


def cache_of(view: View, facts: ServiceFacts) -> float | None:
    """Bytes of all caches that it holds at a time; None where it is not known."""
    if facts.service.framework in AT_START:
        cache = reserved_cache(facts)
        return cache.bytes if cache is not None and cache.context_set else None
    generation = generation_of(view)
    return generation.held if isinstance(generation, Generation) else None


def _settled(view: View) -> bool:
    """Whether all of its processes hold what they have held for a minute, under load."""
    one = view.gpus[0]
    if view.samples < LEAST_SAMPLES or one.gpu.unified_memory or not one.own:
        return False
    return all(_still(process) for process in one.own)


def _still(process: GpuProcessView) -> bool:
    held, seen = process.memory_bytes, process.memory_seen
    if held is None or not seen or seen[0][0] < LOADED_SECONDS:
        return False
    return moved(seen, LOADED_SECONDS + 5) <= STILL * held


def _least(model: Model, stored: int) -> float:
    """What the weights take at least once they are all on the device: 32 bits may be held as 16."""
    if any(one.format == "gguf" for one in model.files):
        return float(on_device_bytes(model) or stored)
    return stored / 2 if stored_wide(model) else float(stored)


def _architecture(model: Model) -> str | None:
    stated = next((one.architecture for one in model.files if one.architecture), None)
    return stated or next((one.geometry.family for one in model.files if one.geometry and one.geometry.family), None)


def _dtype(model: Model) -> str | None:
    """How it is quantised, else the type of most of its weights."""
    elements: dict[str, int] = {}
    for one in model.files:
        if one.quantization is not None:
            return one.quantization
        for name, count in one.dtypes.items():
            elements[name] = elements.get(name, 0) + count
    return max(sorted(elements), key=lambda name: elements[name]) if elements else None
