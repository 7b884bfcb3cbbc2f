"""Which boxes make up a flame graph of many stacks, and where do they lie?

Stacks are packed as bytes and sorted, so that those that share a beginning lie side by side: a box is a range of them,
and its weight the difference of two sums. No tree is built: 50,000 stacks, or stacks 1,000 frames deep, cost no more
than their boxes.
"""

import sys
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

LEAST_SHARE = 0.001
"""Narrower boxes are drawn together, as one that says how many they are."""
MOST_BOXES = 10_000
MOST_ROWS = 1_100
_BYTES = 4


@dataclass(frozen=True, slots=True)
class Box:
    """A frame under its callers. `start` and `width` are shares of the picture, `ranges` its stacks.

    `hidden` > 0: no frame, but so many that are too narrow or too deep to be drawn.
    """

    name: str
    row: int
    start: float
    width: float
    ranges: tuple[tuple[int, int], ...]
    hidden: int = 0
    deeper: bool = False


class Stacks:
    """Stacks with their weight and any number of further columns, which a range of them can be asked for."""

    def __init__(self, stacks: Sequence[tuple[str, ...]], weights: Sequence[float], *columns: Sequence[float]) -> None:
        """Columns are as long as `stacks`; the same stack may come several times."""
        numbers: dict[str, int] = {}
        for frames in stacks:
            for frame in frames:
                numbers.setdefault(frame, len(numbers))
        packed = [array("I", map(numbers.__getitem__, frames)).tobytes() for frames in stacks]
        order = sorted(range(len(packed)), key=packed.__getitem__)
        self._names = list(numbers)
        self._packed = [packed[index] for index in order]
        self._weights = _sums(weights, order)
        self._columns = [_sums(column, order) for column in columns]
        self.total = self._weights[-1]

    def of(self, box: Box, column: int) -> float:
        """The sum of a column over a box."""
        sums = self._columns[column]
        return sum(sums[last] - sums[first] for first, last in box.ranges)

    def boxes(self, least_share: float = LEAST_SHARE, most: int = MOST_BOXES) -> list[Box]:
        """From the root down. Boxes are pruned harder where there would be more than `most`."""
        while (found := self._boxes(least_share, most)) is None:
            least_share *= 2
        return found

    def _boxes(self, least_share: float, most: int) -> list[Box] | None:
        """None where there would be more than `most`."""
        found: list[Box] = []
        waiting = [(0, len(self._packed), 0, 0.0)] if self.total > 0 else []
        while waiting and len(found) <= most:
            first, last, row, start = waiting.pop()
            groups = sorted(self._groups(first, last, row), key=self._weight, reverse=True)
            shown = 0 if row >= MOST_ROWS else sum(self._weight(group) >= least_share * self.total for group in groups)
            for group in groups[:shown]:
                width = self._weight(group) / self.total
                found.append(Box(self._names[self._number(group[0], row)], row, start, width, (group,)))
                waiting.append((*group, row + 1, start))
                start += width
            found += self._hidden(groups[shown:], row, start, least_share)
        return None if waiting else found

    def _groups(self, first: int, last: int, row: int) -> list[tuple[int, int]]:
        """The ranges of stacks whose frame in `row` is the same; those that end before have none."""
        cut = slice(row * _BYTES, (row + 1) * _BYTES)
        while first < last and len(self._packed[first]) <= cut.start:
            first += 1
        groups = []
        while first < last:
            key = self._packed[first][cut]
            same = self._packed[last - 1][cut] == key
            end = last if same else bisect_right(self._packed, key, first, last, key=lambda stack: stack[cut])
            groups.append((first, end))
            first = end
        return groups

    def _hidden(self, groups: Sequence[tuple[int, int]], row: int, start: float, least_share: float) -> list[Box]:
        """One box for all of `groups`, none where even that would be too narrow to be seen."""
        width = sum(map(self._weight, groups)) / self.total
        if not groups or width < least_share:
            return []
        count = sum(self._frames_below(*group, row) for group in groups)
        return [Box("", row, start, width, tuple(groups), count, row >= MOST_ROWS)]

    def _frames_below(self, first: int, last: int, row: int) -> int:
        """How many boxes the stacks of a range would make from `row` on, its common beginning not counted."""
        count = len(self._packed[first]) // _BYTES - row
        for index in range(first + 1, last):
            before, stack = self._packed[index - 1], self._packed[index]
            count += len(stack) // _BYTES - _common(before, stack)
        return count

    def _weight(self, group: tuple[int, int]) -> float:
        return self._weights[group[1]] - self._weights[group[0]]

    def _number(self, index: int, row: int) -> int:
        return int.from_bytes(self._packed[index][row * _BYTES : (row + 1) * _BYTES], sys.byteorder)


def _common(before: bytes, stack: bytes) -> int:
    """How many frames two stacks share from the root."""
    low, high = 0, min(len(before), len(stack)) // _BYTES
    while low < high:
        middle = (low + high + 1) // 2
        if before[: middle * _BYTES] == stack[: middle * _BYTES]:
            low = middle
        else:
            high = middle - 1
    return low


def _sums(values: Sequence[float], order: Sequence[int]) -> list[float]:
    """Sum of all before each position."""
    return list(accumulate((values[index] for index in order), initial=0.0))
