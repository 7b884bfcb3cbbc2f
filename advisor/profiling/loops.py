"""Which thread runs the event loop, and what does it do with its time?"""

from collections import Counter

from advisor.profiling.classify import Classified, frame_text
from advisor.profiling.estimate import divide
from advisor.profiling.groups import group_of, running_part, waiting_parts
from advisor.profiling.table import Table
from advisor.profiling.view import HotSpot, LoopProfile
from collectors.profiles.profile import Profile, ThreadProfile, Wait

IDLE: tuple[Wait, ...] = ("loop", "listening")
HOT_LIMIT = 12


def loop_of(profile: Profile, known: Classified, table: Table) -> LoopProfile | None:
    """The event loop of the process; of several the one that was seen most. None where there is none, or nobody looked at
    the states of its threads."""
    threads = {thread.tid: thread for thread in profile.threads if thread.looks}
    seen = Counter[int]()
    for counts in (profile.active, profile.gil, profile.waiting):
        for one in counts:
            if one.tid in threads and known.in_loop(one.stack):
                seen[one.tid] += one.count
    if not seen:
        return None
    thread = threads[seen.most_common(1)[0][0]]
    waits = waiting_parts(thread, profile)
    blocked = {wait: share for wait, share in waits.items() if wait not in (*IDLE, "gil")}
    busy = running_part(thread, profile) if waits else 1.0
    parts = divide(group_of([thread], profile, known, table).seen, table)
    return LoopProfile(
        tid=thread.tid,
        idle=sum(waits.get(wait, 0.0) for wait in IDLE),
        busy=busy,
        gil_wait=waits.get("gil", 0.0),
        blocked=sum(blocked.values()),
        run_seconds=_run_seconds(thread),
        long_share=thread.unbroken / max(1, thread.looks),
        long_run_seconds=_long_run_seconds(thread, profile.seconds),
        work={work: part.value for work, part in parts.items()},
        waits=blocked,
        hot=_hot(profile, known, thread.tid, busy, blocked),
    )


def _run_seconds(thread: ThreadProfile) -> float | None:
    if thread.run_seconds is None or thread.switches is None:
        return None
    return thread.run_seconds / max(1, thread.switches)


def _long_run_seconds(thread: ThreadProfile, seconds: float) -> float | None:
    """A run that held for k gaps between looks began and ended inside a gap each: k + 1 gaps on average."""
    if not thread.unbroken_runs:
        return None
    return (thread.unbroken / thread.unbroken_runs + 1) * seconds / max(1, thread.looks)


def _hot(profile: Profile, known: Classified, tid: int, busy: float, blocked: dict[Wait, float]) -> tuple[HotSpot, ...]:
    """Functions that callbacks compute or are blocked in, as shares of wall time: the innermost of the application, else
    the innermost of all."""
    spots: dict[tuple[str, str, str], float] = {}
    texts: dict[tuple[str, str, str], Counter[str]] = {}

    def add(stack: int, share: float, work: str | None) -> None:
        frame = _below_callback(known, stack)
        if frame is None or share <= 0:
            return
        shown = profile.frames[frame]
        key = shown.name, shown.file, work or known.work(stack)
        spots[key] = spots.get(key, 0.0) + share
        texts.setdefault(key, Counter())[frame_text(shown, known.known(frame).place)] += 1

    running = [seen for seen in profile.active if seen.tid == tid]
    looks = sum(seen.count for seen in running)
    for seen in running:
        add(seen.stack, busy * seen.count / looks, None)
    waiting = [seen for seen in profile.waiting if seen.tid == tid and seen.wait in blocked]
    looks = sum(wait.count for wait in waiting)
    for wait in waiting:
        add(wait.stack, sum(blocked.values()) * wait.count / looks, wait.wait)
    hottest = sorted(spots, key=lambda key: -spots[key])[:HOT_LIMIT]
    return tuple(HotSpot(where=texts[key].most_common(1)[0][0], share=spots[key], work=key[2]) for key in hottest)


def _below_callback(known: Classified, stack: int) -> int | None:
    frames = known.frames(stack)
    innermost = next((at for at in reversed(range(len(frames))) if known.known(frames[at]).callback), None)
    if innermost is None or innermost + 1 == len(frames):
        return None
    below = frames[innermost + 1 :]
    if known.known(below[0]).work == "loop" and len(below) == 1:  # the loop waits, or keeps its books
        return None
    return next((frame for frame in reversed(below) if known.known(frame).place.origin == "own"), below[-1])
