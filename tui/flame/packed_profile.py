"""What of a profile is worked out once, whatever is shown of it later?

Each frame is kept once and each stack as numbers: 20,000 deep stacks take a tenth of what they take as text, and another side,
or each thread by itself, is made of them at once.
"""

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import filterfalse

import msgspec

from advisor.profiling.packed import Numbered, Numbers
from advisor.profiling.sides import shown_side, totals
from advisor.profiling.stored import Side, StoredProfile
from tui.flame.selection import Filters, is_native


@dataclass(frozen=True, slots=True)
class Seen:
    """Stacks as they are drawn: of each how often it was seen, and its class of work."""

    stacks: Numbered
    counts: Sequence[int]
    works: Sequence[str]


class PackedProfile:
    """`head`: the profile without its stacks."""

    def __init__(self, profile: StoredProfile) -> None:
        self.head = msgspec.structs.replace(profile, stacks=(), digest=None, lines=())
        self.samples: Mapping[Side, int] = totals(profile)
        self.first_side: Side = shown_side(profile)
        """The side that is shown where none was asked for."""
        numbers = Numbers()
        rows = [(numbers.pack(one.frames), one) for one in profile.stacks if one.count > 0]
        self._native = frozenset(number for frame, number in numbers.items() if is_native(frame))
        self.has_native = any(one.side != "native" and self._holds_native(stack) for stack, one in rows)
        """Whether native frames stand in stacks of Python, so that they can be left out."""
        rows.sort(key=lambda row: row[0])
        threads = {name: numbers.pack((f"thread {name}",)) for name in {one.thread for _, one in rows}}
        self._rows: dict[Side, list[tuple[bytes, bytes, str, int]]] = {side: [] for side in self.samples}
        for stack, one in rows:
            self._rows[one.side].append((threads[one.thread], stack, one.work, one.count))
        self._names = list(numbers)

    def seen(self, side: Side, filters: Filters) -> Seen:
        """The stacks of a side; those that look alike are one."""
        counts: Counter[tuple[bytes, str]] = Counter()
        whole = filters.native or side == "native"
        for thread, stack, work, count in self._rows[side]:
            if not whole and self._holds_native(stack):
                stack = self._without_native(stack)
            counts[thread + stack if filters.threads else stack, work] += count
        stacks = [stack for stack, _ in counts]
        return Seen(Numbered(self._names, stacks), list(counts.values()), [work for _, work in counts])

    def _holds_native(self, stack: bytes) -> bool:
        return bool(self._native) and not self._native.isdisjoint(array("I", stack))

    def _without_native(self, stack: bytes) -> bytes:
        return array("I", filterfalse(self._native.__contains__, array("I", stack))).tobytes()
