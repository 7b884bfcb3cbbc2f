"""Which side of a profile does a picture show, and what is its share of a thing measured in?

The sides count different things (looks at Python threads, samples of CPU time, looks at waiting threads), so that one
picture never adds two of them up.
"""

from collections import Counter
from collections.abc import Mapping
from typing import get_args

from advisor.profiling.stored import Side, StoredProfile

SIDES: tuple[Side, ...] = get_args(Side)
MEANING: Mapping[Side, str] = {
    "cpu": "Python threads on a CPU",
    "gil": "holding the GIL",
    "wait": "Python threads that wait",
    "native": "native functions on a CPU",
}
_FIRST: tuple[Side, ...] = ("cpu", "native", "wait", "gil")


def totals(profile: StoredProfile) -> Mapping[Side, int]:
    """Samples of each side; of a side that the profile lacks, none."""
    counts: Counter[Side] = Counter(dict.fromkeys(SIDES, 0))
    for one in profile.stacks:
        counts[one.side] += one.count
    return counts


def shown_side(profile: StoredProfile, wanted: Side | None = None) -> Side:
    """The side that was asked for, or the first of cpu, native, wait and gil that has samples."""
    if wanted is not None:
        return wanted
    counts = totals(profile)
    return next((side for side in _FIRST if counts[side]), "cpu")
