"""Where do moments lie that were worked out, so that the next who asks need not wait?"""

import errno
import os
import tempfile
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from pathlib import Path


class Computed:
    """The moments of one stretch of time, oldest first, packed in a file without a name. Times are Unix milliseconds."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError where the folder takes no file."""
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - it lives as long as this
        self.times = array("q")
        self._ends = array("Q", [0])

    @property
    def size_bytes(self) -> int:
        return self._ends[-1]

    def add(self, time_ms: int, packed: bytes) -> None:
        """Raises OSError. One that is not after the last is left out."""
        if self.times and time_ms <= self.times[-1]:
            return
        if os.pwrite(self._file.fileno(), packed, self._ends[-1]) != len(packed):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._ends.append(self._ends[-1] + len(packed))
        self.times.append(time_ms)

    def number_of(self, time_ms: int) -> int | None:
        """Which moment is exactly of that time."""
        number = bisect_left(self.times, time_ms)
        return number if number < len(self.times) and self.times[number] == time_ms else None

    def number_before(self, time_ms: int) -> int | None:
        """Which is the newest that is not after it."""
        number = bisect_right(self.times, time_ms) - 1
        return number if number >= 0 else None

    def packed(self, number: int) -> bytes:
        """Raises OSError."""
        start, end = self._ends[number], self._ends[number + 1]
        return os.pread(self._file.fileno(), end - start, start)

    def close(self) -> None:
        self._file.close()


class Results:
    """What was worked out, by the number of its stretch; what was asked for longest ago goes where it becomes too much."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[int, Computed] = OrderedDict()

    def get(self, number: int) -> Computed | None:
        found = self._kept.get(number)
        if found is not None:
            self._kept.move_to_end(number)
        return found

    def put(self, number: int, computed: Computed) -> None:
        """In the place of what was there."""
        before = self._kept.pop(number, None)
        if before is not None:
            before.close()
        self._kept[number] = computed

    def hold_bound(self) -> None:
        """The newest stays, whatever its size."""
        while len(self._kept) > 1 and sum(one.size_bytes for one in self._kept.values()) > self._most_bytes:
            self._kept.popitem(last=False)[1].close()

    def close(self) -> None:
        while self._kept:
            self._kept.popitem()[1].close()
