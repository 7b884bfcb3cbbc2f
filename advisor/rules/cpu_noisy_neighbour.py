"""Does something else on the node, or another guest of its host, take the CPUs that the service waits for?"""

from advisor.contention import busy_workers, pool_threads
from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Gain, Rejected
from advisor.intervals import gain, throughput
from advisor.queued import waiting_requests
from advisor.rule import Rule, Settings, Threshold, Verdict, evidence, subject_of
from advisor.view import View
from collectors.levers import Lever

ALL_BUSY = 0.8
"""Of its workers: from so many busy ones on requests wait for one, as far as their queue is not seen."""


class CpuNoisyNeighbour(Rule):
    """The service's threads would fit on their CPUs, but others use those CPUs.

    What it looks for: threads that wait although there are no more of them than CPUs, while foreign processes use a fifth of
    those CPUs or more, or the hypervisor steals a tenth.
    Why it matters: no setting of the service mends it; tuning workers or threads against a neighbour makes things worse.
    What to do: give the service a larger CPU weight or CPUs of its own, or move the neighbour.
    When it is wrong: where the neighbour is the client that measures the service, as on a test bench.
    """

    proven = ("live", "built")
    recovers = "cores"
    yields_to = (
        "cgroup-cpu-throttled",
        "cpu-oversubscribed-openmp",
        "workers-exceed-cores",
        "affinity-too-narrow",
        "affinity-overlapping-pins",
        "thread-pins-collide",
        "thread-default-ignores-quota",
        "gil-bound-worker",
    )
    thresholds = {
        "delay_share": Threshold(enter=0.3, leave=0.2, unit="ratio", doc="run-queue delay / (run + delay)"),
        "waiting_cores": Threshold(enter=0.4, leave=0.2, unit="cores", doc="threads that wait for a CPU, on average"),
        "others_ratio": Threshold(enter=0.2, leave=0.15, unit="ratio", doc="share of the CPUs used by others"),
        "steal_ratio": Threshold(enter=0.1, leave=0.05, unit="ratio", doc="CPU time taken by the hypervisor"),
        "cores_used": Threshold(enter=0.3, unit="cores", doc="least CPU use of the service that is judged"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        mask = view.mask & view.pool
        if view.cores_used < settings.limit("cores_used") or view.runnable > 1.1 * len(mask):
            return None
        if view.delay_share < settings.limit("delay_share") or view.waiting_cores < settings.limit("waiting_cores"):
            return None
        throttled = (view.cgroup.throttled_ratio if view.cgroup else None) or 0.0
        others, steal = view.others(mask), view.steal_ratio
        foreign = others >= max(settings.limit("others_ratio") * len(mask), 0.3 * view.waiting_cores)
        if throttled > 0.05 or not (foreign or steal >= settings.limit("steal_ratio")):
            return None
        who = (
            f"other processes use {others:.2f} of its {len(mask)} CPUs"
            if foreign
            else f"{steal:.0%} of the CPU is stolen"
        )
        own = sum(len(w.active_threads) for w in view.workers)
        weight = (
            view.cgroup.weight if view.cgroup else None
        )  # in units of the cgroup's version: of none, nothing is known
        return Conclusion(
            subject=subject_of(view),
            title=f"{who} while the service waits {view.delay_share:.0%} of its runnable time",
            summary=f"The service has {own} active threads for {len(mask)} CPUs, so it does not wait for itself: it got "
            f"{view.cores_used:.2f} of the {view.runnable:.2f} cores it wanted, and {who}."
            + ("" if _behind(view) else " It answers all that is asked of it, and each answer takes longer for that.")
            + (
                ""
                if weight
                else " It has no CPU weight of its own: a cgroup, or CPUs, of its own would keep others from it."
            )
            + (" A client that measures it from here counts as a neighbour too." if foreign else ""),
            confidence=0.8,
            evidence=(
                evidence(view, "run_delay_share", "ratio", view.delay_share, settings.enter("delay_share")),
                evidence(view, "waiting_cores", "cores", view.waiting_cores, settings.enter("waiting_cores")),
                evidence(view, "others_cores", "cores", others, settings.enter("others_ratio") * len(mask)),
                evidence(view, "steal_ratio", "ratio", steal, settings.enter("steal_ratio")),
                evidence(view, "runnable_threads", "threads", view.runnable, 1.1 * len(mask)),
                evidence(view, "cores_used", "cores", view.cores_used),
            ),
            rejected=(
                Rejected(
                    "cpu-oversubscribed-openmp", f"{pool_threads(view)} active compute threads for {len(mask)} CPUs"
                ),
                Rejected("workers-exceed-cores", f"{len(busy_workers(view))} busy workers for {len(mask)} CPUs"),
                Rejected("cgroup-cpu-throttled", f"{throttled:.0%} of periods throttled"),
            ),
            changes=(Change(lever=Lever.CPU_WEIGHT, current=weight, proposed=10 * weight, restart=False),)
            if weight
            else (),
            gains=self._gains(view),
        )

    @staticmethod
    def _gains(view: View) -> tuple[Gain, ...]:
        """All that it waits for, at most; pools lose more than the share, since a region waits for its last thread. Where all
        that is asked for is answered, only the answers get faster."""
        whole = view.runnable / max(0.05, view.cores_used)
        pool = max(1.0, pool_threads(view) / max(1, len(busy_workers(view))))
        ratio = throughput(1 + 0.3 * (whole - 1), 1 + 0.8 * (whole - 1), whole**pool)
        tail = gain("latency_p99_ratio", 0.3 / ratio.p90, 0.8 / ratio.p50, 1 / ratio.p10)
        return (ratio if _behind(view) else throughput(1.0, 1.0, ratio.p90)), tail


def _behind(view: View) -> bool:
    """Whether more is asked for than it answers: its workers are busy all the time, or requests wait for them."""
    demand = sum(view.demand) / max(1, len(view.demand))
    return demand >= ALL_BUSY * len(view.serving) or waiting_requests(view) >= 1
