"""Which letter and which colour stand for a class of work? The letter says it where there is no colour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tui.palette import FLAME, FLAME_MIXED


@dataclass(frozen=True, slots=True)
class Look:
    mark: str
    colour: str


MIXED = Look("~", FLAME_MIXED)
"""No class makes up most of it."""
TOGETHER = "…"
"""The mark of frames that are too narrow to be told apart."""
MOSTLY = 0.6
"""A frame looks like the class that makes up more of its samples than this."""

_LETTERS: Mapping[str, str] = {
    "kernel": "k", "python": "p", "serialise": "s", "glue": "g", "loop": "l", "array": "a", "tokenise": "t",
    "decode": "d", "ipc": "i", "trees": "r", "io": "o", "gc": "c", "allocation": "m", "cuda-launch": "u",
    "cuda-sync": "y", "interpreter": "n", "helper": "h", "spin": "w",
    "gil": "G", "lock": "L", "futex": "f", "listening": "I", "inbound": "R", "outbound": "O", "unix": "U", "pipe": "P",
    "sleep": "z", "child": "C", "disk": "D", "device": "v",
}  # fmt: skip
_WANTED = {
    "kernel": 0, "serialise": 1, "glue": 2, "python": 3, "loop": 4, "array": 5, "tokenise": 6, "decode": 7,
    "inbound": 0, "gil": 1, "lock": 2, "futex": 5, "sleep": 6, "outbound": 7,
}  # fmt: skip
"""The colours of what is large most often; the first eight as in the agent's drawings."""
_UNKNOWN = frozenset({"", "unknown", "other"})


def looks(works: Sequence[str]) -> Mapping[str, Look]:
    """Of each class, the largest first. The ninth and all smaller ones have the colour of what is mixed, and a letter."""
    free, letters = list(FLAME), set(_LETTERS.values()) | {MIXED.mark}
    found: dict[str, Look] = {}
    for work in works:
        if work in _UNKNOWN:
            found[work] = Look("?", FLAME_MIXED)
            continue
        colour = FLAME_MIXED
        if free:
            wanted = FLAME[_WANTED[work]] if work in _WANTED else free[0]
            colour = wanted if wanted in free else free[0]
            free.remove(colour)
        found[work] = Look(_LETTERS.get(work) or _free_letter(work, letters), colour)
    return found


def _free_letter(work: str, taken: set[str]) -> str:
    """Of a class that only another version of the agent knows."""
    for letter in work.casefold() + work.upper() + "0123456789":
        if letter.isascii() and letter.isalnum() and letter not in taken:
            taken.add(letter)
            return letter
    return "?"
