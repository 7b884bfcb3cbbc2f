"""How is one process's folder in /proc read so that no other process can be read in its place?"""

import os
from collections.abc import Iterator
from typing import Self

from collectors.entities import WorkerKey
from collectors.host import READ_LIMIT_BYTES, Host
from collectors.procfs import Stat, parse_stat

CHUNK_BYTES = 65536
LINES_LIMIT_BYTES = 16 << 20


class Vanished(Exception):  # noqa: N818 - an expected end, not an error
    """The process meant is gone; its pid may belong to another one by now."""


class ProcessFolder:
    """The open folder /proc/PID of the process `key`.

    The kernel binds the descriptor to the process, not to its number, so nothing read through it can come from a
    process that got the pid later; `check` tells the two apart before each look, also where a plain folder stands in
    for /proc. Raises Vanished if there is no such process, OSError as open(2) does.
    """

    def __init__(self, host: Host, key: WorkerKey) -> None:
        self.host = host
        self.key = key
        try:
            self._descriptor = os.open(f"{host.proc}/{key.pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise Vanished from error
        try:
            self.check()
        except BaseException:
            self.close()
            raise

    def check(self) -> Stat:
        """The process as it is now. Raises Vanished if it ended or is another one."""
        try:
            stat = parse_stat(self.read("stat"))
        except (FileNotFoundError, ProcessLookupError, ValueError) as error:
            raise Vanished from error
        if stat.started != self.key.started or stat.state in "ZX":
            raise Vanished
        return stat

    def taken_over(self) -> bool:
        """Whether another process has the number of the one meant, which is gone."""
        try:
            stat = parse_stat(self.host.read(f"{self.host.proc}/{self.key.pid}/stat"))
        except (OSError, ValueError):
            return False
        return stat.started != self.key.started

    def open(self, name: str, flags: int = os.O_RDONLY) -> int:
        """A new descriptor of a file below the folder; a FIFO in its place does not block."""
        return os.open(name, flags | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=self._descriptor)

    def read(self, name: str) -> bytes:
        """The file's bytes, at most `READ_LIMIT_BYTES`."""
        return b"".join(self._chunks(name, READ_LIMIT_BYTES))

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of a table that may be long (maps, net/tcp), without holding it whole."""
        rest = b""
        for chunk in self._chunks(name, LINES_LIMIT_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
        if rest:
            yield rest

    def link(self, name: str) -> bytes:
        """Where a link points, as bytes: paths need not be text."""
        return os.readlink(os.fsencode(name), dir_fd=self._descriptor)

    def ids(self, name: str) -> list[int]:
        """The numbers of a line of /proc/PID/status: `Uid` and `Gid` (real, effective, saved, file system), `Groups`.
        Empty if it is not stated."""
        _, found, rest = (b"\n" + self.read("status")).partition(f"\n{name}:".encode())
        return [int(number) for number in rest.partition(b"\n")[0].split()] if found else []

    def what_to_grant(self) -> str:
        """The hint for a part that we may not read: which privilege or which user it takes."""
        try:
            uid = self.ids("Uid")[:1]
        except OSError:
            uid = []
        owner = f"uid {uid[0]}" if uid else "the server's uid"
        return f"run the sidecar with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, or as {owner}"

    def close(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _chunks(self, name: str, limit: int) -> Iterator[bytes]:
        descriptor = self.open(name)
        try:
            while limit > 0 and (chunk := os.read(descriptor, min(limit, CHUNK_BYTES))):
                yield chunk
                limit -= len(chunk)
        finally:
            os.close(descriptor)
