"""In which cells of which row does each frame lie: its width its share, those too narrow together in one cell?"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from tui.flame.tree import Flame, Node

_ROOM_FOR_REST = 8
"""Where a frame has so many cells, what it called and is too narrow for one has a cell, so that it can be zoomed into."""


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """A frame in its row. `nodes`: where frames are folded, all of the same samples that called each other, outermost
    first; the last is the one that is meant."""

    nodes: tuple[Node, ...]
    row: int
    x: int
    width: int
    above: "Cell | None"

    @property
    def node(self) -> Node:
        return self.nodes[-1]


class Layout:
    """`zoom` and what is below it in `width` cells. `fold`: frames that called one other and did nothing themselves share
    its row."""

    def __init__(self, flame: Flame, zoom: Node, width: int, fold: bool) -> None:
        self._flame, self._fold = flame, fold
        self.zoom = zoom
        first = Cell(self._folded(zoom), 0, 0, max(1, width), None)
        self.rows: list[list[Cell]] = [[first]]
        while below := [cell for above in self.rows[-1] for cell in self._below(above)]:
            self.rows.append(below)

    def at(self, row: int, x: int) -> Cell | None:
        if not 0 <= row < len(self.rows):
            return None
        return next((cell for cell in self.rows[row] if cell.x <= x < cell.x + cell.width), None)

    def find(self, node: Node) -> Cell:
        """Where `node` is drawn, or the nearest of those that led to it."""
        wanted: set[int] = set()
        one: Node | None = node
        while one is not None:
            wanted.add(id(one))
            one = one.parent
        found = self.rows[0][0]
        for row in self.rows[1:]:
            inside = next((cell for cell in row if any(id(part) in wanted for part in cell.nodes)), None)
            if inside is None:
                break
            found = inside
        return found

    def _below(self, above: Cell) -> Iterator[Cell]:
        """Of what is drawn together nothing, until it is zoomed into: then as many as there is room for, even if not to
        scale."""
        below = self._flame.below(above.node)
        if not below or above.node.weight <= 0 or (above.node.together and above.row):
            return
        scale = above.width / above.node.weight
        shown = sum(1 for _ in takewhile(lambda weight: weight * scale >= 1, below.weights))
        if above.node.together:
            shown = max(shown, min(len(below), max(1, above.width // 2)))
        room = above.width
        if shown < len(below) and above.width >= _ROOM_FOR_REST:
            room -= 1
            left = sum(below.weights[shown:])
            scale = min(scale, room / (above.node.weight - left)) if above.node.weight > left else scale
        start, weight = 0, 0.0
        for index, one in enumerate(below[:shown]):
            weight += one.weight
            end = max(start + 1, round(weight * scale))
            if end > room:
                shown = index
                break
            yield Cell(self._folded(one), above.row + 1, above.x + start, end - start, above)
            start = end
        yield from self._rest(above, shown, start, scale)

    def _rest(self, above: Cell, shown: int, start: int, scale: float) -> Iterator[Cell]:
        """The cell for all that are not shown; a single one stands for itself."""
        if shown >= len(self._flame.below(above.node)):
            return
        rest = self._flame.rest(above.node, shown)
        least = 1 if above.width >= _ROOM_FOR_REST else 0
        end = min(above.width, max(start + least, start + round(rest.weight * scale)))
        if end > start:
            node = self._flame.below(rest)[0] if rest.together == 1 else rest
            yield Cell(self._folded(node), above.row + 1, above.x + start, end - start, above)

    def _folded(self, node: Node) -> tuple[Node, ...]:
        chain = [node]
        while self._fold and not chain[-1].together:
            below = self._flame.below(chain[-1])
            if len(below) != 1 or below.weights[0] < chain[-1].weight:
                break
            chain.append(below[0])
        return tuple(chain)
