"""Does an event loop that clients talk to compute, or wait, inside its callbacks, so that no other request advances?"""

from collections.abc import Sequence
from math import ceil, inf

import msgspec

from advisor.contention import copies_that_fit, run_share
from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Evidence, Gain, Need, Rejected
from advisor.gpu.room import left_on_gpus
from advisor.intervals import gain, throughput
from advisor.profiling.asking import profile_of
from advisor.profiling.evidence import seen_in_profile, sureness
from advisor.profiling.view import LoopProfile, ProfileView, WorkerProfile, sampling_error
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View, WorkerView
from advisor.workers import change_to, processes_after
from collectors.entities import Role, WorkerKey
from collectors.facts import ProcessFacts
from collectors.levers import Lever

LOOKS_PER_SECOND = 20.0
"""At least so often a thread's state was looked at: what the error of a share of its time is taken from."""
NOT_MOVED = ("unknown", "gil-wait", "lock", "spin")
"""Beside `OVERHEAD`: what nobody can be told to move."""
OVERHEAD = ("loop", "glue", "io", "ipc")
"""What a loop is there for; the rest is work that it does in between."""
HOLDS_LOCK = ("python", "serialise", "tokenise", "glue", "allocation", "gc")
"""Work that holds the interpreter's lock: in a thread it would go on stopping the loop."""
ACCEPT_QUEUE, TAIL = "accept_queue_mean", "latency_p99_per_p50"
MOVED = (1.0, 0.9, 0.5)
"""How much of that work moves out of the loop: at best, likely, at worst."""
LEAST_TAIL = 0.03
HELD = 0.85
"""A loop that looks at no socket for more of the time than this bounds the throughput of its process."""
CORES_FULL = 0.85
FULL = 0.8
"""A loop that computes for more of the time has none left in which short requests lower the mean of its runs."""
KEPT_WAITING = 0.2
"""Of its runnable time: a loop that waits for a CPU for more of it has runs that are long for that reason alone."""
CHANCE = 3.0
"""Standard errors by which the mean of the accept queue exceeds what is usual before it counts."""
FED = frozenset({"mlserver"})
"""Servers whose workers get their requests from the front-end, for where nobody can look who listens."""
SHORT_MAY_WAIT = 0.9
"""Likely tail after / before where long requests stay on full cores and short ones overtake them."""
DEFAULT_THREADS = 4
"""asyncio's own pool has this many threads more than there are CPUs (32 at most)."""


class EventLoopBlocked(Rule):
    """An event loop computes or waits inside a callback, and every other request of its process waits meanwhile.

    What it looks for: loops that clients talk to which wait inside callbacks (a socket, a lock, a sleep), or compute in
    long runs without looking at their sockets, while connections wait.
    Why it matters: one slow request delays all others of its process, also those that would take no time at all, and
    neither CPU use nor queues of the kernel show it.
    What to do: move the call out of the loop (a thread for what waits or releases the interpreter's lock, a process for
    what computes in Python), or run more processes: MLServer's parallel_workers at 1 or more, more uvicorn workers.
    When it is wrong: for a pool of workers behind a front-end whose own loop is free, for servers without a loop, where every
    request is short (then a busy loop is just a busy worker), and for a loop that waits for a CPU rather than compute: what
    takes its CPU is the cause then.
    """

    proven = ("live", "built")
    recovers = "latency"
    caused_by = (
        "memory-pressure",
        "swap-or-major-faults",
        "cpu-oversubscribed-openmp",
        "thread-default-ignores-quota",
        "affinity-too-narrow",
        "affinity-overlapping-pins",
        "thread-pins-collide",
        "workers-exceed-cores",
        "accept-imbalance",
        "serialisation-heavy",
        "preprocess-heavy",
        "workers-below-cores-saturated",
        "gil-bound-worker",
        "small-batches",
    )
    yields_to = ("cgroup-cpu-throttled", "cpu-noisy-neighbour", "ipc-dominates-light-model")
    thresholds = {
        "blocked_share": Threshold(
            enter=0.15, leave=0.1, unit="ratio", doc="time in which a callback waits for something else"
        ),
        "busy_share": Threshold(enter=0.25, leave=0.2, unit="ratio", doc="time in which callbacks compute"),
        "run_seconds": Threshold(
            enter=0.01,
            leave=0.007,
            unit="seconds",
            doc="mean time that a full loop computes before it looks at its sockets",
        ),
        "run_seconds_mixed": Threshold(
            enter=0.004,
            leave=0.003,
            unit="seconds",
            doc="the same of one with idle time: short requests lower the mean",
        ),
        "run_seconds_alone": Threshold(
            enter=0.05, leave=0.035, unit="seconds", doc="the same where nothing shows that requests wait"
        ),
        "long_share": Threshold(
            enter=0.08, leave=0.05, unit="ratio", doc="looks since which a loop with idle time computed without a break"
        ),
        "accept_queue": Threshold(
            enter=0.15, leave=0.1, unit="connections", doc="connections that wait to be accepted, on average"
        ),
        "in_progress": Threshold(enter=1.5, leave=1.2, unit="requests", doc="requests in progress per loop"),
        "tail_ratio": Threshold(enter=4.0, leave=3.0, unit="ratio", doc="99 % point of latency / median"),
        "cpu_wait": Threshold(
            enter=0.5, unit="ratio", doc="of the time in which the loop could run, at most so much waits for a CPU"
        ),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        if view.service.calls == "synchronous":
            return None
        faced = facing_clients(view, facts)
        waiting = _waiting(view, faced, settings)
        screened = waiting is not None and any(_runs_long(w, waiting, settings) for w in faced)
        if facts.profile is None and not screened:
            return None
        seen = profile_of(facts, "which frames keep its event loop", part="states")
        if isinstance(seen, Need):
            return seen if screened else None
        keys = {w.key for w in faced}
        looped = [w for w in seen.workers if w.key in keys and w.loop is not None]
        cpu_wait = {w.key: _cpu_wait(w, view) for w in looped}
        held = [w for w in looped if w.loop and _held(w.loop, w.seconds, waiting, settings, cpu_wait[w.key])]
        if not held:
            return None
        worst = max(held, key=lambda w: _unavailable(w.loop))
        loop = worst.loop
        if loop is None or loop.gil_wait >= loop.busy + loop.blocked:
            return None
        return _conclusion(view, facts, seen, held, loop, waiting, len(faced), settings, cpu_wait[worst.key])


def facing_clients(view: View, facts: ServiceFacts) -> tuple[WorkerView, ...]:
    """The processes whose loop clients talk to: a front-end that works or alone listens, else each that serves. A loop of a
    worker that is handed its requests one by one may well compute for as long as each takes."""
    front = view.front_end
    workers = [w for w in view.workers if w.role is Role.WORKER]
    if front is not None and (front.cores_used >= 0.05 or not workers or _feeds(front, workers, view, facts)):
        return (front,)
    return view.serving


def _feeds(front: WorkerView, workers: Sequence[WorkerView], view: View, facts: ServiceFacts) -> bool:
    """Whether the front-end hands requests to the workers, rather than that they share its socket."""
    listens = [known for w in workers if (known := _listens(w.key, view.service.port, facts)) is not None]
    if listens and _listens(front.key, view.service.port, facts):
        return not any(listens)
    return view.service.framework in FED


def _listens(key: WorkerKey, port: int | None, facts: ServiceFacts) -> bool | None:
    """Whether a process listens on the service's port; None where nobody could look."""
    known = facts.processes.get(key)
    if not isinstance(known, ProcessFacts) or not isinstance(known.listening, tuple):
        return None
    return any(port is None or each.port == port for each in known.listening)


def _waiting(view: View, faced: Sequence[WorkerView], settings: Settings) -> Evidence | None:
    """What shows that requests wait for the loop: connections that are not accepted, requests in progress, the tail.

    Equal requests that keep a loop busy ρ of the time leave ρ²/2 connections waiting for it on average, with nothing wrong:
    twice that is the least that counts, and more than chance makes of the few seconds that were looked at.
    """
    loops, looks = len(faced), len(view.accept_queue)
    queue = sum(view.accept_queue) / looks if looks else 0.0
    rho = min(1.0, sum(_main_busy(w) for w in faced) / max(1, loops))
    usual = rho * rho / 2 if rho < FULL else 0.0
    chance = 0.0 if settings.standing or not looks else CHANCE * (usual / looks) ** 0.5
    least = max(settings.limit("accept_queue"), 2 * usual, usual + chance)
    if looks and queue >= least:
        return evidence(view, ACCEPT_QUEUE, "connections", queue, max(settings.enter("accept_queue"), least))
    if view.latency_p50_seconds and view.latency_p99_seconds:
        tail = view.latency_p99_seconds / view.latency_p50_seconds
        if tail >= settings.limit("tail_ratio"):
            return evidence(view, TAIL, "ratio", tail, settings.enter("tail_ratio"))
    each = (view.in_flight or 0.0) / max(1, loops)
    if each >= settings.limit("in_progress"):
        return evidence(view, "requests_in_progress_per_loop", "requests", each, settings.enter("in_progress"))
    if (view.server_queue or 0.0) >= settings.limit("in_progress") * loops:
        return evidence(view, "requests_waiting", "requests", view.server_queue or 0.0, settings.enter("in_progress"))
    return None


def _runs_long(worker: WorkerView, waiting: Evidence, settings: Settings) -> bool:
    """The screen without a profile: the main thread computes for long between two times of giving its core away."""
    main = next((t for t in worker.threads if t.thread_class == "main"), None)
    if main is None or _main_busy(worker) < settings.limit("busy_share"):
        return False
    slices = main.slices_per_second if main.slices_per_second is not None else worker.switches_per_second
    return slices is not None and main.cores_used >= _long(main.cores_used, waiting, settings) * slices


def _main_busy(worker: WorkerView) -> float:
    return sum(t.cores_used + t.waiting_cores for t in worker.threads if t.thread_class == "main")


def _long(busy: float, waiting: Evidence | None, settings: Settings) -> float:
    """From what mean run on a loop counts as held, by how busy it is and what shows that requests wait."""
    return settings.limit(_longest(busy, waiting))


def _longest(busy: float, waiting: Evidence | None) -> str:
    """The threshold that counts. Requests in progress beside a loop with idle time may wait for anything."""
    if waiting is None or (busy < FULL and waiting.metric not in (ACCEPT_QUEUE, TAIL)):
        return "run_seconds_alone"
    return "run_seconds_mixed" if busy < FULL and waiting.metric == ACCEPT_QUEUE else "run_seconds"


def _error(share: float, seconds: float) -> float:
    return sampling_error(share, LOOKS_PER_SECOND * seconds)


def _cpu_wait(worker: WorkerProfile, view: View) -> float:
    """Of the time in which the loop could run, the share for which it waited for a CPU: while it was looked at, else now."""
    loop = worker.loop
    thread = next((t for t in worker.threads if loop is not None and t.tid == loop.tid), None)
    if thread is not None and thread.delay_cores is not None and thread.running > 0:
        return min(1.0, thread.delay_cores / thread.running)
    main = [t for w in view.workers if w.key == worker.key for t in w.threads if t.thread_class == "main"]
    return 1 - run_share(main)


def _held(loop: LoopProfile, seconds: float, waiting: Evidence | None, settings: Settings, cpu_wait: float) -> bool:
    """Whether it waits inside its callbacks, or computes in them without a break. A loop that waits for a CPU finds the next
    requests there when it has one: it takes them in one run, however short each of them is."""
    if loop.blocked - _error(loop.blocked, seconds) >= settings.limit("blocked_share"):
        return True
    computes = loop.busy * (1 - cpu_wait)
    work = computes * (1 - sum(loop.work.get(name, 0.0) for name in (*OVERHEAD, *NOT_MOVED)))
    if cpu_wait > settings.limit("cpu_wait") or work - _error(work, seconds) < settings.limit("busy_share"):
        return False
    least = _long(loop.busy, waiting, settings)
    if cpu_wait >= KEPT_WAITING and computes < FULL:
        least = max(least, settings.limit("run_seconds" if loop.busy < FULL else "run_seconds_alone"))
    return (loop.run_seconds is not None and loop.run_seconds >= least) or _seen_long(loop, seconds, settings, cpu_wait)


def _seen_long(loop: LoopProfile, seconds: float, settings: Settings, cpu_wait: float) -> bool:
    """Whether it was seen to compute for long: the mean run is no witness where many short requests are among them. A loop
    without idle time looks at its sockets between its callbacks without a break, so that nothing is seen of it. In a run it
    may have waited for a CPU as well."""
    computed = (loop.long_run_seconds or 0.0) * (1 - cpu_wait)
    if loop.busy >= FULL or computed < settings.limit("run_seconds_alone"):
        return False
    return loop.long_share - _error(loop.long_share, seconds) >= settings.limit("long_share")


def _unavailable(loop: LoopProfile | None) -> float:
    """Share of time in which the loop looks at no socket."""
    return 0.0 if loop is None else min(0.98, loop.busy + loop.blocked + loop.gil_wait)


def _conclusion(
    view: View,
    facts: ServiceFacts,
    seen: ProfileView,
    held: Sequence[WorkerProfile],
    loop: LoopProfile,
    waiting: Evidence | None,
    loops: int,
    settings: Settings,
    cpu_wait: float,
) -> Conclusion:
    waits, more = _waits(loop), _more_workers(view, facts)
    limit = msgspec.structs.replace(seen, workers=tuple(held))
    what = _what(loop)
    run = loop.run_seconds
    return Conclusion(
        subject=subject_of(view),
        title=f"The event loop {'waits' if waits else 'computes'} inside its callbacks "
        f"{loop.blocked if waits else loop.busy:.0%} of the time: {'move the call' if waits else 'move the work'} out of it",
        summary=f"Of its time the loop computed {loop.busy:.0%}, waited inside a callback {loop.blocked:.0%}{_for(loop)}, and "
        f"waited for events {loop.idle:.0%}."
        + (f" It computed {run * 1e3:.0f} ms on average between two times of waiting." if run is not None else "")
        + (f" Most of it in {what}." if what else "")
        + " Every other request of the process waits meanwhile.",
        confidence=sureness(0.85 if waiting is not None else 0.7, limit),
        evidence=(
            seen_in_profile(limit, "loop_busy_share", "ratio", loop.busy, settings.enter("busy_share")),
            seen_in_profile(limit, "loop_blocked_share", "ratio", loop.blocked, settings.enter("blocked_share")),
            seen_in_profile(limit, "loop_share_error", "ratio", _error(_unavailable(loop), held[0].seconds)),
            *(
                (seen_in_profile(limit, "loop_run_seconds", "seconds", run, settings.enter(_longest(loop.busy, waiting))),)
                if run is not None
                else ()
            ),
            seen_in_profile(limit, "loop_long_run_share", "ratio", loop.long_share, settings.enter("long_share")),
            seen_in_profile(limit, "loop_cpu_wait_share", "ratio", cpu_wait, settings.enter("cpu_wait")),
            *((waiting,) if waiting is not None else ()),
            *asked(view),
        ),
        rejected=(
            Rejected("gil-convoy", f"the loop waits for the interpreter's lock {loop.gil_wait:.0%} of the time"),
            Rejected("serialisation-heavy", f"{loop.work.get('serialise', 0.0):.0%} of what the loop computes is payload"),
            Rejected("workers-exceed-cores", f"run-queue delay is {view.delay_share:.0%} of runnable time"),
            Rejected("cpu-noisy-neighbour", f"the loop waits for a CPU {cpu_wait:.0%} of the time in which it could run"),
            Rejected("io-bound-workers", f"the loop computes {loop.busy:.0%} and waits inside callbacks {loop.blocked:.0%}"),
        ),
        changes=_changes(view, loop, waits, more),
        gains=_gains(view, loop, waiting, loops, more),
    )  # fmt: skip


def _waits(loop: LoopProfile) -> bool:
    """Whether waiting inside callbacks, rather than computing, is what holds it."""
    return loop.blocked >= loop.busy / 2


def _what(loop: LoopProfile) -> str:
    spots = sorted(loop.hot, key=lambda s: -s.share)
    return "; ".join(dict.fromkeys(spot.where for spot in spots[:2]))


def _for(loop: LoopProfile) -> str:
    """What its callbacks wait for, as ` (outbound)`."""
    kinds = sorted((k for k, v in loop.waits.items() if v >= 0.02), key=lambda k: -loop.waits[k])
    return f" ({', '.join(kinds[:2])})" if kinds else ""


def _changes(view: View, loop: LoopProfile, waits: bool, more: Change | None) -> tuple[Change, ...]:
    holds = sum(loop.work.get(name, 0.0) for name in HOLDS_LOCK)
    pool = "thread" if waits or holds < 0.5 else "process pool"
    offload = Change(lever=Lever.LOOP_OFFLOAD, current="event loop", proposed=pool)
    return (more, offload) if more is not None and view.service.framework == "mlserver" else tuple(
        change for change in (offload, more) if change is not None
    )  # fmt: skip


def _more_workers(view: View, facts: ServiceFacts) -> Change | None:
    """More processes: MLServer's pool where the front-end runs the models itself, else one per idle core."""
    if view.service.framework == "mlserver":
        alone = not any(w.role is Role.WORKER for w in view.workers)
        return Change(lever=Lever.WORKERS, current=0, proposed=1) if alone else None
    count = len(view.serving)
    room = ceil(count * left_on_gpus(view) - 0.25)
    target = min(ceil(view.effective_cores - 0.25), count + copies_that_fit(view), room)
    if view.established is not None:  # a process more than there are connections would have nothing to do
        target = min(target, max(count + 1, ceil(view.established)))
    return change_to(view, facts, target) if target > count else None


def _gains(
    view: View, loop: LoopProfile, waiting: Evidence | None, loops: int, more: Change | None
) -> tuple[Gain, ...]:
    """Waiting for a loop that is held ρ of the time goes as ρ / (1 − ρ) (Pollaczek-Khinchine), and as the length of its
    runs, which the lower bound leaves out. What moves out of it is at least half of what its callbacks hold it with."""
    full = view.cores_used / view.effective_cores >= CORES_FULL
    waits = _waits(loop)
    if full and not waits:  # the work stays on the same cores: only short requests overtake long ones
        likely = SHORT_MAY_WAIT if waiting is not None and waiting.metric == TAIL else 1.0
        return (gain("latency_p99_ratio", 0.3, likely, 1.2),)
    rho = _unavailable(loop)
    if rho >= HELD:  # requests queue for the loop: what a queue of a given length takes goes as 1 / throughput
        ratio = _capacity(view, loop, loops, waits, more)
        return (ratio, gain("latency_p99_ratio", 0.5 / ratio.p90, 1 / ratio.p50, 1.1))
    overhead = loop.busy * sum(loop.work.get(name, 0.0) for name in OVERHEAD)
    moved = max(0.0, loop.blocked + loop.busy - overhead)
    best, likely, worst = (max(0.01, rho - moved * part) for part in MOVED)
    before = rho / (1 - rho)
    low, middle, high = (max(LEAST_TAIL, after / (1 - after) / before) for after in (best, likely, worst))
    return (gain("latency_p99_ratio", low, middle, max(high, 0.9)),)


def _capacity(view: View, loop: LoopProfile, loops: int, waits: bool, more: Change | None) -> Gain:
    """A held loop serves one request after the other. Waits overlap, as many as connections and threads of the default
    pool allow, until what it computes fills it; computing spreads over idle cores."""
    rho = _unavailable(loop)
    known = view.in_flight if view.in_flight is not None else view.established
    if not waits:
        reachable = _reachable(view, loop, more)
        bound = min(view.effective_cores / max(0.05, view.cores_used), reachable, (known or inf) / loops)
        return throughput(1.0, max(1.0, 0.8 * bound), max(1.0, 1.05 * bound))
    at_once = min(len(view.online) + DEFAULT_THREADS, known / loops if known else len(view.online) + DEFAULT_THREADS)
    cores = view.effective_cores / max(0.02, view.cores_used)
    bound = max(1.0, min(at_once, rho / max(0.01, rho - loop.blocked), cores))
    return throughput(1 + 0.3 * (bound - 1), 1 + 0.75 * (bound - 1), bound * 1.05)


def _reachable(view: View, loop: LoopProfile, more: Change | None) -> float:
    """By how much computing may grow with what is proposed, until what stays in one process fills that. The pool of MLServer
    is one process, and payloads stay with the front-end; a pool of one's own has as many as there are cores; more processes
    serve as many loops."""
    stays = sum(loop.work.get(name, 0.0) for name in OVERHEAD)
    if view.service.framework == "mlserver":
        stays = min(1.0, stays + loop.work.get("serialise", 0.0))
        return 1 / max(0.05, stays, 1 - stays) if more is not None else 1 / max(0.05, stays)
    processes = processes_after(view, more) / len(view.serving) if more is not None else 1.0
    return max(processes, 1 / max(0.05, stays))
