"""Which frames did a profile see under which, and how much of it is in each?

The stacks are packed once; the frames below one are looked up when they are asked for, and kept.
"""

from collections.abc import Sequence
from itertools import accumulate

from advisor.profiling.packed import PackedStacks, Range


class Node:
    """A frame under its callers: `weight` of the stacks that go through it, `own` of those that end in it.

    `together` > 0: no frame, but so many beside each other that are too narrow to be told apart; `depth` is theirs. The root
    has depth -1.
    """

    __slots__ = ("_below", "_rests", "depth", "name", "own", "parent", "ranges", "together", "weight")

    def __init__(
        self, name: str, depth: int, ranges: tuple[Range, ...], weight: float, parent: "Node | None", together: int = 0
    ) -> None:
        self.name, self.depth, self.ranges, self.weight, self.parent = name, depth, ranges, weight, parent
        self.together = together
        self.own = 0.0
        self._below: list[Node] | None = None
        self._rests: dict[int, Node] = {}

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


class Flame:
    """The stacks of one picture. Numbers are in the unit of `weights`."""

    def __init__(self, stacks: Sequence[tuple[str, ...]], weights: Sequence[float], *columns: Sequence[float]) -> None:
        self._packed = PackedStacks(stacks, weights, *columns)
        self.total = self._packed.total
        self.root = Node("all", -1, ((0, len(self._packed)),), self.total, None)
        self._searched = [0.0] * (len(self._packed) + 1)
        self._folded: list[str] | None = None
        self._found: frozenset[int] = frozenset()
        self._frames: dict[str, int] = {name: number for number, name in enumerate(self._packed.names)}

    def below(self, node: Node) -> list[Node]:
        """What a frame called, the heaviest first."""
        if node._below is None:
            node._below = self._look_below(node)
            called = sum(one.weight for one in node._below)
            node.own = 0.0 if node.together else max(0.0, node.weight - called)
        return node._below

    def rest(self, node: Node, shown: int) -> Node:
        """All that `node` called but the first `shown`, as one."""
        if shown not in node._rests:
            left = self.below(node)[shown:]
            weight = sum(one.weight for one in left)
            whole = Node("", node.depth + 1, tuple(r for one in left for r in one.ranges), weight, node, len(left))
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
        wanted = text.casefold()
        if self._folded is None:
            self._folded = [name.casefold() for name in self._packed.names]
        numbers = (number for number, name in enumerate(self._folded) if wanted and wanted in name)
        found = self._found = frozenset(numbers)
        weights = (
            0.0 if found.isdisjoint(self._packed.numbers(index)) else self._packed.weight((index, index + 1))
            for index in range(len(self._packed) if found else 0)
        )
        self._searched = list(accumulate(weights, initial=0.0)) if found else []
        return self._searched[-1] if found else 0.0

    def matches(self, node: Node) -> bool:
        """Whether it is a frame that was looked for."""
        return bool(self._found) and not node.together and self._frames.get(node.name, -1) in self._found

    def matched(self, node: Node) -> float:
        """Weight of its stacks that hold what was looked for."""
        return sum(self._searched[last] - self._searched[first] for first, last in node.ranges) if self._found else 0.0

    def _look_below(self, node: Node) -> list[Node]:
        packed, row = self._packed, node.depth + 1
        found = [
            Node(packed.name(first, row), row, ((first, last),), packed.weight((first, last)), node)
            for part in node.ranges
            for first, last in packed.groups(*part, row)
        ]
        return sorted(found, key=lambda one: -one.weight)
