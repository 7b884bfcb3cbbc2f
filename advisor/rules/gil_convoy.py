"""Does a thread that serves clients wait for the interpreter's lock behind threads that compute?"""

from math import ceil

import msgspec

from advisor.contention import copies_that_fit
from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Gain, Rejected
from advisor.gpu.room import left_on_gpus
from advisor.intervals import gain
from advisor.profiling.asking import profile_of
from advisor.profiling.evidence import seen_in_profile
from advisor.profiling.view import ProfileView, ThreadShare, WorkerProfile
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View, WorkerView
from advisor.workers import change_to, processes_after
from collectors.levers import Lever
from collectors.profiles.profile import Wait

SWITCH_INTERVAL_SECONDS = 0.005
"""How long CPython lets a thread compute before another that waits for the lock may ask for it (sys.getswitchinterval)."""
SHORT_INTERVAL_SECONDS = 0.0005
COMPUTES = 0.5
"""A thread that runs, or waits for the lock, at least this share of the time is one that computes."""
TOGETHER = 1.5
"""So do the threads of a pool that run, or wait for the lock, this often together: its work falls to each in turn."""
AT_TIMES = 0.4
"""A loop that was seen to wait for the lock needs no thread that always computes: whenever one does, it waits."""
SEEN_CORES = 0.002
LONGER = 1.5
"""A loop that waits for the lock this many times as long as it works and waits for a core is held up by it."""
EVENTS: tuple[Wait, ...] = ("loop", "listening", "inbound")
SEEN_EVENTS = 0.1


class Convoy(msgspec.Struct, frozen=True):
    """A thread that serves clients and the threads of its process behind which it waits."""

    worker: WorkerProfile
    waits: ThreadShare
    computing: tuple[ThreadShare, ...]

    @property
    def lock(self) -> float:
        """Share of the time for which it waits for the lock."""
        return self.waits.waits.get("gil", 0.0)

    @property
    def work(self) -> float:
        """Share of the time for which it works or waits for a core: what is left when the lock is always free."""
        return self.waits.running


class GilConvoy(Rule):
    """A thread that serves clients waits for the interpreter's lock each time it wakes up, behind threads that compute.

    What it looks for: a thread that mostly waits for sockets or events, whose mean wait for the lock at each wake-up is one
    switch interval (5 ms) or more, in a process in which at least one other Python thread computes.
    Why it matters: a computing thread gives the lock back after 5 ms only. The serving thread needs it for microseconds, many
    times a request, so that every request takes some tens of milliseconds more, and cheap ones suffer most.
    What to do: compute in other processes (workers) than the one that talks to the clients. A shorter
    `sys.setswitchinterval` is a stop-gap: it costs throughput, as the lock changes hands more often.
    When it is wrong: where the thread waits for a core and not for the lock, and on interpreters without the lock.
    """

    proven = ("built",)
    recovers = "latency"
    caused_by = (
        "gil-bound-worker",
        "workers-below-cores-saturated",
        "accept-imbalance",
        "cpu-oversubscribed-openmp",
        "thread-default-ignores-quota",
        "cgroup-cpu-throttled",
        "affinity-too-narrow",
        "affinity-overlapping-pins",
        "thread-pins-collide",
    )
    thresholds = {
        "lock_wait_seconds": Threshold(
            enter=SWITCH_INTERVAL_SECONDS, leave=0.003, unit="seconds", doc="mean wait for the lock at each wake-up"
        ),
        "lock_wait_share": Threshold(
            enter=0.05,
            leave=0.03,
            unit="ratio",
            doc="share of the time for which the serving thread waits for the lock",
        ),
        "loop_lock_share": Threshold(
            enter=0.2,
            leave=0.12,
            unit="ratio",
            doc="the same of an event loop that waits for the lock longer than it works, whatever the mean wait",
        ),
        "computing_threads": Threshold(enter=1, unit="threads", doc="other Python threads of the process that compute"),
        "cores_used": Threshold(enter=0.3, leave=0.2, unit="cores", doc="used by the process, at least"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        suspects = {w.key for w in view.workers if _suspect(w, settings.limit("cores_used"))}
        if not suspects:
            return None
        seen = profile_of(facts, "whether the serving thread waits for the interpreter's lock", "states")
        if not isinstance(seen, ProfileView):
            return seen
        found = [c for w in seen.workers if w.key in suspects and (c := self._convoy(w, settings)) is not None]
        if not found:
            return None
        worst = max(found, key=lambda c: c.lock)
        seconds, delay = worst.waits.gil_wait_seconds, worst.waits.delay_cores or 0.0
        each = seconds is not None and seconds >= settings.limit("lock_wait_seconds")
        share = "lock_wait_share" if each else "loop_lock_share"
        left = min(view.effective_cores, float(len(view.mask)))
        count = len(view.serving)
        room = ceil(count * left_on_gpus(view) - 0.25)
        most = min(ceil(left - 0.25), count + copies_that_fit(view), count * (1 + len(worst.computing)), room)
        more = change_to(view, facts, most) if most > count else None
        return Conclusion(
            subject=subject_of(view),
            title=f"the thread that serves clients waits {_how_long(worst, seconds if each else None)}: compute in another "
            "process",
            summary=f"The thread {worst.waits.name} of process {worst.worker.key.pid} waited for the lock {worst.lock:.0%} of "
            f"the time behind {_threads(len(worst.computing))} in Python, and for a core {delay:.0%}. "
            "A shorter switch interval is a stop-gap until the work is done in worker processes.",
            confidence=0.8 if worst.waits.delay_cores is not None else 0.6,
            evidence=(
                *(
                    (
                        seen_in_profile(
                            seen, "lock_wait_seconds", "seconds", seconds, settings.enter("lock_wait_seconds")
                        ),
                    )
                    if seconds is not None
                    else ()
                ),
                seen_in_profile(seen, "lock_wait_share", "ratio", worst.lock, settings.enter(share)),
                seen_in_profile(
                    seen, "computing_threads", "threads", len(worst.computing), settings.enter("computing_threads")
                ),
                seen_in_profile(seen, "core_wait_share", "ratio", delay, 0.5 * worst.lock),
                evidence(view, "cores_used", "cores", view.cores_used),
                evidence(view, "usable_cores", "cores", left),
                *asked(view),
            ),
            rejected=(
                Rejected("cpu-oversubscribed-openmp", f"the thread waits {delay:.0%} of the time for a core"),
                Rejected("cpu-noisy-neighbour", f"others use {view.others(view.pool):.2f} cores"),
                Rejected("event-loop-blocked", f"the thread itself runs {worst.waits.running:.0%} of the time"),
            ),
            changes=(
                *((more,) if more is not None else ()),
                Change(lever=Lever.SWITCH_INTERVAL, current=SWITCH_INTERVAL_SECONDS, proposed=SHORT_INTERVAL_SECONDS),
            ),
            gains=self._gains(
                worst, count, count if more is None else processes_after(view, more), _beside(view, worst)
            ),
        )

    @staticmethod
    def _convoy(worker: WorkerProfile, settings: Settings) -> Convoy | None:
        """The serving thread of the process that waits most for the lock, if that and not a core is what it waits for."""
        loop = worker.loop.tid if worker.loop else None
        serving = [t for t in worker.threads if t.python and (t.tid == loop or _serves(t))]
        found = None
        for thread in serving:
            lock = thread.waits.get("gil", 0.0)
            others = [t for t in worker.threads if t.python and t.tid != thread.tid and not _serves(t)]
            held_up = thread.tid == loop and _mostly_waits(thread, settings)
            computing = _computing(others, AT_TIMES if held_up else TOGETHER)
            long = (thread.gil_wait_seconds or 0.0) >= settings.limit("lock_wait_seconds")
            if not long and not held_up:
                continue
            if lock < settings.limit("lock_wait_share") or len(computing) < settings.limit("computing_threads"):
                continue
            if (thread.delay_cores or 0.0) > 0.5 * lock:
                continue
            if found is None or lock > found.lock:
                found = Convoy(worker, thread, computing)
        return found

    @staticmethod
    def _gains(worst: Convoy, count: int, proposed: int, beside: float) -> tuple[Gain, ...]:
        """What a request spends at the serving thread shrinks to the thread's own work; `beside`: requests that are with the
        computing threads for each that is with the serving one, which stay as they are. At most all waiting for the lock
        goes. Likely, with more workers, what the computing threads that move take with them; with the stop-gap alone, what
        a shorter interval takes off one wait. At least nothing, where requests spend their time elsewhere."""
        shorter = 1 - SHORT_INTERVAL_SECONDS / SWITCH_INTERVAL_SECONDS
        most, likely = (1.0, 1 - count / proposed) if proposed > count else (shorter, shorter / 2)
        whole = worst.work + worst.lock + beside
        best, middle = ((whole - part * worst.lock) / whole for part in (most, likely))
        return (gain("latency_p50_ratio", best, middle, 1.0), gain("latency_p99_ratio", best, middle, 1.0))


def _beside(view: View, convoy: Convoy) -> float:
    """How many requests are with the threads that compute, on average, where every request has one of them: their time is
    what the lock lets them have, and no shorter interval makes it less. An event loop answers others by itself."""
    if view.service.calls != "synchronous":
        return 0.0
    return sum(t.running + t.waits.get("gil", 0.0) for t in convoy.computing)


def _how_long(convoy: Convoy, seconds: float | None) -> str:
    if seconds is None:
        return f"{convoy.lock:.0%} of the time for the interpreter's lock"
    return f"{1000 * seconds:.0f} ms for the interpreter's lock each time it wakes up"


def _mostly_waits(loop: ThreadShare, settings: Settings) -> bool:
    """A loop wakes up several times a request, and most of those wake-ups find the lock free: their mean hides the others."""
    lock = loop.waits.get("gil", 0.0)
    return lock >= settings.limit("loop_lock_share") and lock >= LONGER * loop.running


def _suspect(worker: WorkerView, cores: float) -> bool:
    """Whether Python threads may compute beside one that serves: several ran, and together they used a good part of a core."""
    ran = [t for t in worker.threads if t.thread_class in ("main", "python", "io") and t.cores_used >= SEEN_CORES]
    return len(ran) > 1 and sum(t.cores_used for t in ran) >= cores


def _serves(thread: ThreadShare) -> bool:
    """Whether a thread, when neither it nor the lock is busy, waits for clients or events. Behind a crowd it seldom gets so
    far, so that the lock may be most of what it waits for."""
    events = sum(thread.waits.get(kind, 0.0) for kind in EVENTS)
    others = sum(share for kind, share in thread.waits.items() if kind != "gil")
    return thread.io or (events >= SEEN_EVENTS and events >= 0.5 * others)


def _computing(others: list[ThreadShare], together: float) -> tuple[ThreadShare, ...]:
    """Those that compute for most of the time; else those of a pool that want to for `together` in all."""
    wanting = {t.tid: t.running + t.waits.get("gil", 0.0) for t in others}
    most = tuple(t for t in others if wanting[t.tid] >= COMPUTES)
    if most or sum(wanting.values()) < together:
        return most
    return tuple(t for t in others if wanting[t.tid] >= together / (2 * len(others)))


def _threads(number: int) -> str:
    return "1 other thread that computes" if number == 1 else f"{number} other threads that compute"
