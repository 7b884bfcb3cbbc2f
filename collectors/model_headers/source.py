"""How are the bytes of a file that nobody vouches for read, within a budget of bytes and time?"""

import os
import re
import time
from collections.abc import Callable
from struct import Struct
from typing import Final

BUDGET_BYTES: Final = 64 << 20
BUDGET_SECONDS: Final = 1.0
NUMBER_LIMIT: Final = 2**63 - 1
_FAR_BYTES: Final = 4096
"""Read at once after a jump; what follows may be jumped over too."""
_NEAR_BYTES: Final = 65536
_LABEL = re.compile(r"[A-Za-z_][\w.-]{0,63}", re.ASCII)


class BadHeader(Exception):  # noqa: N818 - it is a state of the file
    """The header is not of its format, or over a limit. `reason` holds nothing of the file but numbers."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BudgetSpent(Exception):  # noqa: N818 - an expected end
    """What one look may read or take is used up."""


class Budget:
    """What may still be read (bytes) and how long that may take (seconds of wall time from now on)."""

    def __init__(
        self,
        bytes_left: int = BUDGET_BYTES,
        seconds: float = BUDGET_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bytes_left = bytes_left
        self._clock = clock
        self._until = clock() + seconds

    def check(self) -> None:
        """Raises BudgetSpent after the time is over."""
        if self._clock() >= self._until:
            raise BudgetSpent

    def take(self, count: int) -> None:
        """Note `count` bytes before they are read. Raises BudgetSpent."""
        if count > self._bytes_left:
            raise BudgetSpent
        self._bytes_left -= count
        self.check()


class Source:
    """One open plain file: `size` bytes at `path`, read at any place. Its position is not used."""

    def __init__(self, descriptor: int, path: str, size: int, budget: Budget) -> None:
        self.path = path
        self.size = size
        self.budget = budget
        self._descriptor = descriptor

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def at(self, offset: int, count: int) -> bytes:
        """`count` bytes, fewer at the end of the file. Raises BudgetSpent, OSError as pread(2) does."""
        count = min(count, max(self.size - offset, 0))
        self.budget.take(count)
        return os.pread(self._descriptor, count, offset) if count else b""

    def cursor(self, offset: int = 0) -> "Cursor":
        return Cursor(self.at, self.size, offset)


class Cursor:
    """Reads on from `offset` to `size` in windows; `at` gives the bytes of a place."""

    def __init__(self, at: Callable[[int, int], bytes], size: int, offset: int = 0) -> None:
        self.size = size
        self._at = at
        self._buffer = b""
        self._begin = offset
        """Place of the buffer in the file."""
        self._used = 0
        self._far = True

    @property
    def position(self) -> int:
        return self._begin + self._used

    def take(self, count: int) -> bytes:
        """The next `count` bytes. Raises BadHeader if there are fewer."""
        end = self._used + count
        if end > len(self._buffer):
            self._fill(count)
            end = count
        taken = self._buffer[self._used : end]
        self._used = end
        return taken

    def number(self, form: Struct) -> int:
        """The next number, in the form of a Struct of one item."""
        end = self._used + form.size
        if end > len(self._buffer):
            self._fill(form.size)
            end = form.size
        (value,) = form.unpack_from(self._buffer, self._used)
        self._used = end
        return int(value)

    def byte(self) -> int:
        if self._used >= len(self._buffer):
            self._fill(1)
        value = self._buffer[self._used]
        self._used += 1
        return value

    def line(self, limit: int) -> bytes:
        """The next line without its end, at most `limit` bytes of it."""
        kept = b""
        while (end := self._buffer.find(b"\n", self._used)) < 0:
            kept += self._buffer[self._used : self._used + limit - len(kept)]
            self._used = len(self._buffer)
            self._fill(1)
        kept += self._buffer[self._used : min(end, self._used + limit - len(kept))]
        self._used = end + 1
        return kept

    def skip(self, count: int) -> None:
        """Go on by `count` bytes without reading them. Raises BadHeader behind the file's end."""
        self._used += count
        if self._used > len(self._buffer):
            if self.position > self.size:
                raise BadHeader(f"cut short: {self.position} bytes or more were promised, {self.size} are there")
            self._begin, self._buffer, self._used, self._far = self.position, b"", 0, True

    def skip_prefixed(self, count: int, form: Struct, limit: int) -> None:
        """Go over `count` texts, each after its length in `form`, as far as `limit`. Raises BadHeader."""
        width = form.size
        while count:
            buffer, used, read = self._buffer, self._used, form.unpack_from
            last = len(buffer) - width
            while count and used <= last:
                used += width + read(buffer, used)[0]
                count -= 1
            self._used = used
            self.skip(0)
            if self.position > limit:
                raise BadHeader(f"its header is longer than {limit} bytes")
            if count:
                self._fill(width)

    def _fill(self, count: int) -> None:
        """Have the next `count` bytes, or more, at the begin of the buffer."""
        rest = self._buffer[self._used :]
        place = self._begin + len(self._buffer)
        self._begin, self._used = self.position, 0
        wanted = max(count - len(rest), _FAR_BYTES if self._far else _NEAR_BYTES)
        self._far = False
        if count > self.size - self._begin:
            raise BadHeader(f"cut short: {self._begin + count} bytes or more were promised, {self.size} are there")
        self._buffer = rest + self._at(place, wanted)
        if count > len(self._buffer):
            raise BadHeader("cut short, or changed while it was read")


CONVOLUTIONS = (4, 5)
"""Dimensions of a tensor that is the kernel of a convolution over images, or over volumes."""


def elements(shape: "list[int] | tuple[int, ...]") -> int:
    """The product of a shape. Raises BadHeader for a number below 0 or a product that no file can hold."""
    total = 1
    for one in shape:
        total *= one
        if one < 0 or total > NUMBER_LIMIT:
            raise BadHeader("a tensor has an impossible shape")
    return total


def label(text: object) -> str | None:
    """`text` if it is one name of letters, digits, dots and dashes, so that it can be told."""
    return text if isinstance(text, str) and _LABEL.fullmatch(text) else None


def add(dtypes: dict[str, int], dtype: str, count: int) -> None:
    """Count elements of a type. Raises BadHeader where the sum cannot be true."""
    dtypes[dtype] = dtypes.get(dtype, 0) + count
    if sum(dtypes.values()) > NUMBER_LIMIT or len(dtypes) > 32:
        raise BadHeader("its tensors are impossibly many")
