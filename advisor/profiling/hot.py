"""In which functions is CPU time spent, and in which phase of a request?"""

from collections import Counter

from advisor.profiling.classify import Classified, frame_text
from advisor.profiling.estimate import likeliest
from advisor.profiling.groups import Group
from advisor.profiling.view import HotSpot
from collectors.profiles.profile import Profile

LIMIT = 24
LEAST_SHARE = 0.005
_OUTERMOST = ("<module>", "_bootstrap")
"""Frames in which the stacks of threads begin: of a script, and of `threading.Thread`."""


def hot_spots(profile: Profile, known: Classified, groups: list[Group]) -> tuple[HotSpot, ...]:
    """The functions, Python and native, that take most CPU time in themselves. A native function and the Python line that
    called it are both there, each with its share of all CPU time."""
    total = sum(group.seen.cpu_seconds for group in groups)
    spots: dict[tuple[str, str, str], float] = {}
    lines: dict[tuple[str, str, str], Counter[int]] = {}
    for group in groups if total > 0 else ():
        weight = group.seen.cpu_seconds / total
        looks, samples = sum(group.seen.active.values()), sum(group.seen.native.values())
        tids = frozenset(group.tids)
        for seen in profile.active:
            if seen.tid in tids and not known.waits(seen.stack) and known.frames(seen.stack):
                leaf = known.frames(seen.stack)[-1]
                key = profile.frames[leaf].name, profile.frames[leaf].file, known.work(seen.stack)
                spots[key] = spots.get(key, 0.0) + weight * seen.count / looks
                lines.setdefault(key, Counter())[leaf] += seen.count
        for sample in profile.native:
            if sample.tid in tids:
                frame = profile.frames[sample.frame]
                work = likeliest(known.native(sample), group.seen)
                key = frame.name, frame.file, work
                spots[key] = spots.get(key, 0.0) + weight * sample.count / samples
                lines.setdefault(key, Counter())[sample.frame] += sample.count
    return tuple(
        HotSpot(where=_text(profile, known, lines[key]), share=spots[key], work=key[2])
        for key in sorted(spots, key=lambda key: -spots[key])[:LIMIT]
        if spots[key] >= LEAST_SHARE
    )


def named_shares(profile: Profile, known: Classified, groups: list[Group]) -> tuple[dict[str, float], dict[str, float]]:
    """Shares of CPU time by phase, and by function worth a name, as far as Python stacks tell."""
    total = sum(group.seen.cpu_seconds for group in groups)
    phases: dict[str, float] = {}
    calls: dict[str, float] = {}
    for group in groups if total > 0 else ():
        looks = sum(group.seen.active.values())
        tids = frozenset(group.tids)
        active = [seen for seen in profile.active if seen.tid in tids and not known.waits(seen.stack)]
        whole = sum(seen.count for seen in active if _is_whole(profile, seen.stack))
        rooted = whole >= looks / 2  # else stacks of its threads begin elsewhere, as those of greenlets do
        for seen in active:
            share = group.seen.cpu_seconds / total * seen.count / looks
            if (phase := known.phase(seen.stack)) is not None and (not rooted or _is_whole(profile, seen.stack)):
                phases[phase] = phases.get(phase, 0.0) + (share * looks / whole if rooted else share)
            if (name := known.called(seen.stack)) is not None:
                calls[name] = calls.get(name, 0.0) + share
    return phases, calls


def _is_whole(profile: Profile, stack: int) -> bool:
    """A process that is not stopped moves on while it is looked at: of calls of microseconds some stacks have lost their outer
    frames, and would count as work of no phase."""
    frames = profile.stacks[stack]
    return bool(frames) and profile.frames[frames[0]].name.endswith(_OUTERMOST)


def _text(profile: Profile, known: Classified, lines: Counter[int]) -> str:
    ((index, _),) = lines.most_common(1)
    return frame_text(profile.frames[index], known.known(index).place)
