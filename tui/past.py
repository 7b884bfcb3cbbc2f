"""What was seen, packed so that hours of it fit into little memory?"""

import zlib
from bisect import bisect_left, bisect_right
from datetime import datetime

import msgspec

from tui.source import Picture

CAP_BYTES = 32 << 20
"""A picture of a small node takes 4 KiB, one of 128 workers some 40 KiB: hours, or most of an hour."""


class Past:
    """The pictures that came, oldest first, each once; the oldest go where they would take more than `cap_bytes`."""

    def __init__(self, cap_bytes: int = CAP_BYTES) -> None:
        self.times: list[float] = []
        """Unix seconds, by the clock of the node."""
        self.size_bytes = 0
        self._cap_bytes = cap_bytes
        self._packed: list[bytes] = []

    def take(self, picture: Picture) -> None:
        """Keep a picture. What is not before it goes: it is the same moment, or the node's clock was set back."""
        at = instant(picture.node.at)
        if at is None:
            return
        self._cut(bisect_left(self.times, at), len(self.times))
        try:
            packed = zlib.compress(msgspec.msgpack.encode(picture), 1)
        except UnicodeEncodeError:  # a name from the kernel that is no text: what was answered cannot be packed
            return
        self.times.append(at)
        self._packed.append(packed)
        self.size_bytes += len(packed)
        self._cut(0, self._too_many())

    def at(self, seconds: float) -> Picture | None:
        """The newest that is not after `seconds`."""
        number = bisect_right(self.times, seconds) - 1
        return None if number < 0 else msgspec.msgpack.decode(zlib.decompress(self._packed[number]), type=Picture)

    def _too_many(self) -> int:
        over, count = self.size_bytes - self._cap_bytes, 0
        while over > 0 and count < len(self._packed) - 1:
            over -= len(self._packed[count])
            count += 1
        return count

    def _cut(self, start: int, end: int) -> None:
        self.size_bytes -= sum(map(len, self._packed[start:end]))
        del self.times[start:end], self._packed[start:end]


def instant(at: str) -> float | None:
    """Unix seconds of an ISO 8601 instant; None for what is none."""
    try:
        return datetime.fromisoformat(at).timestamp()
    except (ValueError, OverflowError):
        return None
