"""Could one worker serve the whole load, so that more workers cannot help?"""

from advisor.facts import ServiceFacts
from advisor.finding import Conclusion, Rejected
from advisor.intervals import gain, throughput
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View, quantile


class BelowOneWorkerMax(Rule):
    """The load is below what one worker can serve: adding workers will neither raise throughput nor cut latency.

    What it looks for: the sum of the workers' busy fractions, second by second, at its 90 % point below 0.7 of one worker,
    with nobody waiting to be accepted.
    Why it matters: the usual reflex is to add workers; here it would cost memory and change nothing.
    What to do: nothing about workers. Look at the model, the payload and batching if latency is too high.
    When it is wrong: for bursts shorter than a second, and for workers that hold a request while they wait for another
    service, whose busy fraction the CPU does not show.
    """

    proven = ("live", "built")
    yields_to = (
        "cgroup-cpu-throttled",
        "cpu-noisy-neighbour",
        "cpu-oversubscribed-openmp",
        "affinity-too-narrow",
        "affinity-overlapping-pins",
        "thread-pins-collide",
        "workers-exceed-cores",
        "workers-below-cores-saturated",
        "io-bound-workers",
        "event-loop-blocked",
    )
    hold_seconds = 20.0
    thresholds = {
        "busy_workers": Threshold(enter=0.7, leave=0.85, unit="workers", doc="90 % point of busy workers per second"),
        "accept_queue": Threshold(
            enter=0.5, unit="connections", doc="90 % point of connections waiting to be accepted"
        ),
        "throttled_ratio": Threshold(enter=0.05, unit="ratio", doc="at most this share of periods throttled"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        count = len(view.serving)
        busy = quantile(view.demand, 0.9)
        if count < 2 or busy is None or busy > settings.limit("busy_workers"):
            return None
        queue = quantile(view.accept_queue, 0.9)
        if queue is not None and queue > settings.limit("accept_queue"):
            return None
        throttled = (view.cgroup.throttled_ratio if view.cgroup else None) or 0.0
        if throttled > settings.limit("throttled_ratio"):
            return None
        mean = sum(view.demand) / len(view.demand)
        return Conclusion(
            subject=subject_of(view),
            title=f"{busy:.2f} of {count} workers are busy: more workers will not help",
            summary=f"The workers together were busy {mean:.2f} of one worker on average and {busy:.2f} in the 90 % second. "
            "One worker could serve this load; adding workers raises neither throughput nor lowers latency.",
            confidence=0.8 if queue is not None else 0.6,
            evidence=(
                evidence(view, "busy_workers_p90", "workers", busy, settings.enter("busy_workers")),
                evidence(view, "busy_workers_mean", "workers", mean),
                evidence(view, "accept_queue_p90", "connections", queue or 0.0, settings.enter("accept_queue")),
                evidence(view, "workers", "workers", count),
                *asked(view),
            ),
            rejected=(
                Rejected(
                    "workers-below-cores-saturated", f"the busiest second had {max(view.demand):.2f} busy workers"
                ),
                Rejected("cgroup-cpu-throttled", f"{throttled:.0%} of periods throttled"),
            ),
            gains=(throughput(0.98, 1.0, 1.02), gain("latency_p50_ratio", 0.95, 1.0, 1.0 + 0.5 * mean)),
        )
