"""How much of the time is a call of the model under way, and how much of that hands its parts to a pool and waits for them?"""

from collections import Counter

from advisor.profiling.classify import Classified
from advisor.profiling.groups import SHORT_LIVED, cpu_seconds, lived, running_part, waiting_parts
from advisor.profiling.view import CallTime
from collectors.profiles.profile import Profile, ThreadProfile, Wait


def call_time(profile: Profile, known: Classified) -> CallTime | None:
    """Over the threads that hand parts of a call to a pool; None where none was seen to. The pool's own threads do not."""
    inside = handing = 0.0
    looks = 0
    tids = {one.tid for one in profile.active if known.hands_on(one.stack)}
    tids |= {one.tid for one in profile.waiting if known.hands_on(one.stack)}
    for thread in profile.threads:
        if thread.tid not in tids:
            continue
        looks += thread.looks
        for stack, part in _parts(thread, profile).items():
            inside += part if known.in_model(stack) else 0.0
            handing += part if known.hands_on(stack) else 0.0
    if inside <= 0:
        return None
    return CallTime(inside=inside, handing=handing, looks=looks, fleeting=_fleeting(profile))


def _fleeting(profile: Profile) -> float:
    seen = {one.tid for one in profile.active} | {one.tid for one in profile.native} | {one.tid for one in profile.gil}
    gone = (t for t in profile.threads if t.tid not in seen and lived(t, profile) < SHORT_LIVED)
    return sum(cpu_seconds(thread, profile) for thread in gone) / (profile.seconds or 1.0)


def _parts(thread: ThreadProfile, profile: Profile) -> dict[int, float]:
    """Share of wall time that a thread spent with each stack, running or waiting."""
    parts: dict[int, float] = {}
    running = [one for one in profile.active if one.tid == thread.tid]
    looks = sum(one.count for one in running)
    for one in running:
        parts[one.stack] = parts.get(one.stack, 0.0) + running_part(thread, profile) * one.count / looks
    waits = waiting_parts(thread, profile)
    waited = Counter[Wait]()
    for wait in profile.waiting:
        waited[wait.wait] += wait.count if wait.tid == thread.tid else 0
    for wait in profile.waiting:
        if wait.tid == thread.tid and wait.wait in waits:
            share = waits[wait.wait] * wait.count / waited[wait.wait]
            parts[wait.stack] = parts.get(wait.stack, 0.0) + share
    return parts
