"""Which boxes make up a flame graph of many stacks, and where do they lie?"""

from collections.abc import Sequence
from dataclasses import dataclass

from advisor.profiling.packed import PackedStacks, Range

LEAST_SHARE = 0.001
"""Narrower boxes are drawn together, as one that says how many they are."""
MOST_BOXES = 10_000
MOST_ROWS = 1_100


@dataclass(frozen=True, slots=True)
class Box:
    """A frame under its callers. `start` and `width` are shares of the picture, `ranges` its stacks.

    `hidden` > 0: no frame, but so many that are too narrow or too deep to be drawn.
    """

    name: str
    row: int
    start: float
    width: float
    ranges: tuple[Range, ...]
    hidden: int = 0
    deeper: bool = False


class Stacks(PackedStacks):
    """Stacks from which boxes are made."""

    def of(self, box: Box, column: int) -> float:
        """The sum of a column over a box."""
        return sum(self.column(part, column) for part in box.ranges)

    def boxes(self, least_share: float = LEAST_SHARE, most: int = MOST_BOXES) -> list[Box]:
        """From the root down. Boxes are pruned harder where there would be more than `most`."""
        while (found := self._boxes(least_share, most)) is None:
            least_share *= 2
        return found

    def _boxes(self, least_share: float, most: int) -> list[Box] | None:
        """None where there would be more than `most`."""
        found: list[Box] = []
        waiting = [(0, len(self), 0, 0.0)] if self.total > 0 else []
        while waiting and len(found) <= most:
            first, last, row, start = waiting.pop()
            groups = sorted(self.groups(first, last, row), key=self.weight, reverse=True)
            shown = 0 if row >= MOST_ROWS else sum(self.weight(group) >= least_share * self.total for group in groups)
            for group in groups[:shown]:
                width = self.weight(group) / self.total
                found.append(Box(self.name(group[0], row), row, start, width, (group,)))
                waiting.append((*group, row + 1, start))
                start += width
            found += self._hidden(groups[shown:], row, start, least_share)
        return None if waiting else found

    def _hidden(self, groups: Sequence[Range], row: int, start: float, least_share: float) -> list[Box]:
        """One box for all of `groups`, none where even that would be too narrow to be seen."""
        width = sum(map(self.weight, groups)) / self.total
        if not groups or width < least_share:
            return []
        count = sum(self.frames_below(*group, row) for group in groups)
        return [Box("", row, start, width, tuple(groups), count, row >= MOST_ROWS)]
