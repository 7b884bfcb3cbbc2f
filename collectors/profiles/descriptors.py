"""What is behind a descriptor on which a thread waits: a listening socket, a client, another server, a pipe?"""

import os
import re
import time
from collections.abc import Iterator
from itertools import takewhile

from collectors.inside.folder import ProcessFolder
from collectors.profiles.profile import Wait
from collectors.sock_diag import tcp_sockets

_LINK = re.compile(rb"(socket|pipe):\[(\d+)\]")
_LISTEN = b" 0A "
_TABLES = ("net/tcp", "net/tcp6")
_CHEAP_SECONDS = 0.003
_REST = 4
"""A table that takes more CPU time than that is read for at most one part in so many of the time."""


class Stale(Exception):  # noqa: N818 - the thread went on while we looked
    """What this wait is for cannot be told: the descriptor was closed, is another one by now, or its socket is a new one
    while the tables are left alone for a moment. The look counts for nothing then."""


class Descriptors:
    """Tells the descriptors of one process apart. The kernel is asked for its sockets when an unknown one turns up, at most
    once per `renew`; in another network namespace their tables are read, in which a busy server has thousands of rows, most
    of connections that are over."""

    def __init__(self, folder: ProcessFolder) -> None:
        self._folder = folder
        self._sockets: dict[int, Wait] = {}
        self._ports: frozenset[bytes] | None = None
        self._own_network = _same_network(folder)
        self._may_look = True
        self._rests_until = 0.0

    def renew(self) -> None:
        """A new look: tables may be read once more."""
        self._may_look = time.monotonic() >= self._rests_until

    def kind(self, number: int) -> Wait:
        """What a wait on descriptor `number` is for. Raises Stale."""
        target = self._target(number)
        match = _LINK.fullmatch(target)
        if match is None:
            if target.startswith(b"/dev/"):
                return "device"
            return "disk" if target.startswith(b"/") else "other"
        if match[1] == b"pipe":
            return "pipe"
        inode = int(match[2])
        if inode not in self._sockets:
            if not self._may_look:
                raise Stale
            self._may_look = False
            began = time.thread_time()
            found = self._ask(inode) or self._look_up(b" %d " % inode)
            took = time.thread_time() - began
            if took > _CHEAP_SECONDS:
                self._rests_until = time.monotonic() + _REST * took
            if found == "other" and self._target(number) != target:
                raise Stale
            self._sockets[inode] = found
        return self._sockets[inode]

    def _target(self, number: int) -> bytes:
        try:
            return self._folder.link(f"fd/{number}")
        except OSError as error:
            raise Stale from error

    def _ask(self, inode: int) -> Wait | None:
        """None where the kernel is not asked, or does not answer."""
        sockets = tcp_sockets() if self._own_network else None
        if sockets is None:
            self._own_network = False
            return None
        ports = {one.port for one in sockets.values() if one.listening}
        for each, (port, listening) in sockets.items():
            self._sockets[each] = "listening" if listening else "inbound" if port in ports else "outbound"
        if inode not in self._sockets:
            return self._unix(b" %d " % inode)
        return self._sockets[inode]

    def _look_up(self, inode: bytes) -> Wait:
        for table in _TABLES:
            row = next((line for line in self._lines(table) if inode in line), None)
            if row is None:
                continue
            if _LISTEN in row:
                return "listening"
            return "inbound" if _port(row) in self._listening_ports() else "outbound"
        return self._unix(inode)

    def _unix(self, inode: bytes) -> Wait:
        ending = inode.rstrip()
        unix = any(inode in line or line.endswith(ending) for line in self._lines("net/unix"))
        return "unix" if unix else "other"

    def _listening_ports(self) -> frozenset[bytes]:
        """The kernel writes sockets in state LISTEN first."""
        if self._ports is None:
            rows = (takewhile(lambda line: _LISTEN in line, self._lines(table)) for table in _TABLES)
            self._ports = frozenset(_port(row) for table in rows for row in table)
        return self._ports

    def _lines(self, table: str) -> Iterator[bytes]:
        try:
            lines = self._folder.lines(table)
            next(lines, None)  # the names of the columns
            yield from lines
        except OSError:
            return


def _same_network(folder: ProcessFolder) -> bool:
    """Whether the process is in our network namespace, whose sockets the kernel tells us."""
    try:
        return folder.link("ns/net") == os.readlink(b"/proc/self/ns/net")
    except OSError:
        return False


def _port(row: bytes) -> bytes:
    """The local port of a row, as it is written there."""
    return row.split(None, 2)[1].rpartition(b":")[2]


class Memory:
    """The target's memory, read without stopping it (/proc/PID/mem; needs the rights of a tracer)."""

    def __init__(self, folder: ProcessFolder) -> None:
        self._descriptor = folder.open("mem")

    def read(self, address: int, count: int) -> bytes:
        """Bytes at `address`. Raises OSError where nothing is mapped there any more."""
        return os.pread(self._descriptor, count, address)

    def close(self) -> None:
        os.close(self._descriptor)
