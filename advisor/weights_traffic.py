"""How many bytes of weights does a service on CPUs read each second, as far as its model and its page tell?"""

import msgspec

from advisor.facts import ServiceFacts
from advisor.view import View
from collectors.entities import Model
from collectors.levers import Lever
from collectors.model_geometry import Geometry

GIB = 1 << 30


class Traffic(msgspec.Struct, frozen=True):
    """Bytes of weights that are read each second, and how that was told."""

    bytes_per_second: float
    told: str


def streamed_model(view: View) -> Model | None:
    """The service's one model, if its header says that it is a transformer: such a model reads all its weights, or those of
    its active experts, for each step."""
    models = view.service.models
    one = models[0] if len(models) == 1 else None
    return one if one is not None and one.size_bytes and _geometry(one) is not None else None


def _geometry(model: Model) -> Geometry | None:
    return next((f.geometry for f in model.files if f.geometry is not None and f.geometry.layers), None)


def weights_traffic(view: View, facts: ServiceFacts, model: Model) -> Traffic | None:
    """At least so much: tokens that are made together read the weights once, and so do requests of one batch. None where it
    is not known how many go together."""
    read = (model.size_bytes or 0) * _active(model)
    if view.tokens_out_per_second is not None:
        between = view.inter_token_seconds
        if between is not None and between > 0:
            steps = min(view.tokens_out_per_second, 1 / between)
        elif view.in_flight is not None:
            steps = view.tokens_out_per_second / max(1.0, view.in_flight)
        else:
            return None
        told = f"{steps:.1f} steps of decoding a second over {gib(read)} of weights read about"
        return Traffic(steps * read, told) if steps > 0 else None
    rate, batch = view.requests_per_second, _batch(view, facts)
    if not rate or batch is None:
        return None
    return Traffic(rate / batch * read, f"{rate / batch:.1f} calls a second over {gib(read)} of weights read about")


def _active(model: Model) -> float:
    shape = _geometry(model)
    if shape is None or not shape.experts or not shape.active_experts:
        return 1.0
    return min(1.0, shape.active_experts / shape.experts)


def _batch(view: View, facts: ServiceFacts) -> float | None:
    """Requests that are computed together; None where the server may batch and does not tell."""
    if view.batch_size is not None:
        return max(1.0, view.batch_size)
    setting = facts.setting(Lever.MAX_BATCH_SIZE)
    most = setting.value if setting is not None else 1
    return 1.0 if isinstance(most, int) and most <= 1 else None


def gib(count: float) -> str:
    """`4.6 GiB`."""
    return f"{count / GIB:.1f} GiB"
