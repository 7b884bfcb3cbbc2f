"""Which symbol of a table holds which address, found in one pass over pieces of the table?

Most symbols are never looked at: those that begin less than 64 KiB before an address are picked by bits 16 to 31 of their
place, those that are larger than that by the upper bytes of their size, with operations that run at C's speed.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from itertools import compress
from struct import Struct

import msgspec

SYMBOL = Struct("<I2BH2Q")
"""An entry of a symbol table: name, type and binding, visibility, section, address, size."""
UNSIZED_LIMIT_BYTES = 1 << 16
"""How far a symbol without a size reaches, if neither another follows before nor its section ends."""
_WORK_LIMIT = 500_000
_NO_TYPE, _FUNCTION, _INDIRECT_FUNCTION = 0, 2, 10
_UNDEFINED = 0
_GLOBAL_BINDING, _WEAK_BINDING = 1, 2
_HALVES = SYMBOL.size // 2
_PLACE_HALF = 5
"""Which 16-bit half of a symbol holds bits 16 to 31 of its address."""
_LARGE_SIZE_BYTES = range(18, 24)
"""The bytes of a symbol that are zero if its size is below 64 KiB."""
_LABEL_RANKS = 3


class TooMuchWork(Exception):  # noqa: N818 - a state of the table
    """Too many symbols hold the same addresses."""


class Found(msgspec.Struct, array_like=True, gc=False):
    """A symbol: its addresses, which of several names of one place goes first, and where its name and section are."""

    begin: int
    end: int
    rank: int
    name: int
    section: int

    @property
    def is_label(self) -> bool:
        """It is not said to be a function."""
        return self.rank < _LABEL_RANKS


class Search:
    """The best symbol for each of the addresses, as pieces of the table come by; sections end at `section_ends`."""

    def __init__(self, addresses: Collection[int], section_ends: Sequence[int]) -> None:
        self._addresses = sorted(set(addresses))
        self._section_ends = section_ends
        self._covering: list[Found | None] = [None] * len(self._addresses)
        self._nearest: list[Found | None] = [None] * len(self._addresses)
        """By the first address that is not below it: the last symbol that begins there."""
        self._work = _WORK_LIMIT
        hot = bytearray(1 << 16)
        for address in self._addresses:
            granule = address >> 16
            hot[granule & 0xFFFF] = hot[granule - 1 & 0xFFFF] = 1
        self._hot = bytes(hot)

    def take(self, chunk: memoryview) -> None:
        """Look at a piece of the table: whole entries. Raises TooMuchWork."""
        count = len(chunk) // SYMBOL.size
        halves = chunk.cast("H")[_PLACE_HALF::_HALVES].tolist()
        picked = list(compress(range(count), map(self._hot.__getitem__, halves)))
        whole = bytes(chunk)
        for byte in _LARGE_SIZE_BYTES:
            column = whole[byte :: SYMBOL.size]
            if column.strip(b"\0"):
                picked.extend(compress(range(count), column))
        for index in picked:
            self._one(*SYMBOL.unpack_from(chunk, index * SYMBOL.size))

    def _one(self, name: int, info: int, _: int, section: int, value: int, size: int) -> None:
        kind = info & 15
        if section == _UNDEFINED or not (kind in (_FUNCTION, _INDIRECT_FUNCTION) or (kind == _NO_TYPE and size == 0)):
            return
        first = bisect_left(self._addresses, value)
        if first == len(self._addresses):
            return
        found = Found(value, value + size, _rank(info >> 4, kind), name, section)
        if _better(found, self._nearest[first]):
            self._nearest[first] = found
        while first < len(self._addresses) and self._addresses[first] < found.end:
            if _better(found, self._covering[first]):
                self._covering[first] = found
            first += 1
            self._work -= 1
            if self._work < 0:
                raise TooMuchWork

    def results(self) -> Iterator[tuple[int, Found]]:
        """Each address that a function holds. A sized one that covers it goes before one that merely precedes it."""
        before: Found | None = None
        for address, covering, nearest in zip(self._addresses, self._covering, self._nearest, strict=True):
            before = nearest or before
            if covering is not None:
                yield address, covering
            elif before is not None and address < self._reach(before):
                yield address, Found(before.begin, address + 1, before.rank, before.name, before.section)

    def _reach(self, found: Found) -> int:
        """Where one without a size ends at the latest: with its section, for the stubs of calls follow it."""
        if found.end > found.begin:
            return found.end
        ends = self._section_ends
        section_end = ends[found.section] if found.section < len(ends) else found.begin
        return min(section_end, found.begin + UNSIZED_LIMIT_BYTES)


def _rank(binding: int, kind: int) -> int:
    """Of several names of one place the function's goes before a label, the global before the weak and the local."""
    by_binding = 2 if binding == _GLOBAL_BINDING else 1 if binding == _WEAK_BINDING else 0
    return by_binding if kind == _NO_TYPE else by_binding + _LABEL_RANKS


def _better(one: Found, other: Found | None) -> bool:
    return other is None or (one.begin, one.rank) > (other.begin, other.rank)
