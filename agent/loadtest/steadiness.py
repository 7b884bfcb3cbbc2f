"""Has a step told enough? Is it already certain that the service does not keep up?"""

from collections.abc import Sequence
from statistics import fmean

from agent.loadtest.outcome import Outcome
from agent.loadtest.step import MOST_FAILED_RATIO

WINDOWS = 3
STEADY_RATIO = 1.1
"""perf_analyzer's rule: the last three windows lie within 10 %."""
NOISE_SECONDS = 0.002
"""Differences of means below this are the node's scheduler."""
LEAST_OVER = 3
CLEAR_RATIO = 0.5
"""Of the limit: below it no doubt is left."""


def has_settled(outcomes: Sequence[Outcome], now: float, window_seconds: float, limit_seconds: float) -> bool:
    """Whether more of the same would tell no more: far below the limit, or steady."""
    far = not is_hopeless(outcomes, now, len(outcomes), limit_seconds * CLEAR_RATIO)
    return far or is_steady(outcomes, now, window_seconds)


def is_steady(outcomes: Sequence[Outcome], now: float, window_seconds: float) -> bool:
    """Whether mean latency by the planned instant was alike in the last three windows; False if one holds no request."""
    means = []
    for number in range(WINDOWS):
        end = now - number * window_seconds
        latencies = [o.latency(now) for o in outcomes if end - window_seconds <= o.planned < end and o.sent is not None]
        if not latencies:
            return False
        means.append(fmean(latencies))
    return max(means) <= max(min(means) * STEADY_RATIO, min(means) + NOISE_SECONDS)


def is_hopeless(outcomes: Sequence[Outcome], now: float, planned_requests: float, limit_seconds: float) -> bool:
    """Whether more than a hundredth of the whole step's requests failed or took too long already."""
    over = sum(one.failure is not None or one.latency(now) > limit_seconds for one in outcomes)
    return over > max(LEAST_OVER, planned_requests * MOST_FAILED_RATIO)
