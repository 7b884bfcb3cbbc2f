"""Do the threads of a worker wait for its interpreter's lock while cores stand idle?"""

from math import ceil

import msgspec

from advisor.contention import copies_that_fit
from advisor.copies import cost_of_more
from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Gain, Need, Rejected
from advisor.gpu.room import left_on_gpus
from advisor.intervals import gain, latency_p50_of, throughput
from advisor.profiling.asking import profile_of
from advisor.profiling.evidence import seen_in_profile, share_evidence, sureness, told
from advisor.profiling.view import ProfileView, Share, WorkerProfile
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View, WorkerView
from advisor.workers import change_to, count_told, processes_after
from collectors.levers import Lever

FREED_MOST = 1.15
"""Fewer threads to a lock hand it over less often; no more than this is promised for that."""

ALL_TAKEN = 0.9
"""Of the request threads: from this share on that wants to run, more requests may wait for a thread."""
SPREAD = 0.25
"""At least this share of a worker's CPU time is spent beside its busiest thread, where single ones are too small to count."""

_MASK_FIRST = " The cores are outside its mask: without a wider one, more processes bring nothing."


class GilBoundWorker(Rule):
    """The threads of a worker run one at a time, as they need the interpreter's lock (GIL), while cores stand idle.

    What it looks for: workers that use about one core with several threads, in whose profile the lock is held most of the
    time and more than one Python thread wants to run, beside unused cores.
    Why it matters: such a process never uses more than one core, however many threads it has. More threads only wait longer
    for the lock, and each handing over costs time.
    What to do: more worker processes, with the threads divided among them, as far as memory and cores allow; or less work
    in Python for each request.
    When it is wrong: for interpreters without the lock, for a process with one busy thread (which is saturated without
    waiting for anyone), and where an event loop is what the requests wait for.
    """

    proven = ("live", "built")
    recovers = "cores"
    yields_to = (
        "affinity-overlapping-pins",
        "thread-pins-collide",
        "cgroup-cpu-throttled",
        "cpu-oversubscribed-openmp",
        "ipc-dominates-light-model",
    )
    after = ("affinity-too-narrow",)
    thresholds = {
        "gil_held": Threshold(enter=0.7, leave=0.6, unit="ratio", doc="time in which some thread held the lock"),
        "python_threads": Threshold(
            enter=1.3, leave=1.15, unit="threads", doc="Python threads that ran, could run or waited for the lock"
        ),
        "cores_least": Threshold(enter=0.8, leave=0.7, unit="cores", doc="at least this much used by the worker"),
        "cores_most": Threshold(enter=1.3, leave=1.4, unit="cores", doc="at most this much: beyond, native code runs"),
        "cores_unused": Threshold(enter=0.2, leave=0.1, unit="ratio", doc="unused share of the usable cores"),
        "least_busy": Threshold(enter=0.5, unit="ratio", doc="runnable share of the least busy worker, at least"),
        "throttled_ratio": Threshold(enter=0.05, unit="ratio", doc="at most this share of periods throttled"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        suspects = [w for w in view.serving if _suspect(w, settings)]
        left = min(view.effective_cores, float(len(view.mask) + _beyond_the_mask(view)))
        unused = 1 - view.cores_used / left if left > 0 else 0.0  # its mask may hold no CPU that is online
        if not suspects or unused < settings.limit("cores_unused"):
            return None
        throttled = (view.cgroup.throttled_ratio if view.cgroup else None) or 0.0
        least = min(w.runnable for w in view.serving)
        if throttled > settings.limit("throttled_ratio") or least < settings.limit("least_busy"):
            return None
        seen = profile_of(facts, "whether its threads wait for the interpreter's lock", part="gil")
        if isinstance(seen, Need):
            return seen
        bound = [w for w in seen.workers if w.key in {s.key for s in suspects} and _bound(w, settings)]
        count, target = len(view.serving), ceil(left - 0.25)
        if not bound:
            return None
        held, active = _held(bound), sum(w.python_active for w in bound) / len(bound)
        at_once = _at_once(view, active)
        room = left_on_gpus(view)
        most = min(target, count + copies_that_fit(view), ceil(at_once), ceil(count * room - 0.25))
        change = change_to(view, facts, most) if most > count else None
        if change is None:
            return None
        proposed = processes_after(view, change)
        limit = msgspec.structs.replace(seen, workers=tuple(bound))
        gains = self._gains(view, min(float(proposed), at_once), proposed, left, held, room)
        return Conclusion(
            subject=subject_of(view),
            title=f"{active:.1f} Python threads share one lock and {view.cores_used:.1f} of {left:.1f} cores: "
            f"run {count_told(facts, change, 'processes')}",
            summary=f"In {_processes(len(bound))} some thread held the interpreter's lock {told(held)} of the time while "
            f"{active:.1f} wanted to run. A process gets no further than one core with it; {unused * left:.1f} cores are "
            f"unused. Processes use them, threads cannot.{_MASK_FIRST if _beyond_the_mask(view) else ''}",
            confidence=sureness(0.9, limit),
            evidence=(
                *share_evidence(limit, "gil_held", held, settings.enter("gil_held")),
                seen_in_profile(limit, "python_threads_active", "threads", active, settings.enter("python_threads")),
                seen_in_profile(
                    limit, "gil_waiting_threads", "threads", sum(w.gil_waiting for w in bound) / len(bound)
                ),
                evidence(view, "cores_per_worker", "cores", suspects[0].cores_used, settings.enter("cores_most")),
                evidence(view, "cores_unused_ratio", "ratio", unused, settings.enter("cores_unused")),
                evidence(view, "usable_cores", "cores", left),
                *asked(view),
            ),
            rejected=_rejected(view, limit, active, throttled),
            changes=(change, *_fewer_threads(view, count, proposed)),
            gains=gains,
        )

    @staticmethod
    def _gains(view: View, busy: float, proposed: int, left: float, held: Share, room: float) -> tuple[Gain, ...]:
        """One core for each of `busy` processes, until the cores are full, or a device is, which `room` times the work would
        fill: no more than wanted to run at a time, as each client waits for its answer (Little's law). Upper bound: what
        passes while nobody holds the lock comes on top."""
        count = len(view.serving)
        bound = max(1.0, min(min(busy, left) / max(0.1, view.cores_used), proposed / count * 1.05, room))
        freed = min(FREED_MOST, 1 / max(0.5, held.value - held.error))
        most = min(room, max(1.02, bound * max(1.06, freed)))
        ratio = throughput(max(1.0, 0.85 * bound), max(1.0, 0.95 * bound), most)
        crowd = 1 + view.delay_share / 2  # the cores are full afterwards: threads then wait for those
        tail = gain("latency_p99_ratio", 1 / ratio.p90, crowd / ratio.p50, max(1.0, crowd / ratio.p10))
        memory = cost_of_more(view, proposed - count)
        return (ratio, latency_p50_of(ratio, slack=0.05), tail, *((memory,) if memory else ()))


def _beyond_the_mask(view: View) -> int:
    """CPUs that a wider mask would give, where affinity-too-narrow asks for one: its change comes first."""
    beyond = round(view.idle_outside(view.mask))
    return beyond if view.delay_share >= 0.3 and view.waiting_cores >= 0.3 else 0


def _at_once(view: View, active: float) -> float:
    """How many could run at a time, if each had a lock of its own; more processes than that have nothing to do. Where all
    request threads are taken, or connections wait, as many as are connected; else as many as wanted to run."""
    count = len(view.serving)
    threads = max((w.request_threads or 0 for w in view.service.serving), default=0)
    taken = threads > 0 and active >= ALL_TAKEN * threads
    queue = sum(view.accept_queue) / max(1, len(view.accept_queue))
    waiting = queue >= 1 or (view.server_queue or 0.0) >= 1
    return max(active * count, view.established or 0.0) if taken or waiting else active * count


def _suspect(worker: WorkerView, settings: Settings) -> bool:
    """About one core with several threads at work, however little each of many does: the lock may be what holds it there."""
    if not settings.limit("cores_least") <= worker.cores_used <= settings.limit("cores_most"):
        return False
    own = [t.cores_used for t in worker.threads if t.thread_class != "kernel"]
    return len(worker.active_threads) >= 2 or sum(own) - max(own, default=0.0) >= SPREAD * worker.cores_used


def _bound(worker: WorkerProfile, settings: Settings) -> bool:
    held = worker.gil_held
    if held is None or held.value - held.error < settings.limit("gil_held"):
        return False
    return worker.python_active >= settings.limit("python_threads")


def _held(bound: list[WorkerProfile]) -> Share:
    known = [w.gil_held for w in bound if w.gil_held is not None]
    error = sum(one.error**2 for one in known) ** 0.5 / len(known)
    return Share(sum(one.value for one in known) / len(known), error)


def _rejected(view: View, limit: ProfileView, active: float, throttled: float) -> tuple[Rejected, ...]:
    blas, pools = limit.share("kernel", "array", "trees"), sum(w.pool_cores for w in limit.workers)
    loops = [w.loop for w in limit.workers if w.loop is not None]
    loop = f"its loop computes {max(x.busy for x in loops):.0%} of the time" if loops else "it has no event loop"
    return (
        Rejected("workers-below-cores-saturated", f"{active:.1f} Python threads want to run in a process, not one"),
        Rejected("cpu-oversubscribed-openmp", f"native pools use {pools:.2f} cores, numeric kernels {told(blas)}"),
        Rejected("event-loop-blocked", loop),
        Rejected("io-bound-workers", f"the least busy worker is runnable {min(w.runnable for w in view.serving):.0%}"),
        Rejected("cgroup-cpu-throttled", f"{throttled:.0%} of periods throttled"),
        Rejected("cpu-noisy-neighbour", f"others use {view.others(view.pool):.2f} cores"),
    )


def _fewer_threads(view: View, count: int, proposed: int) -> tuple[Change, ...]:
    """The threads divided among the processes, so that as many requests are in progress as before."""
    threads = max((w.request_threads or 1 for w in view.service.serving), default=1)
    fewer = ceil(threads * count / proposed)
    return () if fewer >= threads else (Change(lever=Lever.REQUEST_THREADS, current=threads, proposed=fewer),)


def _processes(count: int) -> str:
    return "one process" if count == 1 else f"{count} processes"
