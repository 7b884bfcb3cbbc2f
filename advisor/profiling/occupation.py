"""How many of a service's request threads are occupied, and is it the process itself or something outside that holds them?

A request thread is one that the server gives to a request: the main thread of a worker without threads, else every Python
thread beside the event loop.
"""

import msgspec

from advisor.facts import ServiceFacts
from advisor.profiling.view import ProfileView, ThreadShare, WorkerProfile
from advisor.view import View
from collectors.entities import WorkerKey
from collectors.facts import ProcessFacts
from collectors.profiles.profile import Wait

INSIDE: tuple[Wait, ...] = ("lock", "gil", "device")
"""Waits for what the process itself, or its device, has too little of: more threads would wait for it too."""
OUTSIDE: tuple[Wait, ...] = ("outbound", "disk")
LOCAL: tuple[Wait, ...] = ("unix", "pipe")
"""Waits for another process of the node. In a worker that is handed its requests this way they are its idleness."""


class Occupation(msgspec.Struct, frozen=True, kw_only=True):
    """Mean numbers of request threads, over all serving workers. `kinds`: those outside, by what they wait for."""

    threads: float
    """Request threads that there are."""
    computing: float
    inside: float
    kinds: dict[Wait, float]

    @property
    def outside(self) -> float:
        return sum(self.kinds.values())

    @property
    def occupied(self) -> float:
        return min(self.threads, self.computing + self.inside + self.outside)


def occupation_of(view: View, seen: ProfileView, facts: ServiceFacts) -> Occupation | None:
    """What the profiled workers show, taken for all that serve; None where none of those was profiled."""
    known = {w.key: w.request_threads for w in view.service.serving}
    profiles = [w for w in seen.workers if w.key in known]
    if not profiles:
        return None
    each = [_of_worker(w, known[w.key], _accepts(w.key, facts)) for w in profiles]
    scale = len(known) / len(each)
    kinds: dict[Wait, float] = {}
    for one in each:
        for kind, number in one.kinds.items():
            kinds[kind] = kinds.get(kind, 0.0) + scale * number
    return Occupation(
        threads=scale * sum(one.threads for one in each),
        computing=scale * sum(one.computing for one in each),
        inside=scale * sum(one.inside for one in each),
        kinds=kinds,
    )


def _of_worker(worker: WorkerProfile, threads: int | None, accepts: bool) -> Occupation:
    waits = _waits(_request_threads(worker, threads))
    computing = sum(t.running for t in _request_threads(worker, threads))
    inside = sum(waits.get(kind, 0.0) for kind in INSIDE)
    kinds = {kind: waits[kind] for kind in (*OUTSIDE, *(LOCAL if accepts else ())) if waits.get(kind)}
    idle = waits.get("futex", 0.0)
    if threads is not None:  # a thread that sleeps may be none of the server's, where it is one too many
        asleep = min(waits.get("sleep", 0.0), max(0.0, threads - computing - inside - sum(kinds.values()) - idle))
        if asleep > 0:
            kinds["sleep"] = asleep
    there = threads if threads is not None else computing + inside + sum(kinds.values()) + idle
    return Occupation(threads=float(there), computing=computing, inside=inside, kinds=kinds)


def _request_threads(worker: WorkerProfile, threads: int | None) -> list[ThreadShare]:
    main = [t for t in worker.threads if t.tid == worker.key.pid]
    if threads == 1 and main:
        return main
    loop = worker.loop.tid if worker.loop else None
    return [t for t in worker.threads if t.python and t.tid != loop]


def _waits(threads: list[ThreadShare]) -> dict[Wait, float]:
    total: dict[Wait, float] = {}
    for thread in threads:
        for kind, part in thread.waits.items():
            total[kind] = total.get(kind, 0.0) + part
    return total


def _accepts(key: WorkerKey, facts: ServiceFacts) -> bool:
    """Whether the worker takes its requests from a socket of its own rather than from another process."""
    known = facts.processes.get(key)
    return isinstance(known, ProcessFacts) and isinstance(known.listening, tuple) and bool(known.listening)
