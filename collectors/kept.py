"""How are files that are read again and again kept open, without using up the process's descriptors?"""

import errno
import os
import resource
from collections.abc import Callable, Iterator
from functools import partial

from collectors.entities import WorkerKey
from collectors.host import Host, KeptFile
from collectors.procfs import Stat, parse_stat

STAT_BYTES = 1024
"""More than a stat line of /proc/PID can be long."""
_EXHAUSTED = (errno.EMFILE, errno.ENFILE)


def read_once(path: str, size: int) -> bytes:
    """The first `size` bytes of a file, in one read(2): enough for the small files of /proc, which are made whole."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.read(descriptor, size)
    finally:
        os.close(descriptor)


class DescriptorBudget:
    """How many descriptors a collector may still keep: the rest of the program needs some too."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left

    @classmethod
    def share(cls, part: float) -> "DescriptorBudget":
        """This part of what the process may open."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return cls(int(soft * part) if soft > 0 else 1 << 20)


class RepeatedFile:
    """A file that is read again and again: its descriptor is kept while `budget` and the kernel allow it, otherwise it
    is opened for each reading. Raises OSError as open(2) and read(2) do, ProcessLookupError if its process is gone."""

    __slots__ = ("_budget", "_kept", "read")

    read: Callable[[int], bytes]
    """The first so many bytes of the file."""

    def __init__(self, path: str, budget: DescriptorBudget) -> None:
        self._budget = budget
        self._kept: KeptFile | None = None
        self.read = partial(read_once, path)
        if budget.left > 0:
            try:
                self._kept = KeptFile(path)
                self.read = self._kept.read
                budget.left -= 1
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                budget.left = 0

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None
            self._budget.left += 1


class KeptFiles:
    """Files of the node by path, each kept open from its first reading on while `budget` allows it."""

    __slots__ = ("_budget", "_files")

    def __init__(self, budget: DescriptorBudget | None = None) -> None:
        self._files: dict[str, KeptFile] = {}
        self._budget = budget or DescriptorBudget(16)

    def pages(self, path: str) -> Iterator[bytes]:
        """All of the file, page by page. Raises OSError with `filename` set, as open(2) and read(2) do."""
        try:
            kept = self._files.get(path)
            if kept is None:
                kept = KeptFile(path)
                if self._budget.left > 0:
                    self._files[path] = kept
                    self._budget.left -= 1
            yield from kept.pages()
        except OSError as error:
            self.forget(path)
            error.filename = path
            raise

    def read(self, path: str) -> bytes:
        """All of the file. Raises as `pages` does."""
        return b"".join(self.pages(path))

    def read_if_there(self, path: str) -> bytes | None:
        """As `read`, but None where there is no such file, or no right to read it."""
        try:
            return self.read(path)
        except OSError:
            return None

    def forget(self, path: str) -> None:
        if (kept := self._files.pop(path, None)) is not None:
            kept.close()
            self._budget.left += 1

    def close(self) -> None:
        for path in tuple(self._files):
            self.forget(path)


class WorkerStat:
    """/proc/PID/stat of one worker. Raises ProcessLookupError once the pid is gone or belongs to another process."""

    __slots__ = ("_file", "_key")

    def __init__(self, host: Host, key: WorkerKey, budget: DescriptorBudget) -> None:
        self._key = key
        self._file = RepeatedFile(f"{host.proc}/{key.pid}/stat", budget)

    def read(self) -> Stat:
        try:
            stat = parse_stat(self._file.read(STAT_BYTES))
        except ValueError as error:  # the kernel writes the line whole: half a line is no process
            raise ProcessLookupError(errno.ESRCH, str(error)) from error
        if stat.started != self._key.started:
            raise ProcessLookupError(errno.ESRCH, "the pid is in use again")
        return stat

    def close(self) -> None:
        self._file.close()
