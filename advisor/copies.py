"""What does another worker process cost in memory?"""

from advisor.finding import Gain
from advisor.intervals import gain
from advisor.view import View

SHARED_PAGES = (0.0, 0.4, 0.8)
"""The part of a new worker's resident memory that it shares with those that run: nothing where each is spawned, most of it
where a small worker is forked from a parent that has loaded its code."""


def cost_of_more(view: View, more: int) -> Gain | None:
    """Memory after / before with `more` workers of the present mean size, by how much of it they may share."""
    sizes = [w.resident_bytes for w in view.serving if w.resident_bytes]
    whole = view.resident_bytes
    if not sizes or not whole:
        return None
    added = more * sum(sizes) / len(sizes)
    own, likely, shared = (1 + added * (1 - common) / whole for common in SHARED_PAGES)
    return gain("memory_ratio", shared, likely, own)
