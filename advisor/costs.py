"""What do a thousand requests of a service, or a million tokens, cost?

The service is counted for the part of the node that it uses: its share of all cores that are used, so that what idles is
paid by those that use the node, in proportion. A service alone on a node pays for all of it.
"""

from advisor.capacity import Capacity
from advisor.prices import CostOf, NodePrice
from advisor.trend import Stretches
from advisor.view import View

AT_CAPACITY = 0.85
"""Share of the saturated throughput that a service is run at, as latency rises steeply beyond it."""
SLICES = 12
"""A minute of slices: what it costs now."""
LEAST_CORES = 0.02
"""Cores used, by the service, below which its share of the node is not known."""


def share_of(used: float | None, others: float | None) -> float | None:
    """Part of the cores used on the node that the service uses."""
    if used is None or others is None or used < LEAST_CORES:
        return None
    return used / (used + others)


def cost_of(view: View, price: NodePrice | None, capacity: Capacity | None) -> CostOf | None:
    """Over the last minute. None without a price, and where the service does not work."""
    slices = view.trend.slices
    if price is None or not len(slices):
        return None
    used, others, rate, tokens = slices.once("costs", lambda: _newest_means(slices))
    share = share_of(used, others)
    if share is None or used is None or others is None:
        return None
    most = capacity.n_workers_per_second if capacity is not None else None
    full = None
    if most is not None and rate:
        growth = AT_CAPACITY * most.per_second / rate
        full = price.hourly * used * growth / (used * growth + others) / (3.6 * AT_CAPACITY * most.per_second)
    return CostOf(
        currency=price.currency,
        per_1000_requests=price.hourly * share / (3.6 * rate) if rate else None,
        per_1000_requests_at_capacity=full,
        per_million_tokens=price.hourly * share / (3600 * tokens) * 1e6 if tokens else None,
        share=share,
    )


def _newest_means(slices: Stretches) -> tuple[float | None, ...]:
    rows = slices.table("cores_used", "others_cores", "requests_per_second", "tokens_out_per_second")[-SLICES:]
    return tuple(_mean([row[part] for row in rows]) for part in range(4))


def _mean(values: list[float | None]) -> float | None:
    """Of what is known."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
