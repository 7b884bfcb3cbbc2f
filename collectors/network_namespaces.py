"""Is a process in our own network namespace, and how many connections did another one accept?

Everybody may ask that, of any process: /proc/PID/net leads to the namespace's files, and each namespace's have inode numbers
of their own. The link /proc/PID/ns/net takes the right to look inside the process.
"""

import os

from collectors.host import Host
from collectors.kept import read_once
from collectors.procfs import parse_tcp, titled_value

_SNMP_BYTES = 16384
_ROWS_BYTES = 4096
"""The kernel writes listening sockets first; 26 fit."""
_RESOLVER = "0B00007F"
"""127.0.0.11, where Docker puts a resolver into a container's namespace."""
_LISTEN = "0A"


def namespace_of(host: Host, pid: int | str) -> int | None:
    """A number that is the same for processes of one network namespace; None = the process is gone."""
    try:
        return os.stat(f"{host.proc}/{pid}/net/snmp").st_ino
    except OSError:
        return None


def accepted_at(host: Host, pid: int, port: int) -> int | None:
    """Connections that the namespace of a process has accepted since it was made; None where others than `port` listen in it
    too, or it cannot be read. Files are not kept open: that would keep the namespace alive."""
    try:
        listening = {row for table in ("tcp", "tcp6") for row in _listening(host, f"{host.proc}/{pid}/net/{table}")}
        if listening != {port}:
            return None
        return titled_value(read_once(f"{host.proc}/{pid}/net/snmp", _SNMP_BYTES), b"Tcp", b"PassiveOpens")
    except OSError:
        return None


def _listening(host: Host, table: str) -> set[int | None]:
    """Ports; with None among them where there may be more."""
    try:
        rows = parse_tcp(read_once(table, _ROWS_BYTES))
    except FileNotFoundError:  # a kernel without IPv6 has no tcp6
        return set()
    ports: set[int | None] = {row.local_port for row in rows if row.state == _LISTEN and row.local_address != _RESOLVER}
    if len(rows) >= 20 and rows[-1].state == _LISTEN:
        ports.add(None)
    return ports
