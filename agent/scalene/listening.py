"""On which addresses do processes listen, so that a load can begin?"""

import os
import re
from collections.abc import Iterable, Iterator
from socket import AF_INET, AF_INET6, inet_ntop

from collectors.procfs import parse_tcp

_SOCKET = re.compile(r"socket:\[(\d+)\]")
_ACCEPTS = 1 << 16
"""SO_ACCEPTCON in the flags of /proc/net/unix (net/unix/af_unix.c)."""


def listening_addresses(pids: Iterable[int]) -> tuple[str, ...]:
    """`127.0.0.1:8000`, `[::1]:8000`, `/run/app.sock`; of processes that cannot be looked into, nothing."""
    found: dict[str, None] = {}
    for pid in pids:
        inodes = set(_inodes(pid))
        if inodes:
            found |= dict.fromkeys(_tcp(pid, inodes))
            found |= dict.fromkeys(_unix(pid, inodes))
    return tuple(found)


def _inodes(pid: int) -> Iterator[int]:
    folder = f"/proc/{pid}/fd"
    try:
        for name in os.listdir(folder):
            try:
                match = _SOCKET.fullmatch(os.readlink(f"{folder}/{name}"))
            except OSError:
                continue
            if match:
                yield int(match[1])
    except OSError:
        return


def _tcp(pid: int, inodes: set[int]) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        for row in parse_tcp(_read(f"/proc/{pid}/net/{table}")):
            if row.state == "0A" and row.inode in inodes:
                raw = bytes.fromhex(row.local_address)
                swapped = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
                four = len(raw) == 4
                host = inet_ntop(AF_INET if four else AF_INET6, swapped)
                yield f"{host}:{row.local_port}" if four else f"[{host}]:{row.local_port}"


def _unix(pid: int, inodes: set[int]) -> Iterator[str]:
    """Rows are `Num RefCount Protocol Flags Type St Inode Path`."""
    for line in _read(f"/proc/{pid}/net/unix").splitlines()[1:]:
        fields = line.split(maxsplit=7)
        if len(fields) == 8 and int(fields[3], 16) & _ACCEPTS and int(fields[6]) in inodes:
            path = fields[7].decode(errors="replace")
            if path.startswith("/") and "/pymp-" not in path:  # multiprocessing's own, which serve nobody
                yield path


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError:
        return b""
