"""Which frames did a profile see under which, and how much of it is in each?

The stacks are packed once; the frames below one are looked up when they are asked for, and kept.
"""

from collections.abc import Iterable, Sequence
from typing import overload
from weakref import ref

from advisor.profiling.packed import Numbered, PackedStacks, Range


class Node:
    """A frame under its callers: `weight` of the stacks that go through it, `own` of those that end in it.

    `together` > 0: no frame, but so many beside each other that are too narrow to be told apart; `depth` is theirs. The root
    has depth -1.
    """

    __slots__ = ("__weakref__", "_below", "_parent", "_rests", "depth", "name", "own", "ranges", "together", "weight")

    def __init__(
        self, name: str, depth: int, ranges: tuple[Range, ...], weight: float, parent: "Node | None", together: int = 0
    ) -> None:
        self.name, self.depth, self.ranges, self.weight, self.together = name, depth, ranges, weight, together
        self._parent = None if parent is None else ref(parent)  # no cycle: a picture goes as soon as another is drawn
        self.own = 0.0
        self._below: Called | None = None
        self._rests: dict[int, Node] = {}

    @property
    def parent(self) -> "Node | None":
        """Its caller; None for the root, and for a frame whose picture is no more."""
        return None if self._parent is None else self._parent()

    @property
    def path(self) -> list["Node"]:
        """From below the root to this one; frames that were drawn together are none of it."""
        found: list[Node] = []
        node: Node | None = self
        while node is not None and node.parent is not None:
            if not node.together:
                found.append(node)
            node = node.parent
        return found[::-1]


class Called(Sequence[Node]):
    """What a frame called, the heaviest first. Of thousands few are wide enough to be seen: each is made when it is asked for.

    `weights` and `parts` are theirs, in the same order.
    """

    __slots__ = ("_caller", "_made", "_packed", "parts", "weights")

    def __init__(self, packed: PackedStacks, caller: Node, parts: list[Range], made: dict[Range, Node]) -> None:
        self._packed, self._caller, self.parts, self._made = packed, ref(caller), parts, made
        self.weights = [packed.weight(part) for part in parts]

    def __len__(self) -> int:
        return len(self.parts)

    @overload
    def __getitem__(self, index: int) -> Node: ...

    @overload
    def __getitem__(self, index: slice) -> list[Node]: ...

    def __getitem__(self, index: int | slice) -> Node | list[Node]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        part = self.parts[index]
        if part not in self._made:
            caller = self.caller
            name = self._packed.name(part[0], caller.depth + 1)
            self._made[part] = Node(name, caller.depth + 1, (part,), self.weights[index], caller)
        return self._made[part]

    @property
    def caller(self) -> Node:
        """Raises LookupError where the picture is no more."""
        caller = self._caller()
        if caller is None:
            raise LookupError("the picture of this frame is no more")
        return caller

    def after(self, shown: int) -> "Called":
        """All but the first `shown`; they are the same nodes."""
        return Called(self._packed, self.caller, self.parts[shown:], self._made)


class Flame:
    """The stacks of one picture. Numbers are in the unit of `weights`."""

    def __init__(
        self, stacks: Sequence[tuple[str, ...]] | Numbered, weights: Sequence[float], *columns: Sequence[float]
    ) -> None:
        self._packed = PackedStacks(stacks, weights, *columns)
        self.total = self._packed.total
        self.root = Node("all", -1, ((0, len(self._packed)),), self.total, None)
        self._searched = [0.0] * (len(self._packed) + 1)
        self._folded: list[str] | None = None
        self._found: frozenset[str] = frozenset()

    @property
    def order(self) -> Sequence[int]:
        """Of each position that `ranges` count, which of the stacks stands there."""
        return self._packed.order

    def below(self, node: Node) -> Called:
        """What a frame called, the heaviest first."""
        if node._below is None:
            node._below = self._look_below(node)
            node.own = max(0.0, node.weight - sum(node._below.weights))
        return node._below

    def rest(self, node: Node, shown: int) -> Node:
        """All that `node` called but the first `shown`, as one."""
        if shown not in node._rests:
            left = self.below(node).after(shown)
            whole = Node("", node.depth + 1, together(left.parts), sum(left.weights), node, len(left))
            whole._below = left
            node._rests[shown] = whole
        return node._rests[shown]

    def own(self, node: Node) -> float:
        """Weight of the stacks that end in it."""
        self.below(node)
        return node.own

    def column(self, node: Node, column: int) -> float:
        return sum(self._packed.column(part, column) for part in node.ranges)

    def search(self, text: str) -> float:
        """Look for `text` in the names of frames, in lower and upper case alike; weight of the stacks that hold one."""
        numbers = self._numbers(text.casefold()) if text else []
        self._found = frozenset(self._packed.names[number] for number in numbers)
        self._searched = self._packed.sums_of_those_with(frozenset(numbers)) if numbers else []
        return self._searched[-1] if numbers else 0.0

    def _numbers(self, wanted: str) -> list[int]:
        """Of the frames that have `wanted` in their names."""
        if self._folded is None:
            self._folded = [name.casefold() for name in self._packed.names]
        return [number for number, name in enumerate(self._folded) if wanted in name]

    def matches(self, node: Node) -> bool:
        """Whether it is a frame that was looked for."""
        return node.name in self._found and not node.together and node.parent is not None

    def matched(self, node: Node) -> float:
        """Weight of its stacks that hold what was looked for."""
        return sum(self._searched[last] - self._searched[first] for first, last in node.ranges) if self._found else 0.0

    def _look_below(self, node: Node) -> Called:
        packed = self._packed
        parts = [group for part in node.ranges for group in packed.groups(*part, node.depth + 1)]
        parts.sort(key=packed.weight, reverse=True)
        return Called(packed, node, parts, {})


def together(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """The same ranges in order, those that touch each other as one."""
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and found[-1][1] == first:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return tuple(found)
