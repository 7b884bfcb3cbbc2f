"""How busy do requests keep the workers, and what does that make of one of them?

The service-demand law gives the one-worker maximum without a test: X1 = answered per second / busy workers (P. Denning and
J. Buzen, "The Operational Analysis of Queueing Network Models", 1978).
"""

import msgspec

from advisor.rate import Rate, shown
from advisor.soundness import Doubt, windows
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


def effective_cores(view: View) -> float:
    """C_eff less what the hypervisor gave to others, at least a tenth of a core."""
    steal = sum(core.steal for core in view.cores if core.cpu in view.pool)
    return max(0.1, min(view.pool_cores, len(view.pool) - view.others(view.pool) - steal))


def most_busy(view: View, cores_each: float) -> float:
    """How many workers can be busy at once: all, or as many as the cores that are left can run."""
    workers = float(len(view.serving))
    return min(workers, effective_cores(view) / cores_each) if cores_each > 0 else workers


def pooled(view: View) -> bool:
    """Whether workers compute with several threads each: then the busy share of a worker is at most what it counts as."""
    several = [len(w.active_compute) for w in view.serving if w.active_compute]
    return bool(several) and sum(several) / len(several) > POOLED


def demand_of(view: View) -> Demand | None:
    """None where too little was seen, or busy workers do not tell the load: on a GPU, and where requests wait elsewhere."""
    slices = view.trend.slices
    since = slices.present_since()
    seen = slices.table("demand", "cores_used", "requests_per_second", "latency_seconds", since=since)
    rows = [(busy, used or 0.0, rate, latency) for busy, used, rate, latency in seen if busy and busy >= LEAST_BUSY]
    if len(rows) < LEAST_SLICES or view.gpus:
        return None
    busy = sum(row[0] for row in rows) / len(rows)
    each = sum(row[1] for row in rows) / len(rows) / busy
    rated = [(demand, rate, latency) for demand, _, rate, latency in rows if rate is not None]
    if len(rated) < LEAST_SLICES:
        return Demand(busy=busy, most=most_busy(view, each), per_second=None, cores_each=each)
    inside = [rate * latency for _, rate, latency in rated if latency is not None]
    demand, rate = sum(one[0] for one in rated) / len(rated), sum(one[1] for one in rated) / len(rated)
    held = sum(inside) / len(inside) - (view.server_queue or 0.0) if inside else demand
    workers = len(view.serving)
    if demand < ALL_BUSY * workers and held > max(demand + 0.5, OCCUPIED_FACTOR * demand):
        if any(w.request_threads != 1 for w in view.service.serving) or view.service.calls == "asynchronous":
            return None
        demand = min(float(workers), held)  # each of its requests holds a worker, whatever it waits for
        each = 0.0
    return Demand(busy=demand, most=most_busy(view, each), per_second=rate, cores_each=each)


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
