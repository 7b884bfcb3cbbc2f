"""A profile as collapsed stacks: `root;caller;leaf COUNT`, one a line, as flame-graph tools and Pyroscope read it."""

from collections import Counter

from advisor.profiling.frames import printable
from advisor.profiling.sides import shown_side
from advisor.profiling.stored import Side, StoredProfile


def collapsed(profile: StoredProfile, *, side: Side | None = None, threads: bool = False) -> str:
    """One side of it (without `side` the first that it has), sorted by stack; `threads` puts the thread at the root."""
    return "".join(f"{stack} {count}\n" for stack, count in sorted(folded(profile, side, threads).items()))


def folded(profile: StoredProfile, side: Side | None = None, threads: bool = False) -> Counter[str]:
    """Samples by the text of their stack."""
    shown = shown_side(profile, side)
    counts: Counter[str] = Counter()
    names: dict[str, str] = {}
    for one in profile.stacks:
        if one.side == shown:
            frames = (one.thread, *one.frames) if threads else one.frames or (one.thread,)
            counts[";".join(names.get(frame) or names.setdefault(frame, safe(frame)) for frame in frames)] += one.count
    return counts


def safe(frame: str) -> str:
    """A frame without what separates frames and lines. What follows the last space of a line is its count, so that
    spaces inside are no harm."""
    return printable(frame).replace(";", ":")
