"""Does a CPU quota stop the service in the middle of its bursts?"""

from math import ceil

from advisor.contention import busy_workers
from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Gain, Need, Rejected
from advisor.intervals import gain, throughput
from advisor.rule import Rule, Settings, Threshold, Verdict, evidence, subject_of
from advisor.view import View
from collectors.levers import Lever


class CgroupCpuThrottled(Rule):
    """The kernel throttles the service at its CPU quota, often at a low average use.

    What it looks for: the share of scheduler periods in which the cgroup was throttled, over the periods in which it ran.
    Why it matters: a burst empties the quota in a fraction of the period, and everything waits for the rest of it; the
    average CPU use looks harmless while requests stand still for tens of milliseconds.
    What to do: raise or remove the quota to the cores that the service uses at once, or use fewer threads and workers.
    When it is wrong: where the quota is a bought limit; then the number of threads is what can change.
    """

    proven = ("live", "built")
    recovers = "cores"
    caused_by = ("thread-default-ignores-quota",)
    after = ("cpu-oversubscribed-openmp", "affinity-too-narrow", "affinity-overlapping-pins", "thread-pins-collide")
    thresholds = {
        "throttled_ratio": Threshold(enter=0.25, leave=0.1, unit="ratio", doc="throttled periods / periods"),
        "periods": Threshold(enter=10, unit="periods", doc="at least this many periods in the window"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        cgroup = view.cgroup
        if cgroup is None or not cgroup.quota_cores or view.window_seconds <= 0:
            return None
        if cgroup.periods < settings.limit("periods"):
            return None if cgroup.periods == 0 else Need(kind="load", text="at least 10 scheduler periods under load")
        ratio = cgroup.throttled_ratio or 0.0
        if ratio < settings.limit("throttled_ratio"):
            return None
        at_once = max(1, sum(max(1, len(w.active_compute)) for w in busy_workers(view, 0.02)))
        wanted = float(min(at_once, len(view.pool)))
        if wanted <= cgroup.quota_cores:
            wanted = min(float(len(view.pool)), float(ceil(2 * cgroup.quota_cores)))
        if wanted <= cgroup.quota_cores:
            return None
        lost = cgroup.throttled_seconds / view.window_seconds
        return Conclusion(
            subject=subject_of(view),
            title=f"the CPU quota of {cgroup.quota_cores:g} cores throttles {ratio:.0%} of the periods at "
            f"{view.cores_used:.2f} cores of average use: allow {wanted:g}",
            summary=f"Up to {at_once} threads run at once and empty the quota early in a period of "
            f"{(cgroup.period_seconds or 0.1) * 1000:.0f} ms; the service then stands still, {lost:.2f} s of CPU time per "
            "second in all. The average use says nothing of it.",
            confidence=0.9,
            evidence=(
                evidence(view, "throttled_ratio", "ratio", ratio, settings.enter("throttled_ratio")),
                evidence(view, "throttled_seconds_per_second", "seconds", lost),
                evidence(view, "periods", "periods", cgroup.periods, settings.enter("periods")),
                evidence(view, "quota_cores", "cores", cgroup.quota_cores),
                evidence(view, "cores_used", "cores", view.cores_used),
                evidence(view, "threads_at_once", "threads", at_once),
            ),
            rejected=(
                Rejected("cpu-noisy-neighbour", f"others use {view.others(view.pool):.2f} of {len(view.pool)} cores, "
                         f"{view.steal_ratio:.0%} is stolen"),
                Rejected("workers-below-cores-saturated", f"the workers are held by the quota at {view.cores_used:.2f} cores"),
            ),
            changes=(
                Change(lever=Lever.CPU_QUOTA, current=cgroup.quota_cores, proposed=wanted, restart=False),
            ),
            gains=self._gains(view, cgroup.quota_cores, wanted, at_once),
        )  # fmt: skip

    @staticmethod
    def _gains(view: View, quota: float, wanted: float, at_once: int) -> tuple[Gain, ...]:
        """What the bursts took: whole periods where they were throttled, and their remaining CPU time on the threads that run
        at once. Without the quota they take their CPU time on those threads, or on one thread at the slowest."""
        cgroup = view.cgroup
        period = (cgroup.period_seconds if cgroup else None) or 0.1
        stopped = (cgroup.throttled_periods if cgroup else 0) * period
        spent = view.cores_used * view.window_seconds
        parallel = min(float(at_once), wanted)
        elapsed = stopped + max(0.0, spent - stopped * quota) / parallel
        likely = min(1.0, spent / parallel / elapsed)
        slowest = min(1.0, spent / elapsed)
        full = view.cores_used / quota
        high = min(wanted, view.runnable) / quota if full >= 0.9 else 1.0
        ratio = throughput(0.97 if full < 0.9 else 1.0, 1.0 if full < 0.9 else 0.5 * (1 + high), max(1.03, high))
        return (
            gain("latency_p99_ratio", 0.7 * likely, 0.95 * likely, slowest),
            gain("latency_p50_ratio", 0.75 * likely, likely, slowest),
            ratio,
        )
