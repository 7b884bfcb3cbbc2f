"""Does a service generate token by token, and what does it read and keep for each of them?

Every step reads all weights that a token uses, and the cache of its sequence: a request of a hundred tokens is a hundred steps
one after the other, and no call that is made once.
"""

from collections.abc import Sequence

import msgspec

from advisor.finding import Need
from advisor.gpu.holding import geometry_of
from advisor.migration.families import FAMILIES
from advisor.migration.kv_cache import cache_bytes, cross_bytes
from advisor.view import View
from collectors.entities import Model
from collectors.model_geometry import Geometry

_GENERATING = ("ForCausalLM", "LMHead", "ForConditionalGeneration")


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """Of one request. `steps`: passes through the model one after the other; `read`: bytes of its cache that a step reads, on
    average; `held`: bytes of the caches of all sequences that are in the service at a time."""

    steps: float = 1.0
    read: float = 0.0
    held: float = 0.0


ONE_PASS = Generation()


def generation_of(view: View) -> Generation | Need:
    """`ONE_PASS` of a model that answers at once; what is missing where it generates and does not say how much."""
    generated, rate = view.tokens_out_per_second, view.requests_per_second
    if not generated:
        if _generates(view.service.models):
            return Need(kind="metrics", text="how many tokens it generates: the server's metrics page")
        return ONE_PASS
    if not rate:
        return Need(kind="metrics", text="how many requests its tokens belong to: the server's metrics page")
    steps, asked = max(1.0, generated / rate), (view.tokens_in_per_second or 0.0) / rate
    shape = _shape(view.service.models)
    if shape is None:
        return Generation(steps=steps)
    middle, end = (cache_bytes(shape, round(asked + steps * part)) or 0.0 for part in (0.5, 1.0))
    cross = cross_bytes(shape)
    return Generation(steps=steps, read=middle + cross, held=max(1.0, view.in_flight or 1.0) * (end + cross))


def _shape(models: Sequence[Model]) -> Geometry | None:
    return geometry_of(models[0]) if len(models) == 1 else None


def _generates(models: Sequence[Model]) -> bool:
    """As far as headers tell."""
    for file in (one for model in models for one in model.files):
        if any(word in (file.architecture or "") for word in _GENERATING):
            return True
        family = FAMILIES.get((file.geometry.family if file.geometry is not None else None) or "")
        if family is not None and family.kind in ("decoder", "speech"):
            return True
    return False
