"""Which pids are new, gone or in use again since the last listing of /proc?

The folder is listed only when the kernel has given out a new pid, and every few seconds besides: a process that ends
alone is found late here, which matters for none that is watched.
"""

import os
from typing import NamedTuple

from collectors.host import Host, KeptFile

LIST_EVERY_NS = 5_000_000_000


class Listed(NamedTuple):
    """Pids since the last listing. `replaced`: the pid belongs to another process now."""

    new: list[int]
    gone: list[int]
    replaced: list[int]


class ProcListing:
    """The names in /proc. One thread uses it."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._inodes: dict[str, int] = {}
        self._last_pid = b""
        self._loadavg: KeptFile | None = None
        self._listed_ns: int | None = None

    def update(self, host: Host, now_ns: int) -> Listed:
        """What a listing would show, which is nothing new if none is due. A folder that cannot be listed shows nothing
        new either."""
        given_out = self._pid_was_given_out(host)
        everything = self._listed_ns is None or now_ns - self._listed_ns >= LIST_EVERY_NS
        if not (given_out or everything):
            return Listed([], [], [])
        replaced: list[int] = []
        try:
            if everything:
                self._listed_ns = now_ns
                inodes = _inodes(host)
                names = set(inodes)
                replaced = [int(n) for n, inode in inodes.items() if n in self._names and self._differs(n, inode)]
                self._inodes = inodes
            else:
                names = set(os.listdir(host.proc))
        except OSError:
            return Listed([], [], [])
        new, gone = names - self._names, self._names - names
        self._names = names
        return Listed(_pids(new), _pids(gone), replaced)

    def try_again(self, pid: int) -> None:
        """The process is gone or could not be read: if the pid is still there, the next listing names it as new."""
        self._names.discard(str(pid))

    def close(self) -> None:
        if self._loadavg is not None:
            self._loadavg.close()
            self._loadavg = None

    def _differs(self, name: str, inode: int) -> bool:
        """The kernel makes a new inode for /proc/PID when the pid is in use again. It may also do so to save memory, so
        this is reason to look, and no proof."""
        return self._inodes.get(name, inode) != inode

    def _pid_was_given_out(self, host: Host) -> bool:
        """The last number of /proc/loadavg is the pid given out last. It costs less than /proc/stat, and unlike the
        counter there it is that of our own pid namespace."""
        try:
            if self._loadavg is None:
                self._loadavg = KeptFile(f"{host.proc}/loadavg")
            last_pid = self._loadavg.read(128).rpartition(b" ")[2]
        except OSError:
            last_pid = b""
        before, self._last_pid = self._last_pid, last_pid
        return not last_pid or last_pid != before


def _inodes(host: Host) -> dict[str, int]:
    with os.scandir(host.proc) as folder:
        return {item.name: item.inode() for item in folder if item.name.isdecimal()}


def _pids(names: set[str]) -> list[int]:
    return sorted(int(name) for name in names if name.isdecimal())
