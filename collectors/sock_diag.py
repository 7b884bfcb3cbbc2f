"""Which TCP sockets are there, and how many connections wait at each port, asked of the kernel over netlink?

/proc/net/tcp is text, of all connections: a server whose clients come anew each time leaves ten thousand that are over, and
reading those takes 50 ms of CPU time. Here the kernel leaves them out, or all but the listening ones. It answers for the
caller's own network namespace.
"""

import socket
import struct
from collections import Counter
from collections.abc import Callable, Collection, Iterator
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
_FILTER = 1
"""INET_DIAG_REQ_BYTECODE, with operations of the next kinds."""
_JUMP, _NOT_BELOW, _NOT_ABOVE, _PEER_NOT_BELOW, _PEER_NOT_ABOVE = 1, 2, 3, 4, 5
_OPERATION = struct.Struct("=BBH")  # kind, bytes to go on if it holds, and if not
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
        for family in (socket.AF_INET, socket.AF_INET6):
            ask(family, states, lambda data: read_answer(data, take))
    except OSError:
        return False
    return True


def ask(
    family: int, states: int, read: Callable[[bytes], bool], *, extensions: int = 0, condition: bytes = b""
) -> None:
    """Hand `read` the datagrams that tell of the sockets of an address family in some states (bits of enum tcp states), until
    it says True. `condition`: as `at_ports` or `not_at` gives it.

    The kernel goes through its table only as far as it is read. Raises OSError where it does not answer.
    """
    request = _REQUEST.pack(family, socket.IPPROTO_TCP, extensions, 0, states)
    if condition:
        request += struct.pack("=HH", 4 + len(condition), _FILTER) + condition
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_SOCK_DIAG) as link:
        link.settimeout(0.2)
        length = _HEADER.size + len(request)
        link.send(_HEADER.pack(length, _SOCK_DIAG_BY_FAMILY, _REQUEST_AND_DUMP, family, 0) + request)
        while not read(link.recv(_RECEIVE_BYTES)):
            pass


def at_ports(ports: Collection[int]) -> bytes:
    """Only sockets with one of these as their local port. For each: not below it and not above it, else on to the next; to
    end at the end accepts, beyond it refuses (linux/inet_diag.h; to compare for equality takes Linux 5.12)."""
    operations = b""
    for port in ports:
        found = _OPERATION.pack(_JUMP, 4, 4 + len(operations)) if operations else b""
        on = len(found) or 4
        below = _compare(_NOT_BELOW, port, 16 + on)
        operations = below + _compare(_NOT_ABOVE, port, 8 + on) + found + operations
    return operations


def not_at(port: int) -> bytes:
    """Only sockets that have this port on neither side."""
    peer = _other_than(port, _PEER_NOT_BELOW, _PEER_NOT_ABOVE, 0)
    return _other_than(port, _NOT_BELOW, _NOT_ABOVE, len(peer)) + peer


def _other_than(port: int, not_below: int, not_above: int, rest: int) -> bytes:
    """Below the port, or above it; `rest`: bytes of the operations that follow."""
    found = _OPERATION.pack(_JUMP, 4, 12)
    return _compare(not_above, port - 1, 12) + found + _compare(not_below, port + 1, 12 + rest)


def _compare(kind: int, port: int, otherwise: int) -> bytes:
    """`otherwise`: where to go on if it does not hold, in bytes from here."""
    return _OPERATION.pack(kind, 8, otherwise) + _OPERATION.pack(0, 0, port)


def read_answer(data: bytes, take: Take) -> bool:
    """Hand on the sockets in one datagram of the kernel's answer; True once it was the last. OSError where it is a refusal."""
    bodies, last = sockets_in(data)
    for body, _ in bodies:
        state, port, waiting, inode = _SOCKET.unpack_from(data, body)
        take(state, socket.ntohs(port), waiting, inode)
    return last


def sockets_in(data: bytes) -> tuple[list[tuple[int, int]], bool]:
    """Where in one datagram the message on each socket (struct inet_diag_msg and its attributes) begins and ends, and whether
    the answer ends with it. OSError where it is a refusal, or cut short."""
    bodies: list[tuple[int, int]] = []
    for kind, body, end in _messages(data):
        if kind == _DONE:
            return bodies, True
        if kind == _ERROR or end - body < _SOCKET.size:
            raise OSError("the kernel refused a list of sockets")
        bodies.append((body, end))
    return bodies, False


def _messages(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Type, begin and end of the body of each message. OSError where one is cut short."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, at)
        if kind != _DONE and (length < _HEADER.size or at + length > len(data)):
            raise OSError("the kernel's answer is cut short")
        yield kind, at + _HEADER.size, at + length
        at += (length + 3) & ~3
