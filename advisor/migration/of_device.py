"""What would leave a device with a service: operations of a request, the most requests, and what the host does besides?

As far as the headers of its model, the device's time and what is remembered of both tell; of the load the most counts, not the
mean. Nothing is taken from the momentary window but the size of batches: what is said does not come and go with it.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from advisor.answered import answered_per_second, seen_in
from advisor.finding import Need
from advisor.gpu.holding import geometry_of, widest_bytes
from advisor.gpu.view import GpuView
from advisor.migration.devices import Device, Precision
from advisor.migration.families import FAMILIES
from advisor.migration.on_host import Asked
from advisor.migration.parameters import parameters_of
from advisor.migration.present import device_here
from advisor.migration.spread import Spread
from advisor.migration.vision_nets import net_of
from advisor.service_demand import neighbours
from advisor.trend import Trend
from advisor.view import View, quantile
from collectors.entities import Model
from collectors.model_geometry import Geometry

WITHIN = 0.1
"""Operations of an input are told to within so much."""
BURST = 2.0
"""Assumed busiest seconds of a minute / its mean, at least: a burst that its workers' CPU time did not show."""
LEAST_OF_PEAK = 0.05
"""Of a device's 32-bit peak, what it does at least while it is busy: small batches leave most of it idle."""
_NARROWER: tuple[Precision, ...] = ("tf32", "bf16", "fp16")
TINY_BUSY = 0.005
"""Below it a ratio of two busiest minutes says nothing."""
TREND_COVERS = 0.8
"""Of the time for which the device was watched, so much of the requests at least is to be known: both are compared."""
_REQUESTS = ("requests", "connections")

Latency = Literal["99 of 100", "mean", "not known"]


class Leaving(msgspec.Struct, frozen=True, kw_only=True):
    """`told`: how the operations are known; `hours`: for which requests are remembered; `cores`: that are left of the CPUs
    when the service has its most requests and others their most, 0 or less where none is; `latency`: what of it is known
    (`asked.besides` is CPU time of a request where nothing is); `burst`: the most requests / mean of their minute;
    `device_seconds`: busy time of the device for a pass; `rows`: requests that a pass has together."""

    asked: Asked
    told: str
    hours: float
    cores: float
    latency: Latency
    burst: float
    device_seconds: float
    rows: float


class _Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """Of a trend: `most`, `mean` requests a second (of bursts, and of the minutes in which the device was watched)."""

    most: float
    burst: float
    mean: float | None
    besides: float
    latency: Latency


def leaving(view: View, gpu: GpuView, stated: Sequence[Device] = ()) -> Leaving | Need | None:
    """Of a model that answers in one pass, on this device. `stated`: devices of which the owner says what they can do. What
    is missing where it cannot be told; None where nothing was asked of it, or where its past does not tell how much was."""
    field = _counted(view.trend)
    if field is None:
        return Need(kind="metrics", text="how many requests it answers: its server's metrics page")
    seen = remembered(view.trend, field, gpu.hours)
    busier = _busier_before(gpu)
    if seen.most <= 0 or not seen.mean or busier is None or gpu.day_busy_mean is None:
        return None
    known, weights = operations_of(view.service.models), widest_bytes(view.service.models)
    if known is None or weights is None:
        text = "what its model computes: a file whose header tells it (safetensors beside a config.json, GGUF, ONNX)"
        return Need(kind="metrics", text=text)
    device = device_here(gpu, None, stated)
    peak = _peak(device) if isinstance(device, Device) else None
    if peak is None:
        why = ", in 32 or 16 bits" if isinstance(device, Device) else f" ({device})"
        return Need(kind="metrics", text=f"how fast {gpu.subject_name} computes{why}")
    operations, told = known
    rows, each = _rows(view), gpu.day_busy_mean / seen.mean
    return Leaving(
        asked=Asked(
            operations=_at_least(operations, LEAST_OF_PEAK * peak * each).times(rows),
            weights=float(weights),
            per_second=seen.most * busier,
            besides=seen.besides,
        ),
        told=told
        if LEAST_OF_PEAK * peak * each <= operations.high
        else f"{told}, and of more by the device's busy time",
        hours=max(len(view.trend.minutes) / 60, float(len(view.trend.hourly))),
        cores=cores_left(view),
        latency=seen.latency,
        burst=seen.burst,
        device_seconds=each * rows,
        rows=rows,
    )


def operations_of(models: Sequence[Model]) -> tuple[Spread, str] | None:
    """Of a request that is one pass, and how that is known; None where headers do not tell. An image is of a known size; a
    text may be as long as the model's context: how long texts were is not remembered."""
    model = models[0] if len(models) == 1 else None
    if model is None:
        return None
    net = net_of(model.parameters) if model.parameters else None
    if net is not None:
        return Spread.around(float(net[1].flops), WITHIN), f"an input of {net[0]}"
    shape = geometry_of(model)
    counted = parameters_of(shape) if shape is not None else None
    if shape is None or counted is None:
        return None
    patches = _patches(shape)
    if patches is not None:
        return Spread.around(2.0 * counted.computed * patches, WITHIN), f"an image of {patches} patches"
    family = FAMILIES[shape.family or ""]
    if family.kind != "encoder" or not shape.context:
        return None
    return Spread.exactly(2.0 * counted.computed * shape.context), f"at most {shape.context} tokens of {model.name}"


def _peak(device: Device) -> float | None:
    """In 32 bits; of one of which its owner states none, the most in fewer: as much at least, so that no less is counted."""
    full = device.operations("fp32")
    if full is not None or not device.stated:
        return full
    return max((rate for one in _NARROWER if (rate := device.operations(one)) is not None), default=None)


def _at_least(known: Spread, least: float) -> Spread:
    return Spread(max(known.low, least), max(known.mode, least), max(known.high, least))


def _patches(shape: Geometry) -> int | None:
    """With the one that stands for the whole image."""
    if not shape.image_size or not shape.patch_size:
        return None
    return (shape.image_size // shape.patch_size) ** 2 + 1


def _rows(view: View) -> float:
    """Requests that were computed together: the most that its pages of the last minutes say."""
    return max([1.0, view.batch_size or 0.0, *(page.batch_size or 0.0 for page in view.pages)])


def cores_left(view: View) -> float:
    """Of its pool: less what others use in 95 of 100 minutes, and in any hour, and what it uses itself for what stays."""
    trend = view.trend
    others_then, own_then = trend.minutes.once("cores of a device's service", lambda: _cores_used(trend))
    others = min(float(len(view.pool)), max(neighbours(view), others_then))
    steal = sum(core.steal for core in view.cores if core.cpu in view.pool)
    return min(view.pool_cores, len(view.pool) - others - steal) - max(view.cores_used, own_then)


def _cores_used(trend: Trend) -> tuple[float, float]:
    """By others, and the most by itself."""
    minutes, hours = trend.minutes, trend.hourly
    others = [quantile(minutes.values("others_cores"), 0.95) or 0.0, *hours.values("others_cores")]
    return max(others), max([0.0, *minutes.values("cores_used"), *hours.values("cores_used")])


def _counted(trend: Trend) -> str | None:
    """In which field of a trend its requests are; None where nothing tells them."""
    minutes = trend.minutes
    found = minutes.once("counted", lambda: answered_per_second(seen_in(minutes)))
    return found.field if found is not None and found.what in _REQUESTS else None


def remembered(trend: Trend, field: str, hours: float) -> _Remembered:
    """With the mean over so many hours; worked out once a minute."""
    minutes = round(hours * 60)
    return trend.minutes.once(("leaving", field, minutes), lambda: _remembered(trend, field, minutes))


def _remembered(trend: Trend, field: str, minutes: int) -> _Remembered:
    most, mean = max(_bursts(trend, field), default=(0.0, 0.0))
    newest = [row[0] for row in trend.minutes.table(field)[-minutes:]] if minutes else []
    known = [rate for rate in newest if rate is not None]
    enough = len(known) >= TREND_COVERS * minutes and known
    besides, latency = _besides(trend, field)
    return _Remembered(
        most=most,
        burst=most / mean if mean else 1.0,
        mean=sum(known) / len(known) if enough else None,
        besides=besides,
        latency=latency,
    )


def _bursts(trend: Trend, field: str) -> Iterator[tuple[float, float]]:
    """Requests a second in the busiest second and the mean, of each minute and hour. A minute's workers were so much busier in
    its busiest second as they had more requests; of hours that is too far from their mean to be multiplied."""
    for rate, demand, peak in trend.minutes.table(field, "demand", "demand_peak"):
        yield (rate or 0.0) * max(BURST, (peak or 0.0) / demand if demand else 0.0), rate or 0.0
    for rate in trend.hourly.values(field):
        yield rate * BURST, rate


def _busier_before(gpu: GpuView) -> float | None:
    """Of the days before the last, means of hours are remembered alone: their busiest minute was so much busier on the device
    as it had more requests. None where the last day's says nothing of it."""
    day, week = gpu.day_busiest_ratio, gpu.week_busiest_ratio
    if day is None or week is None:
        return None
    if week <= day * (1 + 1e-6):  # the week's is kept in 32 bits
        return 1.0
    return week / day if day >= TINY_BUSY else None


def _besides(trend: Trend, field: str) -> tuple[float, Latency]:
    """In 95 of 100 minutes in which it worked 99 of 100 requests, else the mean one, were answered within that; of a server
    that does not tell, CPU time of a request while it had the most."""
    rows = [
        row
        for kept in (trend.minutes, trend.hourly)
        for row in kept.table(field, "latency_p99_seconds", "latency_seconds", "cores_used")
        if row[0]
    ]
    names: tuple[tuple[int, Latency], ...] = ((1, "99 of 100"), (2, "mean"))
    for part, name in names:
        known = [value for row in rows if (value := row[part]) is not None]
        if known:
            return quantile(known, 0.95) or 0.0, name
    most = max(rows, key=lambda row: row[0] or 0.0, default=None)
    return (0.0 if most is None or not most[0] else (most[3] or 0.0) / most[0]), "not known"
