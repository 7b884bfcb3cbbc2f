"""Which TCP sockets are there, and how many connections wait at each port, asked of the kernel over netlink?

/proc/net/tcp is text, of all connections: a server whose clients come anew each time leaves ten thousand that are over, and
reading those takes 50 ms of CPU time. Here the kernel leaves them out, or all but the listening ones. It answers for the
caller's own network namespace.
"""

import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST_AND_DUMP = 0x301
_ERROR, _DONE = 2, 3
_LISTEN = 10
_TIME_WAIT, _NEW_REQUEST = 6, 12
_ALL_STATES = (1 << 13) - 2
"""Of enum tcp states, as bits."""
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, sender
_REQUEST = struct.Struct("=BBBBI48x")  # family, protocol, extensions, padding, states, any socket
_SOCKET = struct.Struct("=xB2xH46x4xI8xI")  # state, local port in network byte order, connections that wait, inode
_RECEIVE_BYTES = 65536

Take = Callable[[int, int, int, int], None]
"""Gets state, port, receive queue and inode of a socket."""


class TcpSocket(NamedTuple):
    """`port`: the local one."""

    port: int
    listening: bool


def listen_queues() -> Counter[int] | None:
    """Connections not yet accepted, by port, IPv4 and IPv6 together; None where the kernel does not answer."""
    queues: Counter[int] = Counter()

    def take(_state: int, port: int, waiting: int, _inode: int) -> None:
        queues[port] += waiting

    return queues if _ask(1 << _LISTEN, take) else None


def tcp_sockets() -> dict[int, TcpSocket] | None:
    """The sockets that some process has open, by inode, IPv4 and IPv6 together; None where the kernel does not answer."""
    found: dict[int, TcpSocket] = {}

    def take(state: int, port: int, _waiting: int, inode: int) -> None:
        if inode:  # else no process has it yet, or any more
            found[inode] = TcpSocket(port, state == _LISTEN)

    return found if _ask(_ALL_STATES & ~(1 << _TIME_WAIT | 1 << _NEW_REQUEST), take) else None


def _ask(states: int, take: Take) -> bool:
    """Whether the kernel answered."""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_SOCK_DIAG) as link:
            link.settimeout(0.2)
            for family in (socket.AF_INET, socket.AF_INET6):
                request = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, states)
                length = _HEADER.size + len(request)
                link.send(_HEADER.pack(length, _SOCK_DIAG_BY_FAMILY, _REQUEST_AND_DUMP, family, 0) + request)
                while not read_answer(link.recv(_RECEIVE_BYTES), take):
                    pass
    except OSError:
        return False
    return True


def read_answer(data: bytes, take: Take) -> bool:
    """Hand on the sockets in one datagram of the kernel's answer; True once it was the last. OSError where it is a refusal."""
    for kind, body, end in _messages(data):
        if kind == _DONE:
            return True
        if kind == _ERROR or end - body < _SOCKET.size:
            raise OSError("the kernel refused a list of sockets")
        state, port, waiting, inode = _SOCKET.unpack_from(data, body)
        take(state, socket.ntohs(port), waiting, inode)
    return False


def _messages(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Type, begin and end of the body of each message. OSError where one is cut short."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, at)
        if kind != _DONE and (length < _HEADER.size or at + length > len(data)):
            raise OSError("the kernel's answer is cut short")
        yield kind, at + _HEADER.size, at + length
        at += (length + 3) & ~3
