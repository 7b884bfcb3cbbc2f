"""Which series of a server's Prometheus page mean what?

A framework declares it once, as data; `collectors.sources.serving` reads pages with it.
"""

import msgspec


class Series(msgspec.Struct, frozen=True):
    """The series of one name, added up over their labels. `name` as printed, with or without a trailing `_total` (parsers
    add and drop it); `where` keeps those whose label matches a regular expression as a whole: `(("code", "5.."),)`."""

    name: str
    where: tuple[tuple[str, str], ...] = ()


def series(name: str, **where: str) -> Series:
    """`series("requests_total", status_code="5..")`."""
    return Series(name, tuple(sorted(where.items())))


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """Something of which sum and count are known, and of a histogram how it spreads.

    `of`: histograms or summaries by their base name. Where a server prints two counters instead, `total` and `count`
    name them. `scale` turns a value into the base unit (1e-6 for microseconds, 1e-3 for milliseconds). `rough_sum`: the
    server makes its sum from the middles of its buckets, so that no mean can be told from it.
    """

    of: tuple[Series, ...] = ()
    total: tuple[Series, ...] = ()
    count: tuple[Series, ...] = ()
    scale: float = 1.0
    rough_sum: bool = False


class MetricMap(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says of itself, in the field's own words. What a server does not tell stays empty: it is None in
    the samples, never a guess."""

    requests: tuple[Series, ...] = ()
    """Requests answered well (counters)."""
    errors: tuple[Series, ...] = ()
    """Requests that failed (counters)."""
    latency: Distribution | None = None
    """Time of a whole request in the server, in seconds."""
    in_flight: tuple[Series, ...] = ()
    """Requests that are being handled now (gauges)."""
    queue: tuple[Series, ...] = ()
    """Requests that wait inside the server now (gauges)."""
    queue_length: Distribution | None = None
    """Requests that waited, as seen at each observation, where the server prints a histogram instead of a gauge."""
    queue_time: Distribution | None = None
    """Time that a request waited inside the server, in seconds."""
    batch_size: Distribution | None = None
    """Requests (or samples) that one execution of the model took."""
    tokens_in: tuple[Series, ...] = ()
    tokens_out: tuple[Series, ...] = ()
    first_token: Distribution | None = None
    """Time to first token, in seconds."""
    inter_token: Distribution | None = None
    """Time from token to token (inter-token latency, time per output token), in seconds."""
    kv_cache: tuple[Series, ...] = ()
    """Share of the KV cache in use, 0..1 (gauges; the fullest engine counts)."""
    preemptions: tuple[Series, ...] = ()
    """Running requests that lost their place in the KV cache and are computed again (counters)."""
    model_bytes: tuple[Series, ...] = ()
    """Memory of loaded models (gauges)."""
    model_gpu_bytes: tuple[Series, ...] = ()
    """The part of it that is on GPUs, where the server splits models (gauges); `model_bytes_scale` holds for it too."""
    model_bytes_scale: float = 1.0
    model_loads: tuple[Series, ...] = ()
    """Models loaded, again or anew (counters)."""
    model_evictions: tuple[Series, ...] = ()
    """Models taken out of memory to make room for others (counters)."""
    model_label: str | None = None
    """Label that holds a model's name, where one server holds several."""
    marks: tuple[str, ...] = ()
    """Prefixes of names by which a page of this server is known; empty = by any of the names above."""

    @property
    def distributions(self) -> dict[str, Distribution]:
        """Those that are declared, by field name."""
        found = {name: getattr(self, name) for name in _DISTRIBUTIONS}
        return {name: one for name, one in found.items() if one is not None}

    @property
    def scalars(self) -> dict[str, tuple[Series, ...]]:
        """Counters and gauges that are declared, by field name."""
        found: dict[str, tuple[Series, ...]] = {name: getattr(self, name) for name in _SCALARS}
        return {name: many for name, many in found.items() if many}


_DISTRIBUTIONS = ("latency", "queue_length", "queue_time", "batch_size", "first_token", "inter_token")
_SCALARS = (
    "requests", "errors", "in_flight", "queue", "tokens_in", "tokens_out", "kv_cache", "preemptions", "model_bytes",
    "model_gpu_bytes", "model_loads", "model_evictions",
)  # fmt: skip
