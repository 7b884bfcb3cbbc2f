"""How many connections wait at each listening TCP port, asked of the kernel over netlink?

/proc/net/tcp walks the hash table of all connections, some milliseconds of CPU time on a node with much memory; this
question walks that of the listening sockets alone. It is answered for the caller's own network namespace.
"""

import socket
import struct
from collections import Counter

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST_AND_DUMP = 0x301
_ERROR, _DONE = 2, 3
_LISTEN_STATE = 1 << 10
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, sender
_REQUEST = struct.Struct("=BBBBI48x")  # family, protocol, extensions, padding, states, any socket
_ANSWER = struct.Struct("=4xH46x")  # the port, in network byte order, and the rest of the addresses
_QUEUE = struct.Struct("=4xI")  # timer, connections that wait
_RECEIVE_BYTES = 65536


def listen_queues() -> Counter[int] | None:
    """Connections not yet accepted, by port, IPv4 and IPv6 together; None where the kernel does not answer."""
    queues: Counter[int] = Counter()
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_SOCK_DIAG) as link:
            link.settimeout(0.2)
            for family in (socket.AF_INET, socket.AF_INET6):
                _ask(link, family, queues)
    except OSError:
        return None
    return queues


def _ask(link: socket.socket, family: int, queues: Counter[int]) -> None:
    request = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, _LISTEN_STATE)
    length = _HEADER.size + len(request)
    link.send(_HEADER.pack(length, _SOCK_DIAG_BY_FAMILY, _REQUEST_AND_DUMP, family, 0) + request)
    while not read_answer(link.recv(_RECEIVE_BYTES), queues):
        pass


def read_answer(data: bytes, queues: Counter[int]) -> bool:
    """Add one datagram of the kernel's answer to `queues`; True once it was the last. OSError where it is a refusal."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, at)
        if kind == _DONE:
            return True
        body = at + _HEADER.size
        if kind == _ERROR or length < _HEADER.size + _ANSWER.size + _QUEUE.size or at + length > len(data):
            raise OSError("the kernel refused a list of listening sockets")
        (port,) = _ANSWER.unpack_from(data, body)
        (waiting,) = _QUEUE.unpack_from(data, body + _ANSWER.size)
        queues[socket.ntohs(port)] += waiting
        at += (length + 3) & ~3
    return False
