"""Which share of a model's weights is exactly zero, as far as a few pages of its data tell?

At most 32 pages of 4 KiB, evenly over the data, are read once per file: in 32768 numbers or more that many weights are counted
to within a percent where zeros are scattered, to within ten where whole rows or blocks of them are zero.
"""

import sys
from array import array
from bisect import bisect_left
from typing import Final

from collectors.model_headers.source import BudgetSpent, Source

PAGES: Final = 32
PAGE_BYTES: Final = 4096
LEAST_PAGES: Final = 8
"""Fewer pages of numbers that can be told to be zero say nothing of the whole."""
_ZEROS: Final = {"F32": ("I", 1 << 31), "F16": ("H", 1 << 15), "BF16": ("H", 1 << 15)}
"""Type -> how its bits are read as whole numbers, and which of these is -0; +0 is 0 in each."""


class ZeroSample:
    """The places of the data that are looked at, and which tensors these turn out to be in: nothing is kept of the others."""

    def __init__(self, data_bytes: int) -> None:
        step = data_bytes / PAGES
        self._targets = [int(step * (page + 0.5)) for page in range(PAGES)] if step >= PAGE_BYTES else []
        self._found: dict[int, tuple[int, int, str]] = {}

    def note(self, dtype: str, begin: int, end: int) -> None:
        """A tensor's bytes within the data."""
        if dtype not in _ZEROS:
            return
        for page in range(bisect_left(self._targets, begin), bisect_left(self._targets, end)):
            self._found[page] = (begin, end, dtype)

    def share(self, source: Source, data_at: int) -> float | None:
        """Of the numbers in the places, 0..1; `data_at`: where the data begins in the file. None where too few of them are of
        types that are known, or the budget does not allow for it. Raises OSError as pread(2) does."""
        if len(self._found) < LEAST_PAGES:
            return None
        zeros = total = 0
        try:
            for page, (begin, end, dtype) in sorted(self._found.items()):
                code, negative = _ZEROS[dtype]
                width = array(code).itemsize
                at = begin + (self._targets[page] - begin) // width * width
                found = _numbers(source.at(data_at + at, min(PAGE_BYTES, end - at)), code)
                zeros += found.count(0) + found.count(negative)
                total += len(found)
        except BudgetSpent:
            return None
        return zeros / total if total else None


def _numbers(content: bytes, code: str) -> "array[int]":
    """As the format writes them: the least significant byte first."""
    numbers = array(code)
    numbers.frombytes(content[: len(content) // numbers.itemsize * numbers.itemsize])
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
