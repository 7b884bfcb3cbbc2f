"""How near does a service come to the limit of what is its own, its workers' time and its cores, and is that a habit?

Time for which its workers wait for a CPU that somebody else uses is not work of its own: where neighbours take the cores, it
is not the service that is at its limit.
"""

from collections.abc import Sequence

import msgspec

from advisor.trend import Stretches
from advisor.view import quantile

FIELDS = ("demand", "cores_used", "waiting_cores", "others_cores", "pool_cores", "workers")


class Near(msgspec.Struct, frozen=True, kw_only=True):
    """`middle`, `p95`: of the share that was used of what there is, over the slices (ratios 0..1). `minutes`: from the first
    slice in which it was above the limit to the last."""

    middle: float
    p95: float
    minutes: float


def own_use(slices: Stretches, limit: float) -> Near | None:
    """Over the slices of the present configuration; None of none."""
    return slices.once(("own use", limit), lambda: _own(slices, limit))


def rate_use(slices: Stretches, most: float, limit: float) -> Near | None:
    """The same of the requests per second that a load test found to be the most."""
    seen = slices.points("requests_per_second", slices.present_since())
    return _near([(end, rate / most) for end, rate in seen], limit)


def _own(slices: Stretches, limit: float) -> Near | None:
    shares = slices.each("own share", FIELDS, _share, slices.present_since())
    ends = slices.ends[len(slices) - len(shares) :]
    return _near([(end, share) for end, share in zip(ends, shares, strict=True) if share is not None], limit)


def _share(
    busy: float | None, used: float | None, waiting: float | None, others: float | None, pool: float | None,
    workers: float | None,
) -> float | None:  # fmt: skip
    """Of one slice: the larger of its workers' and its cores' share. With neighbours, a worker that waits for a CPU is one
    of theirs."""
    if busy is None or not workers:
        return None
    used, waiting = used or 0.0, waiting or 0.0
    wants = used + waiting
    gave = min(waiting, others or 0.0)  # as much as others use it could have used instead
    ran = (wants - gave) / wants if wants > 0 else 1.0
    return min(1.0, max(busy / workers * ran, used / pool if pool else 0.0))


def _near(shares: Sequence[tuple[float, float]], limit: float) -> Near | None:
    """Of (end, share), oldest first."""
    values = [share for _, share in shares]
    middle, p95 = quantile(values, 0.5), quantile(values, 0.95)
    if middle is None or p95 is None:
        return None
    above = [end for end, share in shares if share > limit]
    return Near(middle=middle, p95=min(1.0, p95), minutes=(above[-1] - above[0]) / 60 if above else 0.0)
