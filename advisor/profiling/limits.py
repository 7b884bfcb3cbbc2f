"""Which processes hold a service back, and what would it gain if a kind of their work took less time?

Where the cores are full, any CPU time that is saved helps; where one process is saturated beside idle cores, only its own
does, and only until another process is saturated in its place (Amdahl's law, by stage).
"""

from collections.abc import Sequence

import msgspec

from advisor.finding import Gain
from advisor.intervals import gain, latency_p50_of, throughput
from advisor.profiling.view import ProfileView, WorkerProfile
from advisor.rule import Settings, Threshold
from advisor.view import View, WorkerView
from collectors.entities import Role

PRESSURE: dict[str, Threshold] = {
    "process_busy": Threshold(
        enter=0.8, leave=0.65, unit="ratio", doc="runnable share of the busiest process's Python threads"
    ),
    "cores_full": Threshold(enter=0.85, leave=0.7, unit="ratio", doc="cores used / cores left by others"),
}
"""From where on a service is held back by CPU time: below both, what its CPU time goes into is nobody's loss yet."""

LOCK_HELD = 0.7
"""Share of the time for which some thread holds the interpreter's lock from where on its threads are one resource."""
ONE_CORE = 1.15
"""Threads that share the lock use about one core at most."""
PARALLEL_CEILING = 1000.0
"""No ratio above this is claimed, whatever a share near 1 would give."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """How large a part of CPU time some work may be: bounds that hold its sampling error and what is not known."""

    least: float
    likely: float
    most: float


def busy(worker: WorkerView, profile: WorkerProfile | None = None) -> float:
    """How much of the time a process could not have done more: its busiest thread, or its Python threads together, as far as
    they share one lock. Which threads are Python's, and whether the lock is what they share, is told by the profile: code
    that releases it (decoding, kernels) runs in as many threads as there are."""
    known = {t.tid for t in profile.threads if t.python} if profile else set()
    python = [t for t in worker.threads if (t.tid in known if known else t.thread_class in ("main", "python"))]
    together = sum(t.cores_used + t.waiting_cores for t in python)
    single = max((t.cores_used + t.waiting_cores for t in worker.threads), default=0.0)
    if profile is not None:
        held = profile.gil_held.value if profile.gil_held is not None else float(together <= ONE_CORE)
        together = together if held >= LOCK_HELD else min(together, held)
    return min(1.0, max(single, together))


def fullness(view: View) -> float:
    """Cores that the service uses of those that others leave."""
    return view.cores_used / view.effective_cores


def busiest(view: View, seen: ProfileView | None = None) -> float:
    """The most of any process, with the profiles that there are."""
    profiles = {profile.key: profile for profile in seen.workers} if seen is not None else {}
    return max((busy(w, profiles.get(w.key)) for w in view.workers), default=0.0)


def pressed(view: View, settings: Settings) -> bool:
    """Whether CPU time may hold the service back, as far as the samples tell: reason enough to look inside its workers.
    Which threads share a lock only a profile shows, so that all of a process count here."""
    most = max((w.runnable for w in view.workers), default=0.0)
    return most >= settings.limit("process_busy") or fullness(view) >= settings.limit("cores_full")


def of_service(view: View, seen: ProfileView) -> ProfileView:
    """The profiles, weighted by the CPU time that all processes of their role use now: only some of many workers are looked
    into, and stand for the others, while there is one front-end."""
    of = {w.key: w for w in view.workers}
    used, looked = dict.fromkeys(Role, 0.0), dict.fromkeys(Role, 0.0)
    for worker in view.workers:
        used[worker.role] += worker.cores_used
    for profile in seen.workers:
        if (one := of.get(profile.key)) is not None:
            looked[one.role] += one.cores_used

    def weighted(profile: WorkerProfile) -> WorkerProfile:
        one = of.get(profile.key)
        if one is None or looked[one.role] <= 0:
            return profile
        return msgspec.structs.replace(profile, cores=one.cores_used * used[one.role] / looked[one.role])

    return msgspec.structs.replace(seen, workers=tuple(weighted(w) for w in seen.workers))


def limiting(view: View, seen: ProfileView, settings: Settings) -> ProfileView | None:
    """The profiles of the processes whose CPU time bounds the throughput; None where CPU time does not bound it."""
    if fullness(view) >= settings.limit("cores_full"):
        return of_service(view, seen)
    of = {w.key: w for w in view.workers}
    saturated = tuple(w for w in seen.workers if w.key in of and busy(of[w.key], w) >= settings.limit("process_busy"))
    return msgspec.structs.replace(seen, workers=saturated) if saturated else None


def part_of(seen: ProfileView, *work: str, along: Sequence[str] = ()) -> Part:
    """The part of CPU time in these classes. `along` names classes that go with the work (memory that it asks for): none
    of them at least, in proportion as the likely case, all at most, as also all that is of no known class."""
    share, beside, unknown = seen.share(*work), seen.share(*along), seen.share("unknown")
    known = max(1e-9, 1 - beside.value - unknown.value)
    ratio = min(1.0, share.value / known)
    return Part(
        least=max(0.0, share.value - share.error),
        likely=min(1.0, share.value + ratio * beside.value),
        most=min(1.0, share.value + share.error + beside.value + unknown.value),
    )


def speedup(part: float, left: float) -> float:
    """Amdahl: the whole's speed-up when `part` of it takes only `left` of its time."""
    return min(PARALLEL_CEILING, 1 / max(1e-9, 1 - part + part * left))


def ceiling(view: View, limit: ProfileView) -> float:
    """By how much the throughput can grow before a process that is not among `limit` is saturated in its turn. Others of the
    same role do the same work: they were not looked into, and gain as much."""
    limited = {w.key for w in limit.workers}
    roles = {w.role for w in view.workers if w.key in limited}
    others = [busy(w) for w in view.workers if w.role not in roles]
    return 1 / max(0.05, *others) if others else PARALLEL_CEILING


def faster(view: View, limit: ProfileView, low: float, likely: float, high: float) -> tuple[Gain, Gain, Gain]:
    """Throughput and latencies when the limiting processes need that much less CPU time a request."""
    top = ceiling(view, limit)
    ratio = throughput(min(low, top), min(likely, top), min(high, top))
    middle = latency_p50_of(ratio, slack=0.15)
    tail = gain("latency_p99_ratio", 0.8 / ratio.p90, 1.1 / ratio.p50, 1.3 / ratio.p10)
    return ratio, middle, tail
