"""Are there more single-threaded workers than cores to run them?"""

from math import ceil, floor

from advisor.contention import busy_workers
from advisor.copies import memory_with
from advisor.facts import ServiceFacts
from advisor.finding import Conclusion, Gain, Rejected
from advisor.intervals import gain
from advisor.rule import Rule, Settings, Threshold, Verdict, evidence, subject_of
from advisor.view import View, quantile
from advisor.workers import change_to, processes_after

SWITCH_COST_SECONDS = (1e-6, 20e-6)
"""Bounds of what one context switch costs with its cache refill; turned into a share with the observed switch rate."""

SHARED_CACHE_SHARE = 0.15
"""At most this share of the work is lost to workers that displace each other from the caches while all of them wait; scaled
with the share of time that they do wait."""

LASTING_MINUTES = 30
"""For less than that nobody knows whether neighbours stay."""


class WorkersExceedCores(Rule):
    """More busy workers than cores: they queue for the CPU instead of queueing for a worker.

    What it looks for: busy serving workers against the cores of the pool while the cores are full, each worker with one
    active thread, and most of a runnable worker's time spent waiting for a CPU.
    Why it matters: every worker holds its own copy of the model, and switching among them costs cache; requests finish
    no sooner.
    What to do: as many workers as cores. It saves memory and a little latency; it does not raise throughput much.
    When it is wrong: for workers that mostly wait (I/O, a GPU), under throttling, or with a spare worker kept on purpose
    for model reloads.
    """

    proven = ("live", "built")
    recovers = "memory"
    yields_to = ("ipc-dominates-light-model",)
    thresholds = {
        "workers_per_core": Threshold(enter=1.25, leave=1.1, unit="ratio", doc="busy workers / usable cores"),
        "cores_full": Threshold(enter=0.85, leave=0.7, unit="ratio", doc="cores used / cores left by others"),
        "delay_share": Threshold(enter=0.4, leave=0.2, unit="ratio", doc="run-queue delay / (run + delay)"),
        "waiting_cores": Threshold(enter=0.5, leave=0.25, unit="cores", doc="threads that wait for a CPU, on average"),
        "threads_per_worker": Threshold(enter=1.3, unit="threads", doc="at most this many active threads per worker"),
        "throttled_ratio": Threshold(enter=0.05, unit="ratio", doc="at most this share of periods throttled"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        workers = busy_workers(view)
        count, pool = len(workers), view.pool_cores
        if count <= settings.limit("workers_per_core") * pool:
            return None
        left = view.effective_cores
        if view.cores_used < settings.limit("cores_full") * left:
            return None
        if view.delay_share < settings.limit("delay_share") or view.waiting_cores < settings.limit("waiting_cores"):
            return None
        per_worker = sum(len(w.active_threads) for w in workers) / count
        throttled = (view.cgroup.throttled_ratio if view.cgroup else None) or 0.0
        if per_worker > settings.limit("threads_per_worker") or throttled > settings.limit("throttled_ratio"):
            return None
        wanted = sum(w.runnable for w in workers)
        if wanted < 1.1 * pool:
            return None
        total = len(view.serving)
        proposed = max(1, ceil(pool - floor(_always_taken(view) + 0.1) - 0.25))
        change = change_to(view, facts, proposed) if proposed < total else None
        if change is None:
            return None
        proposed = processes_after(view, change)
        return Conclusion(
            subject=subject_of(view),
            title=f"{total} workers on {pool:g} cores: {proposed} serve as much with less memory",
            summary=f"{count} busy workers wanted {wanted:.1f} cores and got {view.cores_used:.2f}; each waited "
            f"{view.delay_share:.0%} of its runnable time. Fewer workers give the same throughput from fewer model copies. "
            "This is a memory fix and a small one for latency, not a throughput fix.",
            confidence=0.8,
            evidence=(
                evidence(view, "busy_workers", "workers", count, settings.enter("workers_per_core") * pool),
                evidence(view, "cores_used", "cores", view.cores_used, settings.enter("cores_full") * left),
                evidence(view, "run_delay_share", "ratio", view.delay_share, settings.enter("delay_share")),
                evidence(view, "waiting_cores", "cores", view.waiting_cores, settings.enter("waiting_cores")),
                evidence(
                    view, "active_threads_per_worker", "threads", per_worker, settings.enter("threads_per_worker")
                ),
                evidence(view, "switches_per_second", "1/s", _switches(view)),
            ),
            rejected=(
                Rejected("cpu-oversubscribed-openmp", f"{per_worker:.1f} active threads per worker"),
                Rejected("cgroup-cpu-throttled", f"{throttled:.0%} of periods throttled"),
                Rejected("cpu-noisy-neighbour", f"others use {view.others(view.pool):.2f} cores"),
            ),
            changes=(change,),
            gains=self._gains(view, proposed),
        )

    @staticmethod
    def _gains(view: View, proposed: int) -> tuple[Gain, ...]:
        low, high = (_switches(view) * cost / max(0.1, view.cores_used) for cost in SWITCH_COST_SECONDS)
        saved, shared = min(0.2, high), SHARED_CACHE_SHARE * view.delay_share
        gains = [
            gain("throughput_ratio", 1 - min(0.05, saved), 1 + (low + saved) / 2 + shared / 3, 1 + saved + shared),
            gain("latency_p99_ratio", 1 - 0.25 * view.delay_share, 1 - 0.1 * view.delay_share, 1.1),
        ]
        held = memory_with(view, proposed)
        return (*gains, held) if held else tuple(gains)


def _always_taken(view: View) -> float:
    """Cores that others use in nine of ten minutes, and now: those are not there. What they use for a while comes back, and
    a setting that fits that while would leave it idle."""
    minutes = view.trend.minutes.values("others_cores")
    if len(minutes) < LASTING_MINUTES:
        return 0.0
    return min(view.others(view.pool), quantile(minutes, 0.1) or 0.0)


def _switches(view: View) -> float:
    return sum(w.switches_per_second or 0.0 for w in view.workers)
