"""Which threads of a process do the same kind of work, and what was seen of them together?"""

import re
from collections import Counter
from collections.abc import Iterable
from fnmatch import fnmatchcase

import msgspec

from advisor.profiling.classify import Classified
from advisor.profiling.estimate import Seen
from advisor.profiling.native_work import NativeWork
from advisor.profiling.table import Table
from collectors.profiles.profile import Profile, ThreadProfile, Wait

_DIGITS = re.compile(r"\d+")


class Group(msgspec.Struct, kw_only=True):
    """Threads whose names differ in digits only: few looks at each are many at all."""

    tids: tuple[int, ...]
    seen: Seen


SHORT_LIVED = 0.5
"""A thread that was there at fewer than this share of the looks came or went meanwhile; some looks at any thread fail."""


def lived(thread: ThreadProfile, profile: Profile) -> float:
    """Share of the profile for which a thread existed, as looks tell: servers may start one for each request."""
    whole = max(each.looks for each in profile.threads)
    part = thread.looks / whole if whole else 1.0
    return part if part < SHORT_LIVED else 1.0


def cpu_seconds(thread: ThreadProfile, profile: Profile) -> float:
    """CPU time of a thread over the profile; where the kernel did not tell, from the looks at which it was running."""
    if thread.run_seconds is not None:
        return thread.run_seconds
    return profile.seconds * lived(thread, profile) * thread.running / thread.looks if thread.looks else 0.0


def running_part(thread: ThreadProfile, profile: Profile) -> float:
    """Share of wall time in which a thread ran or was runnable: as the kernel counted it, else as looks saw it."""
    if thread.run_seconds is not None and thread.delay_seconds is not None and profile.seconds > 0:
        return min(1.0, (thread.run_seconds + thread.delay_seconds) / profile.seconds)
    return lived(thread, profile) * thread.running / thread.looks if thread.looks else 0.0


def waiting_parts(thread: ThreadProfile, profile: Profile) -> dict[Wait, float]:
    """Shares of wall time that it waited, by what for: the time that it was there and did not run, as looks divide it."""
    waited = sum(thread.waits.values())
    if not waited:
        return {}
    rest = max(0.0, lived(thread, profile) - running_part(thread, profile))
    return {wait: rest * count / waited for wait, count in thread.waits.items()}


def groups_of(profile: Profile, known: Classified, table: Table) -> list[Group]:
    """The threads that used any CPU time, by the work that their names suggest."""
    members: dict[tuple[bool, str], list[ThreadProfile]] = {}
    for thread in profile.threads:
        if cpu_seconds(thread, profile) > 0:
            name = _DIGITS.sub("", thread.python_name or thread.name)
            members.setdefault((thread.python, name), []).append(thread)
    return [group_of(threads, profile, known, table) for threads in members.values()]


def group_of(threads: Iterable[ThreadProfile], profile: Profile, known: Classified, table: Table) -> Group:
    """What was seen of these threads."""
    threads = tuple(threads)
    tids = frozenset(thread.tid for thread in threads)
    cpu = sum(cpu_seconds(thread, profile) for thread in threads)
    active, holding = Counter[str](), Counter[str]()
    for seen in profile.active:
        if seen.tid in tids and not known.waits(seen.stack):
            active[known.work(seen.stack)] += seen.count
    for seen in profile.gil:
        if seen.tid in tids:
            holding[known.work(seen.stack)] += seen.count
    native = Counter[NativeWork]()
    for sample in profile.native:
        if sample.tid in tids:
            native[known.native(sample)] += sample.count
    return Group(
        tids=tuple(tids),
        seen=Seen(
            python=any(thread.python for thread in threads),
            cpu_seconds=cpu,
            native=native,
            active=active,
            holding=holding,
            held=_held(threads, sum(holding.values()), cpu, profile),
            gil_waits=_gil_waits(threads),
            queued=_queued(threads, cpu),
            callers=any(sample.caller is not None for sample in profile.native),
            pool=_pool(threads, table),
        ),
    )


def _held(threads: tuple[ThreadProfile, ...], holding: int, cpu: float, profile: Profile) -> float | None:
    """Share of the threads' CPU time in which they held the GIL. Waiting for a CPU they may hold it too."""
    runnable = cpu + _delay(threads)
    if not profile.gil_ticks or runnable <= 0:
        return None
    return min(1.0, holding / profile.gil_ticks * profile.seconds / runnable)


def _queued(threads: tuple[ThreadProfile, ...], cpu: float) -> float:
    delay = _delay(threads)
    return delay / (cpu + delay) if delay > 0 else 0.0


def _delay(threads: tuple[ThreadProfile, ...]) -> float:
    """Seconds for which they waited for a CPU, as far as the kernel tells."""
    return sum(thread.delay_seconds or 0.0 for thread in threads)


def _gil_waits(threads: tuple[ThreadProfile, ...]) -> float:
    """Of the looks at which the threads ran or wanted the GIL, those at which they waited for it."""
    waited = sum(thread.waits.get("gil", 0) for thread in threads)
    return waited / max(1, waited + sum(thread.running for thread in threads))


def _pool(threads: tuple[ThreadProfile, ...], table: Table) -> str | None:
    """Class of threads that Python does not know, by the name that their library gave them."""
    if any(thread.python for thread in threads):
        return None
    for work, patterns in table.file.pools.items():
        if all(any(fnmatchcase(thread.name, pattern) for pattern in patterns) for thread in threads):
            return work
    return None
