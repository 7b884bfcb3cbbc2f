"""How are many stacks kept so that those that begin alike lie side by side?

Stacks are packed as bytes and sorted: a frame under its callers is a range of them, and its weight the difference of two
sums. No tree is built: 50,000 stacks, or stacks 1,000 frames deep, cost no more than what is asked of them.
"""

import sys
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

_BYTES = 4
Range = tuple[int, int]
"""First stack and the one after the last, in the order of `PackedStacks`."""


class PackedStacks:
    """Stacks with their weight and any number of further columns, which a range of them can be asked for."""

    def __init__(self, stacks: Sequence[tuple[str, ...]], weights: Sequence[float], *columns: Sequence[float]) -> None:
        """Columns are as long as `stacks`; the same stack may come several times."""
        numbers: dict[str, int] = {}
        for frames in stacks:
            for frame in frames:
                numbers.setdefault(frame, len(numbers))
        packed = [array("I", map(numbers.__getitem__, frames)).tobytes() for frames in stacks]
        order = sorted(range(len(packed)), key=packed.__getitem__)
        self.names = list(numbers)
        """Each frame once; numbers of frames are indices of it."""
        self._packed = [packed[index] for index in order]
        self._weights = _sums(weights, order)
        self._columns = [_sums(column, order) for column in columns]
        self.total = self._weights[-1]

    def __len__(self) -> int:
        return len(self._packed)

    def numbers(self, index: int) -> Sequence[int]:
        """A stack, root first."""
        return array("I", self._packed[index])

    def number(self, index: int, row: int) -> int:
        return int.from_bytes(self._packed[index][row * _BYTES : (row + 1) * _BYTES], sys.byteorder)

    def name(self, index: int, row: int) -> str:
        return self.names[self.number(index, row)]

    def weight(self, part: Range) -> float:
        return self._weights[part[1]] - self._weights[part[0]]

    def column(self, part: Range, column: int) -> float:
        """The sum of a column over a range."""
        sums = self._columns[column]
        return sums[part[1]] - sums[part[0]]

    def groups(self, first: int, last: int, row: int) -> list[Range]:
        """The ranges of stacks whose frame in `row` is the same; those that end before have none. Stacks `first` to `last`
        must have all frames above it in common."""
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

    def frames_below(self, first: int, last: int, row: int) -> int:
        """How many frames the stacks of a range have from `row` on, each beginning that is common to some counted once."""
        count = len(self._packed[first]) // _BYTES - row
        for index in range(first + 1, last):
            before, stack = self._packed[index - 1], self._packed[index]
            count += len(stack) // _BYTES - _common(before, stack)
        return count


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
