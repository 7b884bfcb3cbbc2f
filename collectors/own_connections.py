"""What went over the connections to the ports of services in our own network namespace, since the first look?"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from collectors.host import Host
from collectors.kept import KeptFiles
from collectors.port_counters import Moved, PortCounters, is_seen
from collectors.procfs import titled_value
from collectors.short_connections import ShortConnections
from collectors.tcp_connections import TcpTables

EFFORT = 2500
"""In connections read: what one run may cost."""


class PortLook(NamedTuple):
    """`opened` is None where it cannot be told at which port connections were accepted; `whole`: the counters of bytes and
    segments are about complete."""

    port: int
    established: int
    opened: int | None
    whole: bool
    counters: PortCounters


class OwnConnections:
    """One thread uses it."""

    def __init__(self, tables: TcpTables) -> None:
        self._tables = tables
        self._files = KeptFiles()
        self._short = ShortConnections(tables)
        self._ports: dict[int, PortCounters] = {}
        self._accepted: int | None = None
        """How many connections the kernel had accepted at the last look, at any port; the next: when it was, in ns."""
        self._at_ns = 0
        self._ahead = 0.0
        """Connections that were seen just before the kernel's count told of them."""
        self.effort = 0
        """Of the last look, in connections read."""

    def look(self, host: Host, ports: Collection[int]) -> Sequence[PortLook]:
        """For each of the ports that has a socket listening. Raises as the tables do."""
        listening = self._tables.listening()
        seconds, opened = self._since_last(host)
        found = self._tables.accepted(listening)
        self._ports = {port: self._ports.get(port) or PortCounters() for port in listening}
        moved = {port: self._ports[port].look(one) for port, one in found.items()}
        unseen, rests = self._unseen(opened, moved), self._rests(host)
        short = None if unseen is None else self._short.by_port(unseen, seconds, listening, moved, rests)
        self.effort = max(sum(len(one.counted) for one in found.values()) + rests // 4, min(EFFORT, self._short.read))
        asked = [port for port in ports if port in listening]
        return [self._port_look(port, found[port].established, moved[port], short, unseen) for port in asked]

    def _port_look(
        self, port: int, established: int, moved: Moved, short: Mapping[int, float] | None, unseen: float | None
    ) -> PortLook:
        counters = self._ports[port]
        own = unseen if short is None else short.get(port, 0.0)
        if short is not None:
            counters.opened += short.get(port, 0.0)
        return PortLook(
            port=port,
            established=established,
            opened=None if short is None else round(counters.opened),
            whole=own is not None and is_seen(moved, own),
            counters=counters,
        )

    def _since_last(self, host: Host) -> tuple[float, int | None]:
        """Seconds, and connections that the kernel accepted in them; of the first look there were none."""
        now, at = self._accepted_by_kernel(host), host.clock.now().mono_ns
        before, then = self._accepted, self._at_ns
        self._accepted, self._at_ns = now, at
        if now is None:
            return 0.0, None
        return ((at - then) * 1e-9, max(0, now - before)) if before is not None else (0.0, 0)

    def _unseen(self, opened: int | None, moved: Mapping[int, Moved]) -> float | None:
        """Connections that began and ended between the looks, at any port."""
        if opened is None:
            return None
        unseen = opened - sum(one.opened for one in moved.values()) - self._ahead
        self._ahead = max(0.0, -unseen)
        return max(0.0, unseen)

    def _accepted_by_kernel(self, host: Host) -> int | None:
        snmp = self._files.read_if_there(f"{host.proc}/net/snmp")
        return None if snmp is None else titled_value(snmp, b"Tcp", b"PassiveOpens")

    def _rests(self, host: Host) -> int:
        """Connections in TIME_WAIT, which lengthen each walk through the kernel's table: `tw` of /proc/net/sockstat."""
        words = (self._files.read_if_there(f"{host.proc}/net/sockstat") or b"").split()
        value = words[words.index(b"tw") + 1] if b"tw" in words[:-1] else b""
        return int(value) if value.isdigit() else 0

    def close(self) -> None:
        self._files.close()
