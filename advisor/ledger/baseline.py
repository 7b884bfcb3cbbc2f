"""What would constants of a table have promised? Only to score the advisor against: never shown as an estimate.

A rule's constants are what is published of such changes in general (PyTorch's and oneDNN's tuning guides, Triton's and
MLServer's documentation, measurements on a small server), whatever the service.
"""

from math import sqrt

from advisor.finding import Gain, Metric

_BY_METRIC: dict[Metric, tuple[float, float]] = {
    "throughput_ratio": (1.0, 2.0),
    "latency_p50_ratio": (0.5, 1.0),
    "latency_p99_ratio": (0.4, 1.0),
    "memory_ratio": (0.5, 1.0),
    "cost_ratio": (0.5, 1.0),
}
"""Of a rule without constants of its own: it helps up to a factor of two."""
_CONSTANTS: dict[tuple[str, Metric], tuple[float, float]] = {
    ("cpu-oversubscribed-openmp", "throughput_ratio"): (1.3, 10.0),
    ("cpu-oversubscribed-openmp", "latency_p50_ratio"): (0.1, 0.77),
    ("cpu-oversubscribed-openmp", "latency_p99_ratio"): (0.1, 0.77),
    ("workers-exceed-cores", "throughput_ratio"): (1.0, 1.1),
    ("workers-exceed-cores", "latency_p99_ratio"): (0.5, 0.8),
    ("workers-below-cores-saturated", "throughput_ratio"): (1.4, 1.9),
    ("affinity-overlapping-pins", "throughput_ratio"): (1.0, 2.0),
    ("affinity-too-narrow", "throughput_ratio"): (1.0, 2.0),
    ("smt-sibling-sharing", "throughput_ratio"): (1.0, 1.39),
    ("cgroup-cpu-throttled", "throughput_ratio"): (1.0, 1.5),
    ("gil-bound-worker", "throughput_ratio"): (1.5, 2.0),
    ("io-bound-workers", "throughput_ratio"): (1.5, 3.0),
    ("below-one-worker-max", "throughput_ratio"): (1.0, 1.0),
    ("accept-imbalance", "throughput_ratio"): (1.0, 2.0),
    ("gpu-small-batches", "throughput_ratio"): (1.0, 3.7),
    ("small-batches", "throughput_ratio"): (1.0, 7.6),
    ("event-loop-blocked", "latency_p99_ratio"): (0.1, 0.9),
    ("runtime-format-candidate", "throughput_ratio"): (1.0, 2.0),
}


def constant(rule: str, metric: Metric) -> Gain:
    """The table's interval; its middle is the geometric mean of its ends."""
    low, high = _CONSTANTS.get((rule, metric), _BY_METRIC[metric])
    return Gain(metric=metric, p10=low, p50=sqrt(low * high), p90=high)
