"""Are all workers busy to the limit while cores that they could use stand idle?"""

from math import ceil

from advisor.contention import copies_that_fit, pool_threads
from advisor.copies import memory_with
from advisor.facts import ServiceFacts
from advisor.finding import Conclusion, Gain, Need, Rejected
from advisor.gpu.room import left_on_gpus
from advisor.intervals import latency_p50_of, throughput
from advisor.profiling.asking import profile_of
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.soundness import doubt_of
from advisor.view import View, WorkerView
from advisor.workers import change_to, count_told, processes_after

CHEAPER_AT_LOAD = 1.5
"""An event loop that always has work waits less often for more: so many times as much as its busy time now would let it."""
FULL = 0.9
"""Busy share of a process from where on it passes on no more."""
SUREST_IN_DOUBT = 0.7
"""Where clients wait for answers before they ask again, how much more they would ask for is not seen."""


class WorkersBelowCoresSaturated(Rule):
    """Every worker is saturated, and there are cores without a worker.

    What it looks for: fewer workers than usable cores, each runnable for almost all of the time on about one core, while a
    fifth of the cores or more is unused inside the workers' own mask.
    Why it matters: requests queue inside the server for a worker although the node has room to serve them.
    What to do: one worker per core, as far as the memory allows another copy of the model.
    When it is wrong: for workers that are slowed by a mask, a quota or a neighbour, or where the front-end itself is the
    limit; then more workers only share the same capacity. Workers that wait for a GPU on a CPU look like this: where the
    service uses one, a profile tells.
    """

    proven = ("live", "built")
    recovers = "cores"
    caused_by = ("context-switch-storm", "gpu-launch-bound")
    yields_to = (
        "affinity-too-narrow",
        "affinity-overlapping-pins",
        "thread-pins-collide",
        "cgroup-cpu-throttled",
        "cpu-oversubscribed-openmp",
        "accept-imbalance",
        "gil-bound-worker",
        "ipc-dominates-light-model",
        "gpu-starved-by-preprocess",
    )
    thresholds = {
        "worker_busy": Threshold(enter=0.9, leave=0.75, unit="ratio", doc="runnable share of the least busy worker"),
        "cores_unused": Threshold(enter=0.2, leave=0.1, unit="ratio", doc="unused share of the usable cores"),
        "throttled_ratio": Threshold(enter=0.05, unit="ratio", doc="at most this share of periods throttled"),
        "delay_share": Threshold(enter=0.5, unit="ratio", doc="at most this share of runnable time spent waiting"),
        "gpu_wait_share": Threshold(enter=0.3, unit="ratio", doc="at most this share of the CPU time waits for a GPU"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        workers = view.serving
        count, left = len(workers), min(view.effective_cores, float(len(view.mask)))
        target = ceil(left - 0.25)
        if not workers or count >= target:
            return None
        busy = min(w.runnable for w in workers)
        unused = 1 - view.cores_used / left
        if busy < settings.limit("worker_busy") or unused < settings.limit("cores_unused"):
            return None
        used = max(w.cores_used for w in workers)
        per_worker = pool_threads(view) / count
        throttled = (view.cgroup.throttled_ratio if view.cgroup else None) or 0.0
        if throttled > settings.limit("throttled_ratio") or view.delay_share > settings.limit("delay_share"):
            return None
        if used > 1.3 and per_worker > 1.3:  # its pool already spreads over cores: another worker would fight with it
            return None
        front = _before(view)
        if front is not None and front.runnable >= FULL:
            return None
        room = left_on_gpus(view)
        most = min(
            target, count + copies_that_fit(view), ceil(count * min(room, _passed(front, CHEAPER_AT_LOAD)) - 0.25)
        )
        change = change_to(view, facts, most) if most > count else None
        if change is None:
            return None
        proposed = processes_after(view, change)
        if view.gpus:
            seen = profile_of(facts, "whether its workers compute, or wait for the GPU on a CPU")
            if isinstance(seen, Need):
                return seen
            if seen.share("cuda-sync").value >= settings.limit("gpu_wait_share"):
                return None
        threads_of_python = max(len(w.active_threads) for w in workers)
        return Conclusion(
            subject=subject_of(view),
            title=f"{count} saturated worker{'s leave' if count > 1 else ' leaves'} {unused * left:.1f} of {left:.1f} cores "
            f"idle: run {count_told(facts, change)}",
            summary=f"Each worker was runnable {busy:.0%} of the time on {used:.2f} cores, and the service used "
            f"{view.cores_used:.2f} of {left:.2f} cores it could have. Another process, not another thread, uses the rest.",
            confidence=min(0.85 if threads_of_python <= 2 else 0.6, SUREST_IN_DOUBT if doubt_of(view) else 1.0),
            evidence=(
                evidence(view, "least_worker_busy", "ratio", busy, settings.enter("worker_busy")),
                evidence(view, "cores_unused_ratio", "ratio", unused, settings.enter("cores_unused")),
                evidence(view, "cores_used", "cores", view.cores_used),
                evidence(view, "usable_cores", "cores", left),
                evidence(view, "workers", "workers", count, target),
                *asked(view),
            ),
            rejected=(
                Rejected("cgroup-cpu-throttled", f"{throttled:.0%} of periods throttled"),
                Rejected("affinity-too-narrow", f"the mask holds {len(view.mask)} of {len(view.pool)} CPUs"),
                Rejected("cpu-noisy-neighbour", f"run-queue delay is {view.delay_share:.0%} of runnable time"),
                Rejected("io-bound-workers", f"each worker uses {used:.2f} cores, it computes"),
            ),
            changes=(change,),
            gains=self._gains(view, proposed, left, room, busy),
        )

    @staticmethod
    def _gains(view: View, proposed: int, left: float, room: float, busy: float) -> tuple[Gain, ...]:
        """Until the cores are full, or the process before the workers is, or a device, which `room` times the work would
        fill."""
        capacity = left / max(0.1, view.cores_used)
        linear = proposed / (len(view.serving) * min(1.0, busy))
        front, most = _before(view), min(capacity, linear, room)
        bound, top = min(most, _passed(front)), min(most, _passed(front, CHEAPER_AT_LOAD))
        ratio = throughput(max(1.0, 0.8 * bound), max(1.0, 0.93 * bound), min(room, max(1.02, 1.06 * top)))
        held = memory_with(view, proposed)
        return (ratio, latency_p50_of(ratio, slack=0.05), *((held,) if held else ()))


def _before(view: View) -> WorkerView | None:
    """The process that hands requests to the workers, where it is none of them."""
    front = view.front_end
    return None if front is None or front.key in {w.key for w in view.serving} else front


def _passed(front: WorkerView | None, cheaper: float = 1.0) -> float:
    """As many times as much as that process can pass on."""
    return float("inf") if front is None else cheaper / max(0.05, front.runnable)
