"""Do the workers' compute pools together have more threads than the cores they can get?"""

from advisor.contention import THREAD_POOLS, contenders, untangled
from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Need, Rejected
from advisor.rule import Rule, Settings, Threshold, Verdict, evidence, subject_of
from advisor.view import View
from collectors.levers import Lever


class CpuOversubscribedOpenmp(Rule):
    """Several workers each run a BLAS or OpenMP pool, and the pools fight over the cores.

    What it looks for: active compute threads of all workers against the cores of the pool, at more than one per worker,
    while they wait for a CPU for as long as they run and use the cores that there are.
    Why it matters: a parallel region ends when its last thread does. With more threads than cores one of them is always
    off the CPU while the others spin, so that throughput falls by a factor, not by the share of waiting.
    What to do: give each worker cores ÷ workers threads, in the variable that its libraries read.
    When it is wrong: under CPU throttling while the threads fit the CPUs, with a noisy neighbour, or where the threads are
    request threads of the server and not a compute pool; these are tested and listed as rejected.
    """

    proven = ("live", "built")
    recovers = "waiting"
    caused_by = ("thread-default-ignores-quota",)
    thresholds = {
        "threads_per_core": Threshold(enter=1.5, leave=1.1, unit="ratio", doc="active compute threads / usable cores"),
        "delay_share": Threshold(enter=0.4, leave=0.25, unit="ratio", doc="run-queue delay / (run + delay)"),
        "waiting_cores": Threshold(enter=0.5, leave=0.25, unit="cores", doc="threads that wait for a CPU, on average"),
        "throttled_ratio": Threshold(
            enter=0.25, unit="ratio", doc="at most this share of periods throttled while the threads fit the CPUs"
        ),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        libraries, pool = facts.compute_libraries, view.pool_cores
        active = contenders(view)
        threads, workers = sum(map(len, active)), sum(map(bool, active))
        if not workers or threads <= workers or threads < settings.limit("threads_per_core") * pool:
            return None
        if view.delay_share < settings.limit("delay_share") or view.waiting_cores < settings.limit("waiting_cores"):
            return None
        throttled = (view.cgroup.throttled_ratio if view.cgroup else None) or 0.0
        fit = threads < settings.limit("threads_per_core") * len(view.pool)
        if fit and throttled > settings.limit("throttled_ratio"):
            return None
        runnable = sum(t.cores_used + t.waiting_cores for each in active for t in each)
        if runnable < 1.1 * pool:  # they would fit: what they wait for is not their own kind
            return None
        if libraries is None:
            return Need(kind="privilege", text="maps of the workers: CAP_SYS_PTRACE for the sidecar, or the same user")
        owners = sorted(libraries & THREAD_POOLS)
        setting = facts.threads
        if not owners or (setting is not None and setting.value == 1):
            return None
        callers = workers * max(w.request_threads or 1 for w in view.service.serving)
        started = max(round(threads / callers), len(view.mask) if setting is not None else 1)
        current = setting.value if setting is not None and setting.value else started
        proposed = max(1, int((pool + 0.25) // callers))
        if proposed >= current:
            return None
        return Conclusion(
            subject=subject_of(view),
            title=f"{workers} workers × {round(threads / workers)} compute threads share {pool:g} cores: "
            f"set {proposed} thread{'s' if proposed > 1 else ''} each",
            summary=self._summary(view, threads, owners, proposed),
            confidence=0.86 if setting is not None else 0.7,
            evidence=(
                evidence(view, "active_compute_threads", "threads", threads, settings.enter("threads_per_core") * pool),
                evidence(view, "waiting_cores", "cores", view.waiting_cores, settings.enter("waiting_cores")),
                evidence(view, "run_delay_share", "ratio", view.delay_share, settings.enter("delay_share")),
                evidence(view, "cores_used", "cores", view.cores_used),
                evidence(view, "usable_cores", "cores", pool),
            ),
            rejected=(
                Rejected("workers-exceed-cores", f"{threads / workers:.1f} active threads per worker, not one"),
                Rejected("cgroup-cpu-throttled", f"{throttled:.0%} of periods throttled, {threads} threads for "
                         f"{len(view.pool)} CPUs whatever the quota"),
                Rejected("cpu-noisy-neighbour", f"others use {view.others(view.pool):.2f} cores; "
                         f"the service's own threads want {runnable:.1f} of {pool:g}"),
            ),
            changes=(Change(lever=Lever.COMPUTE_THREADS, current=current, proposed=proposed),),
            gains=untangled(view),
        )  # fmt: skip

    @staticmethod
    def _summary(view: View, threads: int, owners: list[str], proposed: int) -> str:
        return (
            f"{threads} compute threads ({', '.join(owners)}) were active on {view.pool_cores:g} cores; on average "
            f"{view.waiting_cores:.1f} of them waited for a CPU while the others spun at their barrier. With {proposed} per "
            "worker every region runs without waiting for a thread that is not on a CPU."
        )
