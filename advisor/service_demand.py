"""How busy do requests keep the workers, and what does that make of one of them?

The service-demand law gives the one-worker maximum without a test: X1 = answered per second / busy workers (P. Denning and
J. Buzen, "The Operational Analysis of Queueing Network Models", 1978).
"""

import msgspec

from advisor.busy_shares import LEAST_CORES, NEWEST
from advisor.rate import Rate, shown
from advisor.soundness import Doubt, windows
from advisor.trend import Stretches
from advisor.view import View

SCALING = (0.7, 0.82, 0.95)
"""What n workers do of n times one, where nothing was seen of it: low, likely, high."""
LEAST_BUSY = 0.05
"""Busy workers below which nothing is told from them."""
LEAST_SLICES = 6
OCCUPIED_FACTOR = 1.5
"""So many times more requests in progress than busy workers, and half a one at least, wait for something else than a CPU."""
ALL_BUSY = 0.8
"""Share of the workers from which requests beyond them just wait for a worker."""
POOLED = 1.3
"""Active compute threads of a worker from which it has a pool, any thread of which makes it count as busy."""


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """What the present configuration's slices say: busy workers, and how many can be busy at once."""

    busy: float
    most: float
    per_second: float | None
    cores_each: float
    """That a busy worker uses."""


def neighbours(view: View) -> float:
    """Cores of the pool that others use: in the loaded seconds, else, as the node's, in the last slices."""
    if view.samples:
        return view.others(view.pool)
    seen = view.trend.slices.table("others_cores")[-NEWEST:]
    known = [others for (others,) in seen if others is not None]
    return min(float(len(view.pool)), sum(known) / len(known)) if known else 0.0


def effective_cores(view: View) -> float:
    """C_eff less what the hypervisor gave to others, at least a tenth of a core."""
    steal = sum(core.steal for core in view.cores if core.cpu in view.pool)
    return max(LEAST_CORES, min(view.pool_cores, len(view.pool) - neighbours(view) - steal))


def most_busy(view: View, cores_each: float) -> float:
    """How many workers can be busy at once: all, or as many as the cores that are left can run."""
    workers = float(len(view.serving))
    return min(workers, effective_cores(view) / cores_each) if cores_each > 0 else workers


def pooled(view: View) -> bool:
    """Whether workers compute with several threads each: then the busy share of a worker is at most what it counts as."""
    several = [len(w.active_compute) for w in view.serving if w.active_compute]
    return bool(several) and sum(several) / len(several) > POOLED


class _Sums(msgspec.Struct, frozen=True, kw_only=True):
    """Means over the slices in which it worked; of those with a rate, `rated_busy`, `rate` and `inside` (requests)."""

    busy: float
    cores_each: float
    rated_busy: float | None = None
    rate: float | None = None
    inside: float | None = None


def demand_of(view: View) -> Demand | None:
    """None where too little was seen, or busy workers do not tell the load: on a GPU, and where requests wait elsewhere."""
    slices = view.trend.slices
    sums = None if view.gpus else slices.once("demand", lambda: _sums(slices))
    if sums is None:
        return None
    busy, each, rate = sums.busy, sums.cores_each, sums.rate
    if rate is None or sums.rated_busy is None:
        return Demand(busy=busy, most=most_busy(view, each), per_second=None, cores_each=each)
    busy, workers = sums.rated_busy, len(view.serving)
    held = busy if sums.inside is None else sums.inside - (view.server_queue or 0.0)
    if busy < ALL_BUSY * workers and held > max(busy + 0.5, OCCUPIED_FACTOR * busy):
        if any(w.request_threads != 1 for w in view.service.serving) or view.service.calls == "asynchronous":
            return None
        busy, each = min(float(workers), held), 0.0  # each of its requests holds a worker, whatever it waits for
    return Demand(busy=busy, most=most_busy(view, each), per_second=rate, cores_each=each)


def _sums(slices: Stretches) -> _Sums | None:
    fields = ("demand", "cores_used", "requests_per_second", "latency_seconds")
    seen = slices.table(*fields, since=slices.present_since())
    rows = [(busy, used or 0.0, rate, latency) for busy, used, rate, latency in seen if busy and busy >= LEAST_BUSY]
    if len(rows) < LEAST_SLICES:
        return None
    busy, used = sum(row[0] for row in rows), sum(row[1] for row in rows)
    whole = _Sums(busy=busy / len(rows), cores_each=used / busy)
    rated = [(demand, rate, latency) for demand, _, rate, latency in rows if rate is not None]
    if len(rated) < LEAST_SLICES or not any(rate for _, rate, _ in rated):
        return whole  # busy with something that its page does not count
    inside = [rate * latency for _, rate, latency in rated if latency is not None]
    return _Sums(
        busy=whole.busy,
        cores_each=whole.cores_each,
        rated_busy=sum(one[0] for one in rated) / len(rated),
        rate=sum(one[1] for one in rated) / len(rated),
        inside=sum(inside) / len(inside) if inside else None,
    )


def one_worker(view: View, law: Demand | None, doubt: Doubt | None) -> Rate | None:
    if law is None or law.per_second is None:
        return None
    likely = law.per_second / law.busy
    pools = pooled(view)
    seen = windows(view) or (likely,)
    low, high = min(likely, *seen), max(likely, *seen)
    told = f"{shown(law.per_second)} requests/s keep {law.busy:.2f} workers busy (service-demand law)"
    if pools:
        told += "; a worker counts as busy while any thread of its pool is"
    lower = doubt is not None or pools
    value = low if doubt is not None and doubt.kind == "unstable" else likely
    return Rate(per_second=value, low=low, high=high, bound="lower bound" if lower else "estimate", told_by=told)


def by_law(law: Demand | None, one: Rate | None) -> Rate | None:
    if law is None or one is None:
        return None
    low, likely, high = SCALING if law.most > 1 else (1.0, 1.0, 1.0)
    told = f"{law.most:.3g} workers can be busy at once, each at {shown(one.per_second)} requests/s"
    seen = law.per_second or 0.0
    values = [
        max(seen, rate * law.most * part) for rate, part in ((one.low, low), (one.per_second, likely), (one.high, high))
    ]
    return Rate(per_second=values[1], low=values[0], high=values[2], bound=one.bound, told_by=told)
