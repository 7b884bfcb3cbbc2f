"""On which TCP addresses does a process listen?"""

import re
from collections.abc import Iterable, Iterator
from itertools import takewhile
from socket import AF_INET, AF_INET6, inet_ntop

from collectors.facts import Listening
from collectors.inside.folder import ProcessFolder
from collectors.procfs import TcpSocket, parse_tcp

_SOCKET = re.compile(rb"socket:\[(\d+)\]")


def listening(folder: ProcessFolder, targets: Iterable[bytes]) -> tuple[Listening, ...]:
    """The rows of /proc/PID/net/tcp and tcp6 in state LISTEN whose socket is among the descriptors' `targets`."""
    inodes = {int(match[1]) for target in targets if (match := _SOCKET.fullmatch(target))}
    if not inodes:
        return ()
    rows: list[TcpSocket] = []
    for table in ("net/tcp", "net/tcp6"):
        try:
            rows += parse_tcp(b"\n".join(_listen_lines(folder, table)))
        except FileNotFoundError:  # a kernel without IPv6 has no tcp6
            continue
    found = (
        Listening(address=_address(row.local_address), port=row.local_port, inode=row.inode)
        for row in rows
        if row.state == "0A" and row.inode in inodes
    )
    return tuple(sorted(found, key=lambda row: (row.port, row.address, row.inode)))


def _listen_lines(folder: ProcessFolder, table: str) -> Iterator[bytes]:
    """The kernel writes sockets in state LISTEN first; what follows them may be tens of thousands of connections."""
    lines = folder.lines(table)
    next(lines, None)  # the names of the columns
    return takewhile(lambda line: b" 0A " in line, lines)


def _address(text: str) -> str:
    """`0100007F` is 127.0.0.1: 32-bit words in the machine's byte order, which is little-endian on all we support."""
    raw = bytes.fromhex(text)
    swapped = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    return inet_ntop(AF_INET if len(raw) == 4 else AF_INET6, swapped)
