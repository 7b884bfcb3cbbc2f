"""What would leave a device with a service: operations of a request, the most requests, and what the host does besides?

As far as the headers of its model and what is remembered of it tell; of the load the most counts, not the mean.
"""

from collections.abc import Iterator, Sequence

import msgspec

from advisor.answered import answered_per_second, seen_in
from advisor.finding import Need
from advisor.gpu.holding import geometry_of, widest_bytes
from advisor.gpu.view import GpuView
from advisor.migration.families import FAMILIES
from advisor.migration.on_host import Asked
from advisor.migration.parameters import parameters_of
from advisor.migration.spread import Spread
from advisor.migration.work import from_headers
from advisor.service_demand import neighbours
from advisor.trend import Stretches
from advisor.view import View, quantile
from collectors.entities import Model
from collectors.model_geometry import Geometry

WITHIN = 0.1
"""Operations of an input are told to within so much."""
LONGEST = 4.0
"""Tokens of the longest requests / of the mean one, as far as the model's context allows: these are the slow ones."""
_REQUESTS = ("requests", "connections")


class Leaving(msgspec.Struct, frozen=True, kw_only=True):
    """`told`: how the operations are known; `hours`: for which requests are remembered; `cores`: that are left of the CPUs
    when the service has its most requests and others their most, 0 or less where none is."""

    asked: Asked
    told: str
    hours: float
    cores: float


def leaving(view: View, gpu: GpuView) -> Leaving | Need | None:
    """Of a model that answers in one pass, on this device. What is missing where it cannot be told; None where nothing was
    asked of it."""
    field = _counted(view.trend.minutes)
    if field is None:
        return Need(kind="metrics", text="how many requests it answers: its server's metrics page")
    most = max((v for kept in _kept(view) for v in kept.values(field)), default=0.0)
    if most <= 0:
        return None
    known, weights = operations_of(view), widest_bytes(view.service.models)
    if known is None or weights is None:
        text = "what its model computes: a file whose header tells it (safetensors beside a config.json, GGUF, ONNX)"
        return Need(kind="metrics", text=text)
    operations, told = known
    return Leaving(
        asked=Asked(
            operations=operations,
            weights=float(weights),
            per_second=most * _busier_before(gpu),
            besides=_besides(view, field),
        ),
        told=told,
        hours=max(len(view.trend.minutes) / 60, float(len(view.trend.hourly))),
        cores=cores_left(view),
    )


def operations_of(view: View) -> tuple[Spread, str] | None:
    """Of a request that is one pass, and how that is known; None where headers do not tell."""
    known = from_headers(view.service.models, view)
    if known is not None:
        name, each, tokens = known
        if tokens is None:
            return Spread.around(each, WITHIN), f"an input of {name}"
        return _of_tokens(view.service.models[0], tokens).times(each), f"{tokens:.0f} tokens of {name} on average"
    return _of_dimensions(view.service.models)


def _of_tokens(model: Model, tokens: float) -> Spread:
    shape = geometry_of(model)
    context = (shape.context if shape is not None else None) or LONGEST * tokens
    return Spread((1 - WITHIN) * tokens, tokens, max(tokens, min(LONGEST * tokens, context)))


def _of_dimensions(models: Sequence[Model]) -> tuple[Spread, str] | None:
    """An image is of a known size; a text is no longer than the model's context."""
    shape = geometry_of(models[0]) if len(models) == 1 else None
    counted = parameters_of(shape) if shape is not None else None
    if shape is None or counted is None:
        return None
    patches = _patches(shape)
    if patches is not None:
        return Spread.around(2.0 * counted.computed * patches, WITHIN), f"an image of {patches} patches"
    family = FAMILIES[shape.family or ""]
    if family.kind != "encoder" or not shape.context:
        return None
    return Spread.exactly(2.0 * counted.computed * shape.context), f"at most {shape.context} tokens of {models[0].name}"


def _patches(shape: Geometry) -> int | None:
    """With the one that stands for the whole image."""
    if not shape.image_size or not shape.patch_size:
        return None
    return (shape.image_size // shape.patch_size) ** 2 + 1


def cores_left(view: View) -> float:
    """Of its pool: less what others use in 95 of 100 minutes, and in any hour, and what it uses itself for what stays."""
    minutes, hours = view.trend.minutes, view.trend.hourly
    seen = [neighbours(view), quantile(minutes.values("others_cores"), 0.95) or 0.0, *hours.values("others_cores")]
    others = min(float(len(view.pool)), max(seen))
    own = max([view.cores_used, *minutes.values("cores_used"), *hours.values("cores_used")])
    steal = sum(core.steal for core in view.cores if core.cpu in view.pool)
    return min(view.pool_cores, len(view.pool) - others - steal) - own


def _kept(view: View) -> Iterator[Stretches]:
    yield from (view.trend.slices, view.trend.minutes, view.trend.hourly)


def _counted(minutes: Stretches) -> str | None:
    """In which field of a trend its requests are; None where nothing tells them."""
    found = minutes.once("counted", lambda: answered_per_second(seen_in(minutes)))
    return found.field if found is not None and found.what in _REQUESTS else None


def _busier_before(gpu: GpuView) -> float:
    """Of the days before the last, means of hours are remembered alone: their busiest minute was so much busier on the device
    as it had more requests."""
    day, week = gpu.day_busiest_ratio, gpu.week_busiest_ratio
    return max(1.0, week / day) if day and week else 1.0


def _besides(view: View, field: str) -> float:
    """In 95 of 100 minutes in which it worked 99 of 100 requests, else the mean one, were answered within that; of a server
    that does not tell, CPU time of a request while it had the most."""
    rows = [
        row
        for kept in (view.trend.minutes, view.trend.hourly)
        for row in kept.table(field, "latency_p99_seconds", "latency_seconds", "cores_used")
        if row[0]
    ]
    for part in (1, 2):
        known = [value for row in rows if (value := row[part]) is not None]
        if known:
            return quantile(known, 0.95) or 0.0
    most = max(rows, key=lambda row: row[0] or 0.0, default=None)
    return 0.0 if most is None or not most[0] else (most[3] or 0.0) / most[0]
