"""How much of a frame is of each class of work?"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence

from advisor.profiling.packed import Range


class Classes:
    """Of stacks in the order in which they are packed; each is of one class."""

    def __init__(self, works: Iterable[str], counts: Iterable[int]) -> None:
        self._positions: dict[str, list[int]] = {}
        self._sums: dict[str, list[int]] = {}
        totals: Counter[str] = Counter()
        for position, (work, count) in enumerate(zip(works, counts, strict=True)):
            self._positions.setdefault(work, []).append(position)
            self._sums.setdefault(work, [0]).append(totals[work] + count)
            totals[work] += count
        self.totals: Sequence[tuple[str, int]] = totals.most_common()
        """Each class with its samples, the largest first."""

    def of(self, ranges: Iterable[Range], work: str) -> int:
        """Samples of a class in some ranges."""
        positions, sums = self._positions[work], self._sums[work]
        return sum(sums[bisect_left(positions, last)] - sums[bisect_left(positions, first)] for first, last in ranges)
