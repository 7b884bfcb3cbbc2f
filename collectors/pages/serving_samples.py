"""What did a server do between two of its metrics pages, as samples?

Counters and gauges are those of the newer page; quantiles are of what was added to its histograms since the older one.
"""

from collections.abc import Iterator
from typing import Any

from collectors.metric_map import Distribution, MetricMap
from collectors.pages.quantiles import Quantile, growth, merged, quantile
from collectors.pages.serving_page import Page, Spread, Totals
from collectors.pages.serving_plan import SPREAD
from collectors.sources.serving import ServingSample

_TIMES = frozenset(("latency", "queue_time", "first_token", "inter_token"))
_COUNTS = (
    "requests", "errors", "in_flight", "queue", "tokens_in", "tokens_out", "preemptions", "model_loads", "model_evictions",
)  # fmt: skip
_LARGEST = 2**63 - 1
_FULL = 1.01
"""A cache may be a little more than full by the server's own rounding; more than that is no share."""

Fields = Iterator[tuple[str, int | None]]


def samples_of(
    service_id: str, names: MetricMap, page: Page, before: Page | None, source: str | None = None
) -> list[ServingSample]:
    """One sample of the service and one of each model that the page tells apart. `before` None: there was no page of
    the same `source`, which names who printed it."""
    since = None if before is None else before.service
    found = [_sample(f"service:{service_id}", names, page.service, since, source)]
    found += (_sample(f"model:{service_id}/{model}", names, own, since, source) for model, own in page.models.items())
    return found


def _sample(entity: str, names: MetricMap, totals: Totals, since: Totals | None, source: str | None) -> ServingSample:
    empty: dict[str, Any] = dict.fromkeys(ServingSample.__struct_fields__[1:])
    fields = empty | dict(_fields(names, totals, since)) | {"source": source}
    return ServingSample(entity=entity, **fields)


def _fields(names: MetricMap, totals: Totals, since: Totals | None) -> Fields:
    values = totals.values
    for field in _COUNTS:
        yield field, _whole(values.get(field))
    yield "kv_cache_ppm", _parts_per_million(values.get("kv_cache"))
    for field in ("model_bytes", "model_gpu_bytes"):
        yield field, _whole(values.get(field), names.model_bytes_scale)
    for field, one in names.distributions.items():
        yield from _of_distribution(field, one, totals)
        if field in SPREAD and since is not None:
            yield from _quantiles(field, one.scale, totals, since)


def _of_distribution(field: str, one: Distribution, totals: Totals) -> Fields:
    """Two counters count where there is no histogram and no summary."""
    values = totals.values
    printed = f"{field}.sum" in values or f"{field}.count" in values
    total, count = ("sum", "count") if printed else ("total", "number")
    is_time = field in _TIMES
    scale = one.scale * 1e6 if is_time else one.scale
    added = None if one.rough_sum else _whole(values.get(f"{field}.{total}"), scale)
    yield f"{field}_sum_us" if is_time else f"{field}_sum", added
    yield f"{field}_count", _whole(values.get(f"{field}.{count}"))


def _quantiles(field: str, scale: float, totals: Totals, since: Totals) -> Fields:
    now, before = totals.spread.get(field), since.spread.get(field, {})
    if now is None or before is None:
        return
    for percent in (50, 99):
        found = _quantile(now, before, percent)
        if found is None:
            return
        micros = scale * 1e6
        yield f"{field}_p{percent}_us", _whole(found.value, micros)
        if field == "latency":
            yield f"{field}_p{percent}_low_us", _whole(found.low, micros)
            yield f"{field}_p{percent}_high_us", _whole(found.high, micros)


def _quantile(now: Spread, before: Spread, percent: int) -> Quantile | None:
    added = merged([growth(buckets, before.get(key)) for key, buckets in now.items()])
    return None if added is None else quantile(added, percent)


def _whole(value: float | None, scale: float = 1.0) -> int | None:
    """None for what cannot be a count or a time: below zero, or beyond 64 bits."""
    if value is None or not 0 <= (scaled := value * scale) <= _LARGEST:
        return None
    return round(scaled)


def _parts_per_million(ratio: float | None) -> int | None:
    return None if ratio is None or not 0 <= ratio <= _FULL else round(min(1.0, ratio) * 1e6)
