"""The one seam to the machine: where its files are and what time it is.

Collectors, recognisers and the sidecar reach the host through this argument alone, so that a folder of files stands
in for a machine in tests (`Host.at`).
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from collectors.reading import Instant, Unreadable

if TYPE_CHECKING:
    from collectors.inside.memory import MemoryReader

READ_LIMIT_BYTES = 1 << 20
"""No file of /proc, /sys or a cgroup that we read is larger; a fixture or a FIFO in its place must not fill memory."""


class Clock(Protocol):
    """Time as a collector sees it. `now().mono_ns` never goes back."""

    def now(self) -> Instant: ...


class SystemClock:
    def now(self) -> Instant:
        return Instant(time.monotonic_ns(), time.time_ns())


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Roots of the kernel's file trees, and a clock. Paths carry no trailing slash; `root` is empty for the machine's own
    `/`, so that `root + "/var/log"` is a path."""

    root: str = ""
    proc: str = "/proc"
    sys: str = "/sys"
    cgroup: str = "/sys/fs/cgroup"
    clock: Clock = field(default_factory=SystemClock)
    ticks_per_second: int = 100
    page_bytes: int = 4096
    memory_of: "MemoryReader | None" = None
    """Looks into a worker with the rights of the sidecar; None = with our own."""

    @classmethod
    def real(cls) -> "Host":
        return cls(ticks_per_second=os.sysconf("SC_CLK_TCK"), page_bytes=os.sysconf("SC_PAGE_SIZE"))

    @classmethod
    def at(cls, root: Path | str, clock: Clock | None = None) -> "Host":
        """A host made of the files below `root` (`proc`, `sys`, `sys/fs/cgroup`, and what else programs keep there)."""
        base = str(root)
        return cls(
            root=base,
            proc=f"{base}/proc",
            sys=f"{base}/sys",
            cgroup=f"{base}/sys/fs/cgroup",
            clock=clock or SystemClock(),
        )

    def read(self, path: str) -> bytes:
        """The file's bytes, at most `READ_LIMIT_BYTES`. Raises OSError as open(2) and read(2) do."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            chunks = []
            left = READ_LIMIT_BYTES
            while left > 0 and (chunk := os.read(descriptor, min(left, 65536))):
                chunks.append(chunk)
                left -= len(chunk)
            return b"".join(chunks)
        finally:
            os.close(descriptor)

    def text(self, path: str) -> str:
        """As `read`, decoded; bytes that are not UTF-8 survive as surrogates."""
        return self.read(path).decode("utf-8", "surrogateescape")

    def need(self, path: str, reason: str, hint: str) -> str:
        """As `text`, but an absent or forbidden file is `Unreadable(reason, hint)`."""
        try:
            return self.text(path)
        except OSError as error:
            raise Unreadable(f"{reason}: {os.strerror(error.errno or 0)}", hint) from error


class KeptFile:
    """A file whose descriptor stays open and is read from its start each time: `pread` costs a tenth of open+read.

    A kept descriptor of `/proc/PID/…` answers ESRCH once that process is gone, also when its pid is in use again, so
    it guards against pid reuse as well. Raises ProcessLookupError then, and OSError as open(2) does at construction.
    """

    __slots__ = ("_descriptor",)

    def __init__(self, path: str) -> None:
        self._descriptor = -1  # __del__ also runs where open fails
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self, size: int = 4096) -> bytes:
        return os.pread(self._descriptor, size, 0)

    def pages(self) -> Iterator[bytes]:
        """The whole file piece by piece: the kernel hands out its large tables a page at a time. At most
        `READ_LIMIT_BYTES`."""
        offset = 0
        while offset < READ_LIMIT_BYTES and (piece := os.pread(self._descriptor, 65536, offset)):
            offset += len(piece)
            yield piece

    def read_all(self) -> bytes:
        return b"".join(self.pages())

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        self.close()
