"""How a gain becomes an interval: helpers that turn bounds computed from a window into p10, p50 and p90."""

from math import isfinite

from advisor.finding import Gain, Metric

LEAST = 0.001


def gain(metric: Metric, p10: float, p50: float, p90: float) -> Gain:
    """An interval with its points in order, rounded; a ratio below a thousandth is told as that. Raises ValueError for what is
    no ratio."""
    if not all(isfinite(point) and point >= 0 for point in (p10, p50, p90)):
        raise ValueError(f"{metric} of {p10:g}, {p50:g}, {p90:g} is no ratio")
    low, middle, high = (max(LEAST, round(point, 3)) for point in sorted((p10, p50, p90)))
    return Gain(metric=metric, p10=low, p50=middle, p90=high)


def throughput(low: float, likely: float, high: float) -> Gain:
    return gain("throughput_ratio", low, likely, high)


def latency_p50_of(ratio: Gain, slack: float = 0.1) -> Gain:
    """Median latency at a fixed number of requests in flight moves as 1 / throughput (Little's law)."""
    return gain("latency_p50_ratio", (1 - slack) / ratio.p90, 1 / ratio.p50, (1 + slack) / ratio.p10)


def memory(before_bytes: float, after_bytes: float, uncertainty: float = 0.12) -> Gain:
    """Resident memory after / before. Resident sizes count shared pages once per process, hence the uncertainty. Raises
    ValueError where nothing would be left: then what is freed does not belong to what is counted."""
    ratio = after_bytes / before_bytes
    if ratio <= 0:
        raise ValueError(f"{after_bytes:.0f} of {before_bytes:.0f} bytes would be left")
    return gain("memory_ratio", ratio * (1 - uncertainty), ratio, ratio * (1 + uncertainty))
