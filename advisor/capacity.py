"""What can a service do, with one worker and with all it has, and how near to that is it?

The service-demand law gives the one-worker maximum without a test: X1 = answered per second / busy workers (P. Denning and
J. Buzen, "The Operational Analysis of Queueing Network Models", 1978). What all workers can do together is what was measured
where it was: in a load test, or while all were busy; else what the law of scalability says of the loads that were seen; else
X1 times the workers, as far as the cores go.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from advisor.facts import ServiceFacts
from advisor.plateau import plateau_of
from advisor.soundness import Doubt, doubt_of, windows
from advisor.trend import Stretches
from advisor.usl import fit, levels_of, mean
from advisor.view import View, quantile

Bound = Literal["measured", "estimate", "lower bound"]

SCALING = (0.7, 0.82, 0.95)
"""What n workers do of n times one, where nothing was seen of it: low, likely, high."""
LEAST_BUSY = 0.05
"""Busy workers below which nothing is told from them."""
NOW_SLICES = 3
LEAST_SLICES = 6
LOAD_LEVELS = 4
LEVEL_STEP = 1.25
MISFIT = 0.1
SEEN_SHARE = 0.5
"""A fit is not followed beyond twice the throughput that was seen."""
OCCUPIED_FACTOR = 1.5
"""So many times more requests in progress than busy workers, and half a one at least, wait for something else than a CPU."""
ALL_BUSY = 0.8
"""Share of the workers from which requests beyond them just wait for a worker."""


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """Requests per second: the likely value within what the evidence leaves open. `told_by` is the method in words."""

    per_second: float
    low: float
    high: float
    bound: Bound
    told_by: str


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """None = not known: without a page of its server rates are not, and of requests that wait for something else than a CPU
    their share of a worker is not. Utilisation and headroom are ratios 0..1."""

    workers: int
    busy_workers: float | None
    """Mean over the last 15 s."""
    one_worker_per_second: Rate | None
    n_workers_per_second: Rate | None
    utilisation_now: float | None
    utilisation_at_peak: float | None
    """95 % point of slices of five seconds in the last 20 minutes, or of the day's minutes if that is more."""
    headroom_now: float | None
    headroom_at_peak: float | None
    effective_cores: float | None
    """Cores of its pool that are left for it; the next three: what of the pool is not, and why."""
    quota_takes_cores: float | None
    steal_takes_cores: float | None
    neighbours_take_cores: float | None
    doubt: str | None = None
    """Why rates are lower bounds, where they are."""


class _Demand(msgspec.Struct, frozen=True, kw_only=True):
    """What the present configuration's slices say: busy workers, and how many can be busy at once."""

    busy: float
    most: float
    per_second: float | None
    cores_each: float
    """That a busy worker uses."""


def capacity_of(view: View, facts: ServiceFacts) -> Capacity | None:
    """None where nothing was seen of the service yet."""
    if not view.serving or not view.cores:
        return None
    doubt, law = doubt_of(view), _demand(view)
    one = _one_worker(view, law, doubt)
    whole = _all_workers(view, facts, law, one, doubt)
    now, peak = _utilisations(view, law, whole)
    steal = sum(core.steal for core in view.cores if core.cpu in view.pool)
    return Capacity(
        workers=len(view.serving),
        busy_workers=_busy_now(view),
        one_worker_per_second=one,
        n_workers_per_second=whole,
        utilisation_now=now,
        utilisation_at_peak=peak,
        headroom_now=None if now is None else 1 - now,
        headroom_at_peak=None if peak is None else 1 - peak,
        effective_cores=effective_cores(view),
        quota_takes_cores=max(0.0, len(view.pool) - view.pool_cores),
        steal_takes_cores=steal,
        neighbours_take_cores=view.others(view.pool),
        doubt=None if doubt is None else doubt.because,
    )


def effective_cores(view: View) -> float:
    """C_eff less what the hypervisor gave to others, at least a tenth of a core."""
    steal = sum(core.steal for core in view.cores if core.cpu in view.pool)
    return max(0.1, min(view.pool_cores, len(view.pool) - view.others(view.pool) - steal))


def most_busy(view: View, cores_each: float) -> float:
    """How many workers can be busy at once: all, or as many as the cores that are left can run."""
    workers = float(len(view.serving))
    return min(workers, effective_cores(view) / cores_each) if cores_each > 0 else workers


def present(view: View) -> tuple[Stretches, float]:
    """The slices, and since when they are of the present configuration."""
    return view.trend.slices, view.trend.slices.present_since()


def _demand(view: View) -> _Demand | None:
    """None where too little was seen, or busy workers do not tell the load: on a GPU, and where requests wait elsewhere."""
    slices, since = present(view)
    seen = slices.table("demand", "cores_used", "requests_per_second", "latency_seconds", since=since)
    rows = [(busy, used or 0.0, rate, latency) for busy, used, rate, latency in seen if busy and busy >= LEAST_BUSY]
    if len(rows) < LEAST_SLICES or view.gpus:
        return None
    busy = sum(row[0] for row in rows) / len(rows)
    each = sum(row[1] for row in rows) / len(rows) / busy
    rated = [(demand, rate, latency) for demand, _, rate, latency in rows if rate is not None]
    if len(rated) < LEAST_SLICES:
        return _Demand(busy=busy, most=most_busy(view, each), per_second=None, cores_each=each)
    inside = [rate * latency for _, rate, latency in rated if latency is not None]
    demand, rate = sum(one[0] for one in rated) / len(rated), sum(one[1] for one in rated) / len(rated)
    held = sum(inside) / len(inside) - (view.server_queue or 0.0) if inside else demand
    workers = len(view.serving)
    if demand < ALL_BUSY * workers and held > max(demand + 0.5, OCCUPIED_FACTOR * demand):
        if any(w.request_threads != 1 for w in view.service.serving) or view.service.calls == "asynchronous":
            return None
        demand = min(float(workers), held)  # each of its requests holds a worker, whatever it waits for
        each = 0.0
    return _Demand(busy=demand, most=most_busy(view, each), per_second=rate, cores_each=each)


def _one_worker(view: View, law: _Demand | None, doubt: Doubt | None) -> Rate | None:
    if law is None or law.per_second is None:
        return None
    likely = law.per_second / law.busy
    several = [len(w.active_compute) for w in view.serving if w.active_compute]
    pools = sum(several) / len(several) > 1.3 if several else False
    seen = windows(view) or (likely,)
    low, high = min(likely, *seen), max(likely, *seen)
    told = f"{law.per_second:.3g} requests/s keep {law.busy:.2f} workers busy (service-demand law)"
    if pools:
        told += "; a worker counts as busy while any thread of its pool is"
    lower = doubt is not None or pools
    value = low if doubt is not None and doubt.kind == "unstable" else likely
    return Rate(per_second=value, low=low, high=high, bound="lower bound" if lower else "estimate", told_by=told)


def _all_workers(
    view: View, facts: ServiceFacts, law: _Demand | None, one: Rate | None, doubt: Doubt | None
) -> Rate | None:
    tested = _tested(view, facts)
    if tested is not None and tested.bound == "measured":
        return tested
    found = plateau(view, doubt) or _by_loads(view, law, one, doubt) or _by_law(law, one)
    if tested is not None and (found is None or tested.per_second > found.per_second):
        return tested
    return found


def _tested(view: View, facts: ServiceFacts) -> Rate | None:
    """A load test's knee, which holds for the present configuration only: others are not handed on."""
    known = facts.measured
    if known is None or known.workers not in (None, len(view.serving)):
        return None
    knee = known.knee_per_second
    return Rate(per_second=knee, low=knee, high=known.upper_per_second or knee, bound=known.bound,
                told_by=f"a load test at {known.at}")  # fmt: skip


def plateau(view: View, doubt: Doubt | None) -> Rate | None:
    """What it answered while it could do no more."""
    found = plateau_of(view, effective_cores(view))
    if found is None:
        return None
    low, likely, high = found
    told = f"it answered {low:.3g} to {high:.3g} requests/s while all that it can use was busy"
    return Rate(
        per_second=likely, low=low, high=high, bound="measured" if doubt is None else "lower bound", told_by=told
    )


def _by_loads(view: View, law: _Demand | None, one: Rate | None, doubt: Doubt | None) -> Rate | None:
    """The peak, or the limit, of the law of scalability through the loads that the server reported."""
    levels = levels_of([(load.in_progress, load.per_second) for load in view.loads], LEVEL_STEP)
    means = [mean(level) for level in levels]
    found = fit(means) if len(means) >= LOAD_LEVELS else None
    if found is None or found.misfit > MISFIT:
        return None
    most = found.throughput(found.peak) if found.peak is not None else None
    if most is None and found.alpha > 0:
        most = found.gamma / found.alpha
    seen = max(x for _, x in means)
    if most is None or seen < SEEN_SHARE * most:
        return None
    if law is not None and one is not None:
        most = max(seen, min(most, one.high * law.most))
    told = f"law of scalability through {len(means)} loads, up to {seen:.3g} requests/s"
    spread = max(found.misfit, 0.02) * most
    return Rate(per_second=most, low=max(seen * (1 - found.misfit), most - spread), high=most + spread,
                bound="estimate" if doubt is None else "lower bound", told_by=told)  # fmt: skip


def _by_law(law: _Demand | None, one: Rate | None) -> Rate | None:
    if law is None or one is None:
        return None
    low, likely, high = SCALING if law.most > 1 else (1.0, 1.0, 1.0)
    told = f"{law.most:.3g} workers can be busy at once, each at {one.per_second:.3g} requests/s"
    seen = law.per_second or 0.0
    values = [
        max(seen, rate * law.most * part) for rate, part in ((one.low, low), (one.per_second, likely), (one.high, high))
    ]
    return Rate(per_second=values[1], low=values[0], high=values[2], bound=one.bound, told_by=told)


def _busy_now(view: View) -> float | None:
    slices, since = present(view)
    return _mean(slices.values("demand", since)[-NOW_SLICES:])


def _utilisations(view: View, law: _Demand | None, whole: Rate | None) -> tuple[float | None, float | None]:
    """Now and at peak: of the rate that was measured, else of the workers that can be busy."""
    slices, since = present(view)
    if whole is not None and (whole.bound == "measured" or (law is not None and law.cores_each == 0.0)):
        field, most = "requests_per_second", whole.per_second
    elif law is not None and law.cores_each > 0:
        field, most = "demand", law.most
    else:
        return None, None
    now = _mean(slices.values(field, since)[-NOW_SLICES:])
    peaks = [quantile(slices.values(field, since), 0.95), quantile(_minutes(view, field), 0.95)]
    known = [value for value in peaks if value is not None]
    return (None if now is None else min(1.0, now / most)), (min(1.0, max(known) / most) if known else None)


def _minutes(view: View, field: str) -> list[float]:
    """Of the present configuration, or of an earlier run of the agent with as many workers."""
    minutes, workers = view.trend.minutes, float(len(view.serving))
    since = minutes.present_since()
    if since and any(generation >= 0 for generation in minutes.values("generation", 0.0, since - 0.002)):
        return minutes.values(field, since)
    return [value for count, value in minutes.table("workers", field) if count == workers and value is not None]


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
