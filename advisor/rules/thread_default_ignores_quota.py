"""Did the compute libraries size their pools after the host's cores although a quota allows fewer?"""

from advisor.contention import THREAD_POOLS, pool_threads, untangled
from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Need, Rejected
from advisor.rule import Rule, Settings, Threshold, Verdict, evidence, subject_of
from advisor.view import View
from collectors.levers import Lever


class ThreadDefaultIgnoresQuota(Rule):
    """The thread count is a default taken from the CPUs, and the CPU quota is smaller.

    What it looks for: a quota well below the CPUs in the mask, a library that sizes its pool after CPUs, and no variable that
    sets the number of threads.
    Why it matters: the pool empties the quota several times faster than planned and then waits, throttled, with all its
    threads at once.
    What to do: set the threads to quota ÷ workers.
    When it is wrong: for runtimes that read the quota themselves (OpenVINO Model Server), or where code sets the count.
    """

    proven = ("live", "built")
    recovers = "waiting"
    thresholds = {
        "quota_per_cpu": Threshold(enter=0.75, leave=0.9, unit="ratio", doc="quota / CPUs that a default counts"),
        "threads_per_quota": Threshold(enter=1.25, leave=1.05, unit="ratio", doc="workers × default threads / quota"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        quota, cpus, workers = view.quota_cores, len(view.mask), len(view.serving)
        if quota is None or not workers or quota >= settings.limit("quota_per_cpu") * cpus:
            return None
        libraries = facts.compute_libraries
        if libraries is None:
            return Need(kind="privilege", text="maps of the workers: CAP_SYS_PTRACE for the sidecar, or the same user")
        owners = sorted(libraries & THREAD_POOLS)
        if not owners:
            return None
        if facts.threads is None:
            return Need(kind="privilege", text="environment of the workers: CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH")
        if facts.threads.value is not None or workers * cpus < settings.limit("threads_per_quota") * quota:
            return None
        seen = pool_threads(view)
        if seen <= workers:  # the default pool exists but does not compute: nothing is lost to it
            return None
        proposed = max(1, int((quota + 0.25) // workers))
        if proposed >= cpus:  # one thread for one CPU: the quota is what is small
            return None
        throttled = (view.cgroup.throttled_ratio if view.cgroup else None) or 0.0
        return Conclusion(
            subject=subject_of(view),
            title=f"{', '.join(owners)} start {cpus} threads per worker after the CPUs, the quota is {quota:g} cores: "
            f"set {proposed}",
            summary=f"No variable sets the thread count, so each of {workers} workers takes {cpus} threads from the CPUs that "
            f"it sees; the cgroup allows {quota:g} cores. {throttled:.0%} of the periods were throttled.",
            confidence=0.85,
            evidence=(
                evidence(view, "quota_cores", "cores", quota, settings.enter("quota_per_cpu") * cpus),
                evidence(
                    view, "default_threads", "threads", workers * cpus, settings.enter("threads_per_quota") * quota
                ),
                evidence(view, "active_compute_threads", "threads", seen, workers),
                evidence(view, "throttled_ratio", "ratio", throttled),
                evidence(view, "run_delay_share", "ratio", view.delay_share),
            ),
            rejected=(
                Rejected("workers-exceed-cores", f"{seen / workers:.1f} active threads per worker, not one"),
                Rejected("cpu-noisy-neighbour", f"others use {view.others(view.pool):.2f} of {len(view.pool)} cores"),
            ),
            changes=(Change(lever=Lever.COMPUTE_THREADS, current=cpus, proposed=proposed),),
            gains=untangled(view),
        )
