"""What can a service do, with one worker and with all it has, and how near to that is it?

What one worker can do is told by the service-demand law. What all of them can do together is what was measured where it was,
in a load test or while all were busy; else what the law of scalability says of the loads that were seen; else as many times
what one can do, as far as the cores go.
"""

from collections.abc import Sequence

import msgspec

from advisor.busy_shares import NEWEST, busy_shares, day_busy_p95
from advisor.facts import ServiceFacts
from advisor.past import of_present
from advisor.plateau import plateau_of
from advisor.rate import Rate, shown
from advisor.service_demand import Demand, by_law, demand_of, effective_cores, neighbours, one_worker
from advisor.soundness import Doubt, doubt_of
from advisor.trend import Stretches
from advisor.usl import fit, levels_of, mean
from advisor.view import View, quantile

LOAD_LEVELS = 4
LEVEL_STEP = 1.25
MISFIT = 0.1
SEEN_SHARE = 0.5
"""A fit is not followed beyond twice the throughput that was seen."""


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """None = not known: without a page of its server rates are not, and of requests that wait for something else than a CPU
    their share of a worker is not. Utilisation and headroom are ratios 0..1."""

    workers: int
    busy_workers: float | None
    """Mean over the last 15 s."""
    one_worker_per_second: Rate | None
    n_workers_per_second: Rate | None
    most_busy_workers: float | None
    """How many can be busy at once: all, or as many as the cores that are left can run."""
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


def capacity_of(view: View, facts: ServiceFacts) -> Capacity | None:
    """None where nothing was seen of the service yet."""
    if not view.serving or not view.cores:
        return None
    doubt, law = doubt_of(view), demand_of(view)
    one = one_worker(view, law, doubt)
    whole = _all_workers(view, facts, law, one, doubt)
    now, peak = _utilisations(view, law, whole)
    steal = sum(core.steal for core in view.cores if core.cpu in view.pool)
    return Capacity(
        workers=len(view.serving),
        busy_workers=_busy_now(view),
        one_worker_per_second=one,
        n_workers_per_second=whole,
        most_busy_workers=None if law is None else law.most,
        utilisation_now=now,
        utilisation_at_peak=peak,
        headroom_now=None if now is None else 1 - now,
        headroom_at_peak=None if peak is None else 1 - peak,
        effective_cores=effective_cores(view),
        quota_takes_cores=max(0.0, len(view.pool) - view.pool_cores),
        steal_takes_cores=steal,
        neighbours_take_cores=neighbours(view),
        doubt=None if doubt is None else doubt.because,
    )


def _all_workers(
    view: View, facts: ServiceFacts, law: Demand | None, one: Rate | None, doubt: Doubt | None
) -> Rate | None:
    test = tested(view, facts)
    if test is not None and test.bound == "measured":
        return test
    found = plateau(view, doubt) or _by_loads(view, law, one, doubt) or by_law(law, one)
    if test is not None and (found is None or test.per_second > found.per_second):
        return test
    return found


def tested(view: View, facts: ServiceFacts) -> Rate | None:
    """A load test's knee, which holds for the present configuration only: others are not handed on."""
    known = facts.measured
    if known is None or known.workers not in (None, len(view.serving)):
        return None
    knee = known.knee_per_second
    return Rate(per_second=knee, low=knee, high=known.upper_per_second or knee, bound=known.bound,
                told_by=f"a load test at {known.at}")  # fmt: skip


def plateau(view: View, doubt: Doubt | None) -> Rate | None:
    """What it answered while it could do no more."""
    found = plateau_of(view)
    if found is None:
        return None
    low, likely, high = found
    told = f"it answered {shown(low)} to {shown(high)} requests/s while all that it can use was busy"
    return Rate(
        per_second=likely, low=low, high=high, bound="measured" if doubt is None else "lower bound", told_by=told
    )


def _by_loads(view: View, law: Demand | None, one: Rate | None, doubt: Doubt | None) -> Rate | None:
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
        most = min(most, one.high * law.most)
    most = max(seen, most)
    told = f"law of scalability through {len(means)} loads, up to {shown(seen)} requests/s"
    spread = max(found.misfit, 0.02) * most
    return Rate(per_second=most, low=max(seen * (1 - found.misfit), most - spread), high=most + spread,
                bound="estimate" if doubt is None else "lower bound", told_by=told)  # fmt: skip


def _busy_now(view: View) -> float | None:
    slices = view.trend.slices
    newest = slices.present("demand")[-NEWEST:]
    return _mean(newest) if newest else None


def _utilisations(view: View, law: Demand | None, whole: Rate | None) -> tuple[float | None, float | None]:
    """Now and at peak: of the rate that was measured, else of the workers that could be busy."""
    slices, minutes, workers = view.trend.slices, view.trend.minutes, len(view.serving)
    if whole is not None and (whole.bound == "measured" or (law is not None and law.cores_each == 0.0)):
        rates = slices.present("requests_per_second")
        known = [
            slices.once("rate p95", lambda: quantile(rates, 0.95)),
            minutes.once(("rate p95", workers), lambda: _rate_p95(minutes, workers)),
        ]
        seen = [min(1.0, rate / whole.per_second) for rate in known if rate is not None]
        return (min(1.0, _mean(rates[-NEWEST:]) / whole.per_second) if rates else None), max(seen, default=None)
    shares = busy_shares(slices) if law is not None and law.cores_each > 0 else None
    if shares is None:
        return None, None
    return shares.now, max(shares.p95, day_busy_p95(minutes, workers) or 0.0)


def _rate_p95(minutes: Stretches, workers: int) -> float | None:
    rows = of_present(minutes, workers, "requests_per_second")
    return quantile([rate for (rate,) in rows if rate is not None], 0.95)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
