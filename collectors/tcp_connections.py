"""What does the kernel count for each TCP connection, and at which ports did connections end lately?

Asked over netlink, so for the caller's own network namespace.
"""

import socket
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from collectors.sock_diag import ask, at_ports, not_at
from collectors.tcp_messages import MessageParts, Row

_ESTABLISHED, _TIME_WAIT, _LISTEN = 1, 6, 10
_COUNTED = 1 << _ESTABLISHED | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11
"""And both FIN_WAIT, CLOSE_WAIT, LAST_ACK, CLOSING: accepted, with counters, and not over yet."""
_COUNTERS = 2
"""INET_DIAG_INFO: struct tcp_info."""
_GOING = "I13xB2xH38xQ20x"
"""Of a message: its length, state, local port, cookie. Ports are in network byte order."""
_INFO = "120xQQ16xI"
"""tcpi_bytes_acked, tcpi_bytes_received, tcpi_data_segs_in. The struct only grows (include/uapi/linux/tcp.h); the last of
them is there since Linux 4.6."""
_ENDED = "I16xHH16s16s12xI16x"
"""Length, ports and addresses (local, remote), milliseconds until it is forgotten."""
_LOOPBACK = b"\x7f"
TIME_WAIT_SECONDS = 60.0
"""How long the kernel keeps a connection that this side has closed first (TCP_TIMEWAIT_LEN)."""
CONNECTION_LIMIT, PORT_LIMIT = 20_000, 1000

Families = Mapping[int, frozenset[int]]
"""Ports, with the address families in which some socket listens on them."""
Counted = tuple[int, int, int]
"""What went over a connection since it began, as its server sees it: bytes received, bytes sent that the client has taken,
segments received that had data in them."""


class Accepted(NamedTuple):
    """The connections to one port that are not over, by the kernel's cookie, which is never used again."""

    counted: dict[int, Counted]
    established: int


class TcpTables(Protocol):
    """What the kernel can be asked. Each raises OSError where it does not answer."""

    def listening(self) -> Families: ...

    def accepted(self, ports: Families) -> Mapping[int, Accepted]:
        """The connections to each of these ports. OverflowError where they are more than CONNECTION_LIMIT or PORT_LIMIT."""

    def closed(self, ports: Families, seconds: float, limit: int, without: int | None = None) -> Counter[int]:
        """How many connections ended in the last `seconds`, by their listening port, as far as they are still in TIME_WAIT on
        this machine; without those of the port `without`. OverflowError where more than `limit` are in TIME_WAIT."""


class KernelTables:
    """The tables of the machine that this runs on."""

    def listening(self) -> Families:
        found: dict[int, frozenset[int]] = {}
        for family in (socket.AF_INET, socket.AF_INET6):
            for _, _, port, _ in _rows((family,), MessageParts(_GOING), 1 << _LISTEN, b""):
                found[port] = found.get(port, frozenset()) | {family}
        return {socket.ntohs(port): families for port, families in found.items()}

    def accepted(self, ports: Families) -> Mapping[int, Accepted]:
        counted: dict[int, dict[int, Counted]] = {socket.htons(port): {} for port in ports}
        established: Counter[int] = Counter()
        if len(ports) > PORT_LIMIT:
            raise OverflowError(f"more than {PORT_LIMIT} listening ports")
        parts, wanted = MessageParts(_GOING, _COUNTERS, _INFO), 1 << (_COUNTERS - 1)
        rows = _rows(_families(ports), parts, _COUNTED, at_ports(ports), extensions=wanted)
        for _, state, port, cookie, _, _, sent, received, segments in rows:
            counted[port][cookie] = (received, sent, segments)
            established[port] += state == _ESTABLISHED
        return {socket.ntohs(port): Accepted(found, established[port]) for port, found in counted.items()}

    def closed(self, ports: Families, seconds: float, limit: int, without: int | None = None) -> Counter[int]:
        condition = b"" if without is None else not_at(without)
        rows = _rows(_families(ports), MessageParts(_ENDED), 1 << _TIME_WAIT, condition, limit)
        youngest = (TIME_WAIT_SECONDS - seconds) * 1e3
        found = (
            _listening_side(local, remote, source, target, ports)
            for _, local, remote, source, target, expires in rows
            if expires >= youngest
        )
        return Counter(port for port in found if port is not None)


def _families(ports: Families) -> list[int]:
    return sorted(frozenset[int]().union(*ports.values()))


def _rows(
    families: Iterable[int], parts: MessageParts, states: int, condition: bytes, limit: int = CONNECTION_LIMIT,
    extensions: int = 0,
) -> list[Row]:  # fmt: skip
    """The sockets in these states. OverflowError where there are more than `limit`."""
    found: list[Row] = []

    def read(data: bytes) -> bool:
        rows, last = parts.rows(data)
        found.extend(rows)
        if len(found) > limit:
            raise OverflowError(f"more than {limit} connections")
        return last

    for family in families:
        ask(family, states, read, extensions=extensions, condition=condition)
    return found


def _listening_side(local: int, remote: int, source: bytes, target: bytes, ports: Families) -> int | None:
    """The listening port of a connection that is over: its own, or that of a peer on this machine which it had called.
    `local` and `remote` in network byte order."""
    if (port := socket.ntohs(local)) in ports:
        return port
    here = target == source or target[:1] == _LOOPBACK
    return port if here and (port := socket.ntohs(remote)) in ports else None
