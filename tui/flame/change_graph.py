"""What does a flame graph of two profiles say of its frames: what is more, what is less, and what is only noise?

A frame is as wide as the mean of its share before and after, so that what is gone stays visible as what is new does.
"""

from array import array
from collections.abc import Mapping, Sequence

from textual.content import Content

from advisor.profiling.difference import Change, FunctionChange, ProfileDifference, change_of
from advisor.profiling.packed import Numbered, Numbers
from advisor.profiling.stored import Side
from advisor.profiling.view import sampling_error
from tui import format as fmt
from tui.flame.graph import entry
from tui.flame.looks import TOGETHER, Look
from tui.flame.packed_profile import PackedProfile
from tui.flame.selection import COUNTED, Filters
from tui.flame.tree import Flame, Node
from tui.palette import FLAME_MIXED, LESS, MORE, QUIET

_COMPARED_SHARE = 0.001
"""Frames with less count for nothing: of so many changes at once, some are large by chance."""
_MORE, _LESS, _SAME = Look("+", MORE), Look("-", LESS), Look("=", FLAME_MIXED)
_NEITHER = Look(TOGETHER, FLAME_MIXED)


class ChangeGraph:
    """`other` against `base`, and what the agent says of their functions."""

    def __init__(
        self, base: PackedProfile, other: PackedProfile, document: ProfileDifference, filters: Filters
    ) -> None:
        self.side: Side = document.side
        before, after = base.seen(self.side, filters), other.seen(self.side, filters)
        self._before, self._after = sum(before.counts), sum(after.counts)
        self.flame = Flame(
            joined(before.stacks, after.stacks),
            [count / self._before / 2 for count in before.counts] + [count / self._after / 2 for count in after.counts],
            [*before.counts, *[0] * len(after.counts)],
            [*[0] * len(before.counts), *after.counts],
        )
        self._functions: Mapping[str, FunctionChange] = {one.where: one for one in document.functions}
        self._compared = self._count()
        self._seen: dict[Node, Change] = {}

    def change(self, node: Node) -> Change:
        if node not in self._seen:
            self._seen[node] = self._change(node)
        return self._seen[node]

    def _change(self, node: Node) -> Change:
        before, after = (round(self.flame.column(node, column)) for column in (0, 1))
        return change_of(before, self._before, after, self._after, self._compared)

    def look(self, node: Node) -> Look:
        change = self.change(node)
        look = _SAME if not change.sure else _MORE if change.delta > 0 else _LESS
        return Look(TOGETHER, look.colour) if node.together else look

    def ahead(self, node: Node) -> str:
        change = self.change(node)
        return f"{fmt.points(change.delta)} " if change.sure else ""

    def numbers(self, node: Node) -> Sequence[Content | str]:
        return [Content.assemble(("here ", QUIET), _told(self.change(node)))]

    def more(self, node: Node) -> Sequence[Content]:
        """The function wherever it was called from, as the agent compares it."""
        function = self._functions.get(node.name)
        if function is None or node.together:
            return ()
        return (
            Content.assemble(("everywhere ", QUIET), _told(function.inclusive)),
            Content.assemble(("self ", QUIET), _told(function.self_share)),
        )

    def legend(self) -> Sequence[Content]:
        return [
            entry(_MORE, "more than before"),
            entry(_LESS, "less"),
            entry(_SAME, "within the noise"),
            entry(_NEITHER, "narrow ones"),
        ]

    def found(self, weight: float) -> str:
        samples = self._before + self._after
        return f"{fmt.measured(weight, sampling_error(weight, samples))} of {COUNTED[self.side]}, mean of both"

    def _count(self) -> int:
        """Frames that are compared, each under its callers."""
        waiting, count = [self.flame.root], 0
        while waiting:
            node = waiting.pop()
            count += 1
            waiting += [one for one in self.flame.below(node) if one.weight >= _COMPARED_SHARE]
        return count


def joined(one: Numbered, other: Numbered) -> Numbered:
    """All stacks of both, by the same numbers."""
    numbers = Numbers((name, number) for number, name in enumerate(one.names))
    table = [numbers[name] for name in other.names]
    renumbered = (array("I", map(table.__getitem__, array("I", stack))).tobytes() for stack in other.stacks)
    return Numbered(list(numbers), [*one.stacks, *renumbered])


def _told(change: Change) -> str:
    """`30.0 → 70.0 %: +40.0 ± 2.1 points`"""
    doubt = "" if change.sure else ", noise"
    shares = f"{100 * change.before:.1f} → {100 * change.after:.1f} %"
    return f"{shares}: {fmt.points(change.delta)} ± {100 * change.error:.1f}{doubt}"
