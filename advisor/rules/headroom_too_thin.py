"""Is a service so near to the most it can do that a little more load makes requests wait?"""

from math import ceil

import msgspec

from advisor.capacity import Capacity, capacity_of, tested
from advisor.contention import copies_that_fit
from advisor.copies import memory_with
from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Evidence, Gain, Metric, Rejected
from advisor.intervals import gain
from advisor.own_use import Near, own_use, rate_use
from advisor.queueing import enough, wait_of_many, wait_of_one
from advisor.rate import shown
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.service_demand import demand_of, effective_cores, pooled
from advisor.trend import SLICE_SECONDS, Stretches
from advisor.view import View, quantile
from advisor.workers import change_to, count_told, processes_after

TARGET = 0.85
"""Share of the saturated throughput at which a service is run: below it latency hardly depends on load."""


class HeadroomTooThin(Rule):
    """The service runs at more than nine tenths of what it can do, not for a moment but again and again.

    What it looks for: the 95 % point, over the slices of five seconds of at least three minutes, of its own workers' time or
    of its own cores, or of the rate that a load test found; and slices so near to the limit at least three minutes apart.
    Requests that wait make it more than worth knowing.
    Why it matters: the wait for a free worker grows without bound as utilisation nears one. At 95 % a request waits for up
    to 19 times as long as it takes, at 85 % for up to 6, and every burst is felt.
    What to do: more workers where cores and memory are left, else so many replicas that the peak is 85 % of what they do
    together.
    When it is wrong: for batch work, which is meant to keep everything busy, and for clients in a closed loop, of which
    the demand does not show (`evidence-invalid`). What holds the service back and can be mended goes first. Cores that
    neighbours use do not count: not the service is what fills the node then (`cpu-noisy-neighbour`).
    """

    proven = ("built",)
    of_trend = True
    recovers = "latency"
    yields_to = (
        "evidence-invalid",
        "workers-below-cores-saturated",
        "workers-exceed-cores",
        "cgroup-cpu-throttled",
        "thread-default-ignores-quota",
        "cpu-oversubscribed-openmp",
        "cpu-noisy-neighbour",
        "openmp-spin-wait",
        "affinity-too-narrow",
        "affinity-overlapping-pins",
        "thread-pins-collide",
        "accept-imbalance",
        "gil-bound-worker",
        "gil-convoy",
        "event-loop-blocked",
        "io-bound-workers",
        "scaling-knee-passed",
        "context-switch-storm",
        "serialisation-heavy",
        "preprocess-heavy",
        "ipc-dominates-light-model",
        "small-batches",
        "memory-pressure",
        "swap-or-major-faults",
        "memory-bandwidth-bound",
        "cpu-power-or-thermal-capped",
        "affinity-cross-numa",
        "smt-sibling-sharing",
    )
    thresholds = {
        "utilisation": Threshold(enter=0.9, leave=0.85, unit="ratio", doc="95 % point of slices of five seconds, above"),
        "minutes": Threshold(
            enter=3.0, unit="minutes", doc="seen of the present configuration, and from the first slice that near to the last"
        ),
        "waiting_requests": Threshold(
            enter=1.0, unit="requests", doc="95 % point of those that wait: without them it is no more than worth knowing"
        ),
    }  # fmt: skip

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        slices, limit = view.trend.slices, settings.limit("utilisation")
        minutes = len(slices.present("demand")) * SLICE_SECONDS / 60
        if minutes < settings.limit("minutes"):
            return None
        near = _near(view, facts, limit)
        if near is None or near.p95 <= limit or near.minutes < settings.limit("minutes"):
            return None
        known, held = capacity_of(view, facts), quantile(slices.present("demand"), 0.95)
        if known is None or held is None:
            return None
        waits = slices.once("waiting", lambda: _waiting(slices))
        waiting = waits[1] if waits else None
        saturated = waiting is not None and waiting >= settings.limit("waiting_requests")
        if pooled(view) and not saturated:
            return None  # its workers are busy for less than they count as
        peak, left = near.p95, effective_cores(view)
        change = self._change(view, facts, held, left)
        if change is None and self._change(view, facts, held, view.pool_cores) is not None:
            return None  # there would be room for more workers, but for the neighbours
        always = (
            change is not None and near.middle > limit
        )  # then `workers-below-cores-saturated` knows whether they help
        replicas = enough(peak, TARGET)
        title = f"at peak {peak:.0%} of what it can do is used: "
        title += f"run {count_told(facts, change, 'workers')}" if change else f"run {replicas} replicas of it"
        return Conclusion(
            subject=subject_of(view),
            title=title,
            summary=self._summary(view, known, peak, waiting, change),
            confidence=_confidence(known, minutes),
            evidence=(
                _over(view, minutes, "utilisation_p95", "ratio", peak, settings.enter("utilisation")),
                _over(view, minutes, "near_limit_minutes", "minutes", near.minutes, settings.enter("minutes")),
                *_waits(view, minutes, waiting, settings),
                *_rates(view, known),
                evidence(view, "effective_cores", "cores", known.effective_cores or 0.0),
                evidence(view, "replicas_for_peak", "replicas", replicas),
                *asked(view),
            ),
            rejected=(
                Rejected("evidence-invalid", "neither a closed loop of clients nor requests that change were seen"),
                Rejected("cpu-noisy-neighbour", f"others use {known.neighbours_take_cores or 0.0:.2f} cores of its pool"),
                Rejected("workers-below-cores-saturated", f"{view.cores_used:.2f} of {left:.2f} cores are used"),
            ),
            changes=(change,) if change else (),
            gains=self._gains(view, waits, held, replicas, change) if saturated and waits and held and not always else (),
        )  # fmt: skip

    @staticmethod
    def _change(view: View, facts: ServiceFacts, held: float, left: float) -> Change | None:
        """More workers, where of `left` cores and of the memory enough is left for them: as many as the busy ones need at
        most 85 % of."""
        count = len(view.serving)
        each = view.cores_used / max(0.1, sum(view.demand) / len(view.demand)) if view.demand else 1.0
        cores = int(left / max(0.1, each) + 0.1)
        wanted = min(max(count + 1, ceil(held / TARGET)), cores, count + copies_that_fit(view))
        return change_to(view, facts, wanted) if wanted > count else None

    @staticmethod
    def _summary(view: View, known: Capacity, peak: float, waiting: float | None, change: Change | None) -> str:
        queue = (
            "Whether requests wait is not readable here." if waiting is None else f"Then {waiting:.1f} requests wait."
        )
        rate = known.n_workers_per_second
        most = "" if rate is None else f" It can do {shown(rate.per_second)} requests/s ({rate.bound}: {rate.told_by})."
        cores = f"{view.cores_used:.2f} of {effective_cores(view):.2f} cores that it could have are used."
        where = "" if change else " There is no room for more workers on this node."
        return f"In one of twenty slices of five seconds it is at {peak:.0%} or more. {queue}{most} {cores}{where}"

    @staticmethod
    def _gains(
        view: View, waits: tuple[float, float], held: float, replicas: int, change: Change | None
    ) -> tuple[Gain, ...]:
        """What waits now for each request that is worked on is the wait in service times (Little's law); what is left of it
        is nothing at best, by Erlang's formula likely, and by that for a single server at worst."""
        servers = processes_after(view, change) if change else len(view.serving)
        after = held if change else held / replicas
        middle, tail = (wait / held for wait in waits)
        many, one = wait_of_many(servers, after), wait_of_one(after / servers)

        def ratio(metric: Metric, before: float) -> Gain:
            found = sorted(min(1.0, (1 + left) / (1 + before)) for left in (0.0, many, one))
            return gain(metric, *found)

        gains = (ratio("latency_p99_ratio", tail), ratio("latency_p50_ratio", middle))
        if change:
            held_bytes = memory_with(view, servers)
            return (*gains, held_bytes) if held_bytes else gains
        return (*gains, gain("cost_ratio", float(replicas), float(replicas), float(replicas)))


def _near(view: View, facts: ServiceFacts, limit: float) -> Near | None:
    """Of the rate that a load test found; else of its own workers and cores, where requests do not wait for something else."""
    slices, test = view.trend.slices, tested(view, facts)
    if test is not None and test.bound == "measured":
        return rate_use(slices, test.per_second, limit)
    found = None if view.gpus else own_use(slices, limit)
    if found is None or found.p95 <= limit:
        return None
    law = demand_of(view)
    return found if law is not None and law.cores_each > 0 else None


def _waiting(slices: Stretches) -> tuple[float, float] | None:
    """Median and 95 % point of requests that wait to be accepted, or beyond the busy workers inside the server; None if
    neither is known."""
    fields = ("accept_queue_peak", "requests_per_second", "latency_seconds", "demand")
    waits = slices.each("waits", fields, _waits_in, slices.present_since())
    found = [each for each in waits if each is not None]
    middle, tail = quantile(found, 0.5), quantile(found, 0.95)
    return None if middle is None or tail is None else (middle, tail)


def _waits_in(queue: float | None, rate: float | None, latency: float | None, busy: float | None) -> float | None:
    inside = None if rate is None or latency is None else max(0.0, rate * latency - (busy or 0.0))
    known = [value for value in (queue, inside) if value is not None]
    return max(known, default=None)


def _confidence(known: Capacity, minutes: float) -> float:
    """A guess of what it can do is worth less than a measurement; a quarter of an hour more than three minutes."""
    measured = known.n_workers_per_second is not None and known.n_workers_per_second.bound == "measured"
    return round((0.75 if measured else 0.5) * (0.6 + 0.4 * min(1.0, minutes / 15)), 3)


def _over(view: View, minutes: float, metric: str, unit: str, value: float, limit: float) -> Evidence:
    found = evidence(view, metric, unit, value, limit)
    return msgspec.structs.replace(
        found, window_seconds=round(minutes * 60, 1), samples=round(minutes * 60 / SLICE_SECONDS)
    )


def _waits(view: View, minutes: float, waiting: float | None, settings: Settings) -> tuple[Evidence, ...]:
    if waiting is None:
        return ()
    return (_over(view, minutes, "waiting_requests_p95", "requests", waiting, settings.enter("waiting_requests")),)


def _rates(view: View, known: Capacity) -> tuple[Evidence, ...]:
    one, whole = known.one_worker_per_second, known.n_workers_per_second
    told = (("one_worker_per_second", one), ("n_workers_per_second", whole))
    return tuple(evidence(view, name, "1/s", rate.per_second) for name, rate in told if rate is not None)
