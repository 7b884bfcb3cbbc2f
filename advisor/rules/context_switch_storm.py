"""Do threads spend the cores on handing them to each other at a lock?"""

import re

from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Gain, Need, Rejected
from advisor.intervals import gain, throughput
from advisor.profiling.asking import profile_of
from advisor.profiling.evidence import seen_in_profile, sureness
from advisor.profiling.limits import of_service
from advisor.profiling.view import ProfileView, Share, sampling_error
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View
from collectors.levers import Lever

LOCK_CLASS = "lock"
LOCKING = re.compile(
    r"futex|mutex|lll_lock|pthread_cond|pthread_rwlock|sem_(?:wait|post|clockwait)|condition_variable|osq_lock|pthread_spin|"
    r"parking_lot|PyThread_acquire_lock",
    re.IGNORECASE,
)
"""Functions, native or of the kernel, in which threads take, wait for, or hand over a lock."""
DISPATCHING = re.compile(
    r"joblib|loky|concurrent/futures|concurrent\.futures|ThreadPool|thread_pool|threadpool|queue\.py|GOMP_parallel|"
    r"gomp_team|kmp_fork|parallel_for|rayon_core|tbb::|Eigen::.*Schedule",
    re.IGNORECASE,
)
"""Functions that hand pieces of one call to a pool: they wake threads for each call, which batching spares."""
ALLOCATING = re.compile(r"\b(?:malloc|calloc|realloc|free|cfree|_int_malloc|_int_free|arena_get)", re.IGNORECASE)


class ContextSwitchStorm(Rule):
    """Threads that fight for a lock spend a good part of their CPU time in going to sleep and waking each other up.

    What it looks for: tens of thousands of context switches a second for each core used, a fifth or more of the CPU time in
    the kernel, and native samples that show it in lock and futex functions.
    Why it matters: each switch costs microseconds and the caches' contents; the work between two of them is shorter than
    the switch.
    What to do: fewer threads that share the lock; take it less often (several items for each turn at a queue); where the
    lock is the allocator's, another allocator (jemalloc, tcmalloc).
    When it is wrong: where a pool is woken for each call, as of a forest or a small model: those switches vanish with
    batching, and it says nothing. Nor for many small requests from the network, which switch without a lock, or for the
    interpreter's lock. Switches alone do not show that threads exceed the cores: run-queue delay does.
    """

    proven = ("built",)
    recovers = "work"
    yields_to = (
        "cpu-oversubscribed-openmp",
        "cgroup-cpu-throttled",
        "thread-default-ignores-quota",
        "gil-bound-worker",
        "openmp-spin-wait",
        "ipc-dominates-light-model",
        "small-batches",
    )
    thresholds = {
        "switches_per_core": Threshold(
            enter=10_000, leave=6_000, unit="1/s", doc="context switches of all threads / cores used"
        ),
        "system_share": Threshold(enter=0.2, leave=0.15, unit="ratio", doc="share of the CPU time spent in the kernel"),
        "cores_used": Threshold(enter=0.3, unit="cores", doc="least CPU use of the service that is judged"),
        "lock_share": Threshold(enter=0.15, leave=0.1, unit="ratio", doc="share of the CPU time in lock functions"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        known = [w for w in view.workers if w.system_cores is not None]
        used = sum(w.cores_used for w in known)
        if used < settings.limit("cores_used"):
            return None
        system = sum(w.system_cores or 0.0 for w in known) / used
        switches = sum(t.slices_per_second or 0.0 for w in known for t in w.threads) / used
        if switches < settings.limit("switches_per_core") or system < settings.limit("system_share"):
            return None
        seen = profile_of(facts, "whether its CPU time goes into locks", "native")
        if not isinstance(seen, ProfileView):
            return seen
        if not any(w.native for w in seen.workers):
            return Need(kind="privilege", text="native samples of its threads: perf events for the sidecar")
        seen = of_service(view, seen)
        lock, dispatch = _share(seen, LOCKING, LOCK_CLASS), _share(seen, DISPATCHING)
        gil = sum(w.gil_waiting for w in seen.workers)
        waiting = sum(w.waits.get("lock", 0.0) for w in seen.workers)
        if lock.value - lock.error < settings.limit("lock_share") or dispatch.value >= 0.5 * lock.value:
            return None
        if (
            gil > max(0.5, waiting) or seen.share("gil-wait").value >= lock.value
        ):  # the interpreter's lock has rules of its own
            return None
        allocator = _share(seen, ALLOCATING).value
        hottest = next(
            (h for w in seen.workers for h in w.hot if h.work != "gil-wait" and LOCKING.search(h.where)), None
        )
        where = f" ({hottest.where})" if hottest else ""
        advice = " The allocator is among the callers: try jemalloc or tcmalloc." if allocator >= 0.1 else ""
        return Conclusion(
            subject=subject_of(view),
            title=f"{lock.value:.0%} of the CPU time goes into a lock{where}: {switches:,.0f} switches a second "
            "for each core",
            summary=f"The service used {used:.2f} cores, {system:.0%} of it in the kernel, and {lock.value:.0%} in functions "
            f"that take or hand over a lock; {waiting:.1f} Python threads waited for one on average.{advice}",
            confidence=sureness(0.75, seen),
            evidence=(
                evidence(view, "switches_per_core_per_second", "1/s", switches, settings.enter("switches_per_core")),
                evidence(view, "system_share", "ratio", system, settings.enter("system_share")),
                seen_in_profile(seen, "lock_share", "ratio", lock.value, settings.enter("lock_share")),
                seen_in_profile(seen, "lock_share_error", "ratio", lock.error),
                seen_in_profile(seen, "dispatch_share", "ratio", dispatch.value, 0.5 * lock.value),
                seen_in_profile(seen, "threads_waiting_for_locks", "threads", waiting),
                evidence(view, "cores_used", "cores", view.cores_used),
                *asked(view),
            ),
            rejected=(
                Rejected("small-batches", f"{dispatch.value:.0%} of the CPU time hands calls to a pool"),
                Rejected("cpu-oversubscribed-openmp", f"run-queue delay is {view.delay_share:.0%} of runnable time"),
                Rejected("gil-bound-worker", f"{gil:.1f} threads wait for the interpreter's lock"),
            ),
            changes=self._changes(view, facts),
            gains=self._gains(lock, system),
        )

    @staticmethod
    def _changes(view: View, facts: ServiceFacts) -> tuple[Change, ...]:
        """Half the threads that share the lock; how few are best has to be tried."""
        setting = facts.setting(Lever.REQUEST_THREADS)
        if setting is not None and isinstance(setting.value, int) and setting.value > 1:
            now = setting.value
            return (Change(lever=Lever.REQUEST_THREADS, current=now, proposed=max(1, now // 2)),)
        threads = facts.threads.value if facts.threads is not None else None
        if threads is not None and threads > 1:
            return (Change(lever=Lever.COMPUTE_THREADS, current=threads, proposed=max(1, threads // 2)),)
        return ()

    @staticmethod
    def _gains(lock: Share, system: float) -> tuple[Gain, ...]:
        """At most all CPU time at the lock becomes work (and what the kernel spends on it, where that is more); likely half
        of it, as a lock that is fought for less still costs; at least nothing."""
        most = min(0.9, max(lock.value + lock.error, min(system, 2 * lock.value)))
        ratio = throughput(1.0, 1 / (1 - lock.value / 2), 1 / (1 - most))
        return (ratio, gain("latency_p50_ratio", 1 / ratio.p90, 1 / ratio.p50, 1.0))


def _share(seen: ProfileView, functions: re.Pattern[str], work: str | None = None) -> Share:
    """Share of the workers' CPU time in such functions: as the hottest ones show, or as the class of work counts them."""
    total = seen.cores
    spots = [(w, h) for w in seen.workers for h in w.hot if h.work != "gil-wait" and functions.search(h.where)]
    named = sum(w.cores * h.share for w, h in spots)
    value = min(1.0, named / total) if total > 0 else 0.0
    counted = seen.share(work) if work else Share(0.0)
    if counted.value >= value:
        return counted
    return Share(value, sampling_error(value, seen.samples))
