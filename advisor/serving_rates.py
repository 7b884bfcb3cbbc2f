"""What did a server do between two of its metrics pages?"""

import msgspec


class ServingRates(msgspec.Struct, frozen=True, kw_only=True):
    """Base units. None = the page does not tell, it takes a second page, or nothing happened of which to take a mean.

    Quantiles are None also where they lie in the last bucket, which has no upper bound.
    """

    requests_per_second: float | None = None
    errors_per_second: float | None = None
    latency_seconds: float | None = None
    """Mean over the requests since the page before."""
    latency_p50_seconds: float | None = None
    latency_p99_seconds: float | None = None
    in_flight: float | None = None
    server_queue: float | None = None
    """Requests that wait inside the server: now, or in the mean as often as it looked."""
    queue_seconds: float | None = None
    """Mean time that a request waited inside the server before it was worked on; it is a part of its latency."""
    batch_size: float | None = None
    batches_per_second: float | None = None
    """Executions of the model."""
    tokens_in_per_second: float | None = None
    tokens_out_per_second: float | None = None
    first_token_seconds: float | None = None
    inter_token_seconds: float | None = None
    kv_cache_ratio: float | None = None
    preemptions_per_second: float | None = None
    """Running requests that lost their place in the KV cache and are computed again."""
    model_loads_per_second: float | None = None
    model_evictions_per_second: float | None = None
    model_bytes: float | None = None
    model_gpu_bytes: float | None = None
    """What of that is on GPUs, where the server splits models."""


NOTHING = ServingRates()
