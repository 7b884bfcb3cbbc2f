"""What does a flame graph say of its frames: what they work on, their share, and how sure that is?"""

from collections.abc import Sequence
from typing import Protocol

from textual.content import Content

from advisor.profiling.stored import Side
from advisor.profiling.view import sampling_error
from tui import format as fmt
from tui.flame.classes import Classes
from tui.flame.looks import MIXED, MOSTLY, TOGETHER, Look, looks
from tui.flame.packed_profile import PackedProfile
from tui.flame.selection import COUNTED, Filters
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

    def __init__(self, profile: PackedProfile, filters: Filters) -> None:
        self.side: Side = filters.side or profile.first_side
        seen = profile.seen(self.side, filters)
        self.flame = Flame(seen.stacks, seen.counts)
        order = self.flame.order
        self._classes = Classes(map(seen.works.__getitem__, order), map(seen.counts.__getitem__, order))
        self._looks = looks([name for name, _ in self._classes.totals])
        self._seen: dict[Node, Look] = {}

    def look(self, node: Node) -> Look:
        if node not in self._seen:
            self._seen[node] = self._look(node)
        return self._seen[node]

    def _look(self, node: Node) -> Look:
        for name, _ in self._classes.totals:
            if self._classes.of(node.ranges, name) > MOSTLY * node.weight:
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
        """The classes that it is made of, as shares of it; of all samples the legend says it."""
        if node.parent is None:
            return ()
        parts = sorted(((self._classes.of(node.ranges, name), name) for name, _ in self._classes.totals), reverse=True)
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
            for name, count in self._classes.totals
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
