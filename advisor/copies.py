"""What does another worker process cost in memory, or one fewer save?"""

from advisor.finding import Gain
from advisor.intervals import gain, memory
from advisor.view import View

SHARED_PAGES = (0.0, 0.4, 0.8)
"""The part of a new worker's resident memory that it shares with those that run: nothing where each is spawned, most of it
where a small worker is forked from a parent that has loaded its code."""


def cost_of_more(view: View, more: int) -> Gain | None:
    """Memory after / before with `more` workers of the present mean size, by how much of it they may share."""
    part = _workers_part(view)
    if part is None:
        return None
    added = part * more / len(view.serving)
    own, likely, shared = (1 + added * (1 - common) for common in SHARED_PAGES)
    return gain("memory_ratio", shared, likely, own)


def memory_with(view: View, workers: int) -> Gain | None:
    """Resident memory after / before with so many workers of the present mean size, each with all of its own."""
    part = _workers_part(view)
    return None if part is None else memory(1.0, 1 + part * (workers / len(view.serving) - 1))


def _workers_part(view: View) -> float | None:
    """What the workers hold of the memory of all processes whose size is known; those of unknown size are as the others."""
    known = sum(w.resident_bytes or 0 for w in view.serving)
    whole = view.resident_bytes
    return known / whole if known and whole else None
