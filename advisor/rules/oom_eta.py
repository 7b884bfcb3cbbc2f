"""Will the service run out of memory, and when, or has it already?"""

import msgspec

from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Evidence, Rejected
from advisor.gpu.amounts import lasting
from advisor.gpu.growth import PARTS
from advisor.leak import Leak, leak_of, requests_per_second
from advisor.memory_stretches import FALL
from advisor.memory_want import STEP_BYTES, amount, limit_that_fits, want_of
from advisor.rule import Rule, Settings, Threshold, Verdict, evidence, subject_of
from advisor.view import View
from collectors.entities import Role
from collectors.levers import Lever
from collectors.registry import framework_named

OF_ROOM = 0.5
"""Of the memory that is left, the part that leaks may take until workers are replaced."""
LEAST_REQUESTS = 100
"""Workers that are replaced more often spend their time on starting."""
MANY_THREADS = 16
MORE, MORE_BYTES = 1.2, 100_000_000
"""What a limit is raised by after a kill where it is not known what is needed, as the vertical autoscaler of Kubernetes
does."""


class OomEta(Rule):
    """The memory of the service's processes grows without end, so that it will be killed, or some were killed already.

    What it looks for: resident memory over slices of five seconds, after half an hour over minutes, since the first request
    or since it began to grow: a slope (the median of those of all pairs) whose interval excludes 0 and that holds in every
    part of the time, against what the cgroup's limit or the node leaves. Processes of its cgroup that the kernel killed for
    memory are a finding by themselves.
    Why it matters: at the end the kernel kills a worker with all of its requests, or the whole container.
    What to do: find what keeps the memory (memray on one worker); until then replace workers after so many requests that
    half of what is left is never used. After a kill without growth: a higher limit, or fewer workers.
    When it is wrong: early. After a minute it is provisional and says so; it draws out no more than ten times what it saw. A
    cache that warms up slower and slower and so ends before nothing is left, a step, page cache and memory that comes back
    are left out; a cache that fills evenly up to its size looks like a leak until it is full. A change of the configuration
    or a replaced worker begins anew.
    """

    proven = ("live", "built")
    of_trend = True
    recovers = "memory"
    needs_load = False
    minimum_samples = 0
    hold_seconds = 120.0
    thresholds = {
        "full_in_seconds": Threshold(
            enter=21600, leave=43200, unit="seconds", doc="until nothing is left at this growth"
        ),
        "times_seen": Threshold(
            enter=10, leave=20, unit="ratio", doc="that time / the time for which it was seen to grow"
        ),
        "oom_kills": Threshold(
            enter=1, unit="processes", doc="of its cgroup that were killed for memory in the last minute"
        ),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        killed = view.memory.oom_kills or 0
        limited = view.cgroup is not None and view.cgroup.memory_limit_bytes is not None
        leak = _soon(view, facts, settings)
        if limited and killed >= settings.limit("oom_kills"):
            return self._killed(view, facts, settings, killed, leak)
        if leak is None:
            return None
        change = _recycle(view, facts, leak)
        return Conclusion(
            subject=subject_of(view),
            title=f"memory grows by {amount(60 * leak.growth.likely)} a minute: none is left in about "
            f"{lasting(leak.full_in[1])}",
            summary=_summary(view, facts, leak),
            confidence=_confidence(facts, leak),
            evidence=_evidence(view, settings, leak),
            rejected=_rejected(view, leak),
            changes=() if change is None else (change,),
            harm="runs-out-of-memory",
        )

    @staticmethod
    def _killed(view: View, facts: ServiceFacts, settings: Settings, killed: int, leak: Leak | None) -> Conclusion:
        change = _recycle(view, facts, leak) if leak is not None else _raised(view, facts)
        many = "1 process" if killed == 1 else f"{killed} processes"
        said = [f"The kernel killed {many} of its cgroup in the last minute."]
        said.append(_summary(view, facts, leak) if leak else "Its memory was not seen to grow steadily before.")
        return Conclusion(
            subject=subject_of(view),
            title=f"{many} killed for memory at its limit of {amount((view.cgroup and view.cgroup.memory_limit_bytes) or 0)}",
            summary=" ".join(said),
            confidence=0.95,
            evidence=(
                msgspec.structs.replace(
                    evidence(view, "oom_kills", "processes", killed, settings.enter("oom_kills")),
                    window_seconds=60.0,
                    samples=60,
                ),
                *_held(view),
                *(_evidence(view, settings, leak) if leak else ()),
            ),
            rejected=_rejected(view, leak) if leak else (),
            changes=() if change is None else (change,),
            harm="runs-out-of-memory",
        )


def _soon(view: View, facts: ServiceFacts, settings: Settings) -> Leak | None:
    """A growth that ends soon, compared with how long it was seen, and before workers are replaced anyway."""
    leak = leak_of(view)
    if leak is None:
        return None
    until = leak.full_in[1]
    far = until > settings.limit("full_in_seconds") or until > settings.limit("times_seen") * leak.growth.seconds
    after, rate = _recycled_after(facts), requests_per_second(view)
    replaced_in = after * len(view.serving) / rate if after and rate else None
    return None if far or (replaced_in is not None and replaced_in < until) else leak


def _recycled_after(facts: ServiceFacts) -> int:
    """Requests after which a worker is replaced; 0 = never, or not known."""
    setting = facts.setting(Lever.RECYCLE_AFTER)
    value = setting.value if setting is not None else None
    return value if isinstance(value, int) else 0


def _recycle(view: View, facts: ServiceFacts, leak: Leak) -> Change | None:
    """After how many requests a worker should be replaced: all of them together then leak half of what is left. Only where
    something replaces a worker that ends."""
    framework, rate = framework_named(facts.service.framework), requests_per_second(view)
    workers = [w for w in view.service.workers if w.role is Role.WORKER]
    if (
        framework is None
        or framework.knob(Lever.RECYCLE_AFTER) is None
        or rate is None
        or not workers
        or not leak.asked
    ):
        return None
    each = OF_ROOM * leak.room[1] / leak.growth.likely * rate / len(workers)
    if each < LEAST_REQUESTS:
        return None
    digits = 10 ** (len(str(int(each))) - 2)
    now = facts.setting(Lever.RECYCLE_AFTER)
    proposed = int(each) // digits * digits
    return Change(lever=Lever.RECYCLE_AFTER, current=now.value if now is not None else None, proposed=proposed)


def _raised(view: View, facts: ServiceFacts) -> Change | None:
    """To what it is known to need, as `memory-pressure` says too; where that is not known, by a fifth."""
    fits = limit_that_fits(view, facts, want_of(view, 0.0, 0.0))
    if fits is not None:
        return fits
    limit = view.cgroup.memory_limit_bytes if view.cgroup else None
    if limit is None:
        return None
    proposed = -(-round(max(MORE * limit, limit + MORE_BYTES)) // STEP_BYTES) * STEP_BYTES
    free = view.memory_available_bytes
    if free is not None and proposed - limit > free:
        return None
    return Change(lever=Lever.MEMORY_LIMIT, current=limit, proposed=proposed)


def _confidence(facts: ServiceFacts, leak: Leak) -> float:
    """The less, the further it is drawn out; half of it where workers are replaced at a time that is not known."""
    sure = 0.25 + 0.6 * min(1.0, leak.growth.seconds / max(1.0, leak.full_in[1]))
    return sure / 2 if _recycled_after(facts) else sure


def _summary(view: View, facts: ServiceFacts, leak: Leak) -> str:
    low, high = lasting(leak.full_in[0]), lasting(leak.full_in[2])
    when = low if low == high else f"{low} to {high}"
    what = "its memory limit" if leak.where == "limit" else "the node"
    said = [
        f"{amount(leak.room[1])} are left of {what}: used up in {when}. Seen for {lasting(leak.growth.seconds)}"
        f"{'' if leak.asked else ' without any request'}, {'provisional.' if leak.growth.seconds < 1800 else 'steadily.'}",
        "Look for what keeps it: memray on one worker.",
    ]
    threads = max((w.thread_count or 0 for w in view.serving), default=0)
    if threads >= MANY_THREADS and facts.environ_readable and not _own_allocator(facts):
        said.append(
            f"With {threads} threads glibc's arenas may be it: MALLOC_ARENA_MAX=2 in the environment tells; if it grows as "
            "before, it is a leak."
        )
    return " ".join(said)


def _own_allocator(facts: ServiceFacts) -> bool:
    preloaded = facts.environ("LD_PRELOAD") or ""
    return facts.environ("MALLOC_ARENA_MAX") is not None or any(
        n in preloaded for n in ("jemalloc", "tcmalloc", "mimalloc")
    )


def _held(view: View) -> tuple[Evidence, ...]:
    cgroup = view.cgroup
    known = (
        ("resident_memory", view.resident_bytes),
        ("memory_charged", cgroup.memory_current_bytes if cgroup else None),
        ("memory_limit", cgroup.memory_limit_bytes if cgroup else None),
        ("node_memory_available", view.memory_available_bytes),
    )
    return tuple(evidence(view, name, "bytes", value) for name, value in known if value is not None)


def _evidence(view: View, settings: Settings, leak: Leak) -> tuple[Evidence, ...]:
    until, growth = leak.full_in[1], leak.growth
    numbers = (
        ("memory_growth", "bytes_per_second", growth.likely, None),
        ("memory_growth_p10", "bytes_per_second", growth.low, 0.0),
        ("full_in", "seconds", until, settings.enter("full_in_seconds")),
        ("full_in_per_time_seen", "ratio", until / growth.seconds, settings.enter("times_seen")),
    )
    return (
        *(
            Evidence(
                metric=name, unit=unit, observed=round(value, 1), threshold=limit,
                window_seconds=round(growth.seconds, 1), samples=growth.points,
            )
            for name, unit, value, limit in numbers
        ),
        *_held(view),
    )  # fmt: skip


def _rejected(view: View, leak: Leak) -> tuple[Rejected, ...]:
    first, second = leak.halves
    charged = view.cgroup.memory_current_bytes if view.cgroup else None
    found = [
        Rejected(
            "a cache that warms up", f"it grew by {amount(first)} in the first half and {amount(second)} in the second"
        ),
        Rejected("a step", f"it grew in each of {PARTS} parts of {lasting(leak.growth.seconds)}"),
        Rejected("memory that comes back", f"it never fell by {1 - FALL:.0%} meanwhile"),
    ]
    if charged is not None and view.resident_bytes is not None:
        found.append(
            Rejected("page cache", f"{amount(view.resident_bytes)} of it are of its processes, which is what grew")
        )
    return tuple(found)
