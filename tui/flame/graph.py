"""What does a flame graph say of its frames: what they work on, their share, and how sure that is?"""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from textual.content import Content

from advisor.profiling.stored import Side, StoredProfile
from advisor.profiling.view import sampling_error
from tui import format as fmt
from tui.flame.looks import MIXED, MOSTLY, TOGETHER, Look, looks
from tui.flame.selection import COUNTED, Filters, frames_of, side_of, stacks_of
from tui.flame.tree import Flame, Node
from tui.palette import FLAME_TEXT, QUIET


class Graph(Protocol):
    """One picture: of a profile, or of what changed between two."""

    @property
    def flame(self) -> Flame: ...

    @property
    def side(self) -> Side: ...

    def look(self, node: Node) -> Look: ...

    def ahead(self, node: Node) -> str:
        """What stands before its name in its box."""

    def numbers(self, node: Node) -> Sequence[Content | str]:
        """How much it is, the most important first."""

    def more(self, node: Node) -> Sequence[Content]:
        """What else is said of it, on a line of its own."""

    def legend(self) -> Sequence[Content]: ...

    def found(self, weight: float) -> str:
        """How much holds what was looked for: `34.0 % ± 1.5 of CPU time`."""


class WorkGraph:
    """One profile: width is its share of the samples, colour its class of work."""

    def __init__(self, profile: StoredProfile, filters: Filters) -> None:
        self.side: Side = side_of(profile, filters)
        stacks = stacks_of(profile, self.side, filters)
        counts: Counter[str] = Counter()
        for one in stacks:
            counts[one.work] += one.count
        self._works = counts.most_common()
        names = [name for name, _ in self._works]
        columns = ([one.count if one.work == name else 0 for one in stacks] for name in names)
        self.flame = Flame([frames_of(one, filters) for one in stacks], [one.count for one in stacks], *columns)
        self._looks = looks(names)

    def look(self, node: Node) -> Look:
        for column, (name, _) in enumerate(self._works):
            if self.flame.column(node, column) > MOSTLY * node.weight:
                return Look(TOGETHER, self._looks[name].colour) if node.together else self._looks[name]
        return Look(TOGETHER, MIXED.colour) if node.together else MIXED

    def ahead(self, node: Node) -> str:
        return ""

    def numbers(self, node: Node) -> Sequence[Content | str]:
        own = self.flame.own(node)
        return [
            Content.assemble(("total ", QUIET), self._share(node.weight)),
            *([] if node.together else [Content.assemble(("self ", QUIET), self._share(own))]),
            Content.styled(f"{node.weight:.0f} of {fmt.count(round(self.flame.total), 'sample')}", QUIET),
        ]

    def more(self, node: Node) -> Sequence[Content]:
        """The classes that it is made of, as shares of it."""
        parts = sorted(((self.flame.column(node, c), name) for c, (name, _) in enumerate(self._works)), reverse=True)
        whole = node.weight or 1.0
        return [
            entry(self._looks[name], f"{fmt.plain(name) or 'unknown'} {fmt.percent(part / whole)}")
            for part, name in parts[:3]
            if part > 0
        ]

    def legend(self) -> Sequence[Content]:
        total = self.flame.total
        entries = [
            entry(self._looks[name], f"{fmt.plain(name) or 'unknown'} {fmt.percent(count / total)}")
            for name, count in self._works
        ]
        return [*entries, entry(MIXED, "mixed"), entry(Look(TOGETHER, MIXED.colour), "narrow ones")]

    def found(self, weight: float) -> str:
        return f"{self._share(weight)} of {COUNTED[self.side]}"

    def _share(self, weight: float) -> str:
        total = self.flame.total
        share = weight / total if total else 0.0
        return fmt.measured(share, sampling_error(share, total))


def entry(look: Look, text: str) -> Content:
    """A mark as it stands in the boxes, and what it means."""
    return Content.assemble((f" {look.mark} ", f"{FLAME_TEXT} on {look.colour}"), f" {text}")
