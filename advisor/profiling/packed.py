"""How are many stacks kept so that those that begin alike lie side by side?

Stacks are packed as bytes and sorted: a frame under its callers is a range of them, and its weight the difference of two
sums. No tree is built: 50,000 stacks, or stacks 1,000 frames deep, cost no more than what is asked of them.
"""

import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

_BYTES = 4
Range = tuple[int, int]
"""First stack and the one after the last, in the order of `PackedStacks`."""


class Numbers(dict[str, int]):
    """Numbers of frames, from 0 in the order in which they are first asked for."""

    def __missing__(self, frame: str) -> int:
        number = self[frame] = len(self)
        return number

    def pack(self, frames: Iterable[str]) -> bytes:
        return array("I", map(self.__getitem__, frames)).tobytes()


class Numbered(NamedTuple):
    """Stacks as bytes that some `Numbers` packed; `names`: these in their order."""

    names: Sequence[str]
    stacks: Sequence[bytes]


class PackedStacks:
    """Stacks with their weight and any number of further columns, which a range of them can be asked for."""

    def __init__(
        self, stacks: Sequence[tuple[str, ...]] | Numbered, weights: Sequence[float], *columns: Sequence[float]
    ) -> None:
        """Columns are as long as `stacks`; the same stack may come several times."""
        self.names, packed = stacks if isinstance(stacks, Numbered) else numbered(stacks)
        """Each frame once; numbers of frames are indices of it."""
        order = sorted(range(len(packed)), key=packed.__getitem__)
        self.order: Sequence[int] = order
        """Of each position, which stack stands there."""
        self._packed = [packed[index] for index in order]
        self._weights = _sums(weights, order)
        self._columns = [_sums(column, order) for column in columns]
        self.total = self._weights[-1]

    def __len__(self) -> int:
        return len(self._packed)

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

    def sums_of_those_with(self, numbers: frozenset[int]) -> list[float]:
        """Of the stacks that hold one of these frames, the weight of all before each position."""
        sums, total, has_none, weights = [0.0], 0.0, numbers.isdisjoint, self._weights
        for index, stack in enumerate(self._packed):
            if not has_none(array("I", stack)):
                total += weights[index + 1] - weights[index]
            sums.append(total)
        return sums

    def groups(self, first: int, last: int, row: int) -> list[Range]:
        """The ranges of stacks whose frame in `row` is the same; those that end before have none. Stacks `first` to `last`
        must have all frames above it in common."""
        cut = slice(row * _BYTES, (row + 1) * _BYTES)
        while first < last and len(self._packed[first]) <= cut.start:
            first += 1
        groups = []
        while first < last:
            end = self._end(first, last, cut)
            groups.append((first, end))
            first = end
        return groups

    def _end(self, first: int, last: int, cut: slice) -> int:
        """Where the group that begins at `first` ends: looked for in steps that double, as most groups are small."""
        packed = self._packed
        key = packed[first][cut]
        if packed[last - 1][cut] == key:
            return last
        step = 1
        while first + step < last and packed[first + step][cut] == key:
            first, step = first + step, 2 * step
        return bisect_right(packed, key, first + 1, min(first + step, last), key=lambda stack: stack[cut])

    def frames_below(self, first: int, last: int, row: int) -> int:
        """How many frames the stacks of a range have from `row` on, each beginning that is common to some counted once."""
        count = len(self._packed[first]) // _BYTES - row
        for index in range(first + 1, last):
            before, stack = self._packed[index - 1], self._packed[index]
            count += len(stack) // _BYTES - _common(before, stack)
        return count


def numbered(stacks: Iterable[tuple[str, ...]]) -> Numbered:
    numbers = Numbers()
    packed = [numbers.pack(frames) for frames in stacks]
    return Numbered(list(numbers), packed)


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
    return list(accumulate(map(values.__getitem__, order), initial=0.0))
