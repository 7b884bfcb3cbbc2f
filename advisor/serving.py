"""What did a server do between two of its metrics pages, as rates and means?

A counter that went back was reset, or a part of the server left with what it had counted; both look alike on the sum, so
such a stretch has no rate.
"""

import msgspec

from advisor.serving_rates import ServingRates
from advisor.view import Load
from collectors.sources.serving import ServingSample

STALE_SECONDS = 35.0
"""Three rounds without a page: what the last one said is no longer the present, and no rate is taken across the gap."""


def rates(now: ServingSample, before: ServingSample | None, seconds: float) -> ServingRates:
    """`before` was read `seconds` earlier; None = there was no page, or one too long ago. Pages of two sources, as of
    workers that each count for themselves, have no rate."""
    level = ServingRates(
        in_flight=now.in_flight,
        server_queue=now.queue,
        kv_cache_ratio=_scaled(now.kv_cache_ppm),
        model_bytes=now.model_bytes,
        model_gpu_bytes=now.model_gpu_bytes,
        latency_p50_seconds=_scaled(now.latency_p50_us),
        latency_p99_seconds=_scaled(now.latency_p99_us),
    )
    if before is None or before.source != now.source or not 0 < seconds <= STALE_SECONDS:
        return msgspec.structs.replace(level, latency_p50_seconds=None, latency_p99_seconds=None)
    queued = _mean(now.queue_length_sum, before.queue_length_sum, now.queue_length_count, before.queue_length_count)
    return msgspec.structs.replace(
        level,
        requests_per_second=_rate(now.requests, before.requests, seconds),
        errors_per_second=_rate(now.errors, before.errors, seconds),
        latency_seconds=_scaled(
            _mean(now.latency_sum_us, before.latency_sum_us, now.latency_count, before.latency_count)
        ),
        server_queue=queued if now.queue is None else now.queue,
        queue_seconds=_scaled(
            _mean(now.queue_time_sum_us, before.queue_time_sum_us, now.queue_time_count, before.queue_time_count)
        ),
        batches_per_second=_rate(now.batch_size_count, before.batch_size_count, seconds),
        batch_size=_mean(now.batch_size_sum, before.batch_size_sum, now.batch_size_count, before.batch_size_count),
        tokens_in_per_second=_rate(now.tokens_in, before.tokens_in, seconds),
        tokens_out_per_second=_rate(now.tokens_out, before.tokens_out, seconds),
        preemptions_per_second=_rate(now.preemptions, before.preemptions, seconds),
        model_loads_per_second=_rate(now.model_loads, before.model_loads, seconds),
        model_evictions_per_second=_rate(now.model_evictions, before.model_evictions, seconds),
        first_token_seconds=_scaled(
            _mean(now.first_token_sum_us, before.first_token_sum_us, now.first_token_count, before.first_token_count)
        ),
        inter_token_seconds=_scaled(
            _mean(now.inter_token_sum_us, before.inter_token_sum_us, now.inter_token_count, before.inter_token_count)
        ),
    )


def load_of(known: ServingRates) -> Load | None:
    """Requests in progress and answered per second, where the page tells both and something was answered.

    By Little's law those in progress are the product of rate and mean latency, which are of the same stretch; the gauge is
    of one instant and only the second best.
    """
    rate = known.requests_per_second
    if not rate:
        return None
    if known.latency_seconds is not None:
        return Load(rate * known.latency_seconds, rate)
    if known.in_flight is not None:
        return Load(known.in_flight, rate)
    return None


def _growth(now: int | None, before: int | None) -> int | None:
    return None if now is None or before is None or now < before else now - before


def _rate(now: int | None, before: int | None, seconds: float) -> float | None:
    grown = _growth(now, before)
    return None if grown is None else grown / seconds


def _mean(total: int | None, total_before: int | None, count: int | None, count_before: int | None) -> float | None:
    """Growth of a total over that of its count; None if nothing was counted."""
    grown, counted = _growth(total, total_before), _growth(count, count_before)
    return None if grown is None or not counted else grown / counted


def _scaled(micro: float | None) -> float | None:
    return None if micro is None else micro / 1e6
