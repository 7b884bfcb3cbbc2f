"""How many connections wait to be accepted, and are any refused?"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar

from collectors.collector import Collector
from collectors.entities import Service
from collectors.host import READ_LIMIT_BYTES, Host
from collectors.kept import KeptFiles
from collectors.reading import Unreadable
from collectors.sample import Sample, metric
from collectors.sock_diag import listen_queues

PORT_LIMIT = 64
"""Ports of services come first, then the lowest numbers of the node's others."""
WHOLE_EVERY = 10
"""Connections are counted, and other network namespaces read, in every tenth run: those tables are dear."""
TABLES = ("tcp", "tcp6")
SHORT_BYTES = 3500
"""The kernel fills a page (4096 bytes or more) with rows of 150 bytes, so a piece shorter than this is the last one. To
ask for the end of the file would make it walk the table of all connections again."""
_LISTEN, _ESTABLISHED = b"0A", b"01"
_ROW = re.compile(
    rb"^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2}) [0-9A-F]{8}:([0-9A-F]{8})", re.MULTILINE
)
"""Local port, state and receive queue: collectors.procfs.parse_tcp reads more, at a higher price."""


class ListenSample(Sample, frozen=True, kw_only=True, gc=False):
    """The listening TCP sockets of one port, all addresses and SO_REUSEPORT siblings together."""

    kind: ClassVar[str] = "listen"
    doc: ClassVar[str] = "Accept queue and open connections of a TCP port (/proc/net/tcp, tcp6)."

    accept_queue: Annotated[int | None, metric("connections", "Connections that wait for accept().")]
    established: Annotated[int | None, metric("connections", "Established connections to that port.")]


class ListenDropsSample(Sample, frozen=True, kw_only=True, gc=False):
    """Connections that the kernel did not hand to any listening socket of the node since boot."""

    kind: ClassVar[str] = "listen_drops"
    doc: ClassVar[str] = "Overflowing accept queues of the agent's network namespace (/proc/net/netstat)."

    overflows: Annotated[int | None, metric("connections", "Connections that met a full accept queue.", counter=True)]
    drops: Annotated[int | None, metric("connections", "Connections dropped by listening sockets.", counter=True)]


class SocketsCollector(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (ListenSample, ListenDropsSample)
    cost: ClassVar[str] = (
        "one netlink question of 0.1 ms; every tenth run about 1.5 ms for /proc/net/tcp, more with many connections"
    )

    def __init__(self) -> None:
        self._files = KeptFiles()
        self._run = 0
        self._node = _Ports()
        self._elsewhere: dict[int, _Ports] = {}

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        whole = self._run % WHOLE_EVERY == 0
        self._run += 1
        queues = None if whole or host.proc != "/proc" else listen_queues()
        if queues is None:
            self._node = self._node_ports(host)
        else:
            self._node.queues = queues
        if whole:
            self._elsewhere = self._ports_elsewhere(host, services)
        drops = _drops(self._files.read_if_there(f"{host.proc}/net/netstat") or b"")
        return [*self._listening(services), *drops]

    def _listening(self, services: Sequence[Service]) -> list[ListenSample]:
        """Ports of services first, then others of the node."""
        known = {port: self._elsewhere.get(port, self._node) for port in _ports(services)}
        first = [port for port, ports in known.items() if port in ports.queues]
        others = sorted(self._node.queues.keys() - known.keys())[: max(0, PORT_LIMIT - len(first))]
        return [known.get(port, self._node).sample(port) for port in (*first, *others)]

    def _node_ports(self, host: Host) -> "_Ports":
        ports = _Ports()
        missing = []
        for name in TABLES:
            try:
                ports.add(self._files.pages(f"{host.proc}/net/{name}"))
            except FileNotFoundError:
                missing.append(name)
        if len(missing) == len(TABLES):
            raise Unreadable("no /proc/net/tcp", "run on a kernel with IPv4 (CONFIG_INET)")
        return ports

    def _ports_elsewhere(self, host: Host, services: Sequence[Service]) -> dict[int, "_Ports"]:
        """For each port that is not there in our network namespace, those of the namespace of its service."""
        found = {}
        for service in services:
            front = service.front_end or next(iter(service.workers), None)
            port = service.port
            if port is not None and front is not None and port not in self._node.queues and port not in found:
                found[port] = _ports_of_process(host, front.pid)
        return found

    def close(self) -> None:
        self._files.close()


class _Ports:
    """The TCP sockets of one network namespace, counted by local port."""

    def __init__(self) -> None:
        self.queues: Counter[int] = Counter()
        """Connections that wait, for each listening port."""
        self.established: Counter[int] | None = Counter()
        """None where a table is longer than we read."""

    def add(self, pages: Iterable[bytes]) -> None:
        size, rest = 0, b""
        for page in pages:
            size += len(page)
            end = page.rfind(b"\n") + 1
            self._count(_ROW.findall(rest + page[:end]))
            rest = page[end:] if end else rest + page
            if len(page) < SHORT_BYTES:
                break
        if size >= READ_LIMIT_BYTES:
            self.established = None

    def _count(self, rows: list[tuple[bytes, bytes, bytes]]) -> None:
        for port, state, waiting in rows:
            if state == _LISTEN:
                self.queues[int(port, 16)] += int(waiting, 16)
            elif state == _ESTABLISHED and self.established is not None:
                self.established[int(port, 16)] += 1

    def sample(self, port: int) -> ListenSample:
        return ListenSample(
            entity=f"listen:{port}",
            accept_queue=self.queues[port],
            established=None if self.established is None else self.established[port],
        )


def _ports(services: Sequence[Service]) -> list[int]:
    return [service.port for service in services if service.port is not None]


def _ports_of_process(host: Host, pid: int) -> _Ports:
    """The ports in the network namespace of a process; none where that cannot be read.

    These files are not kept open: that would keep the namespace of a container alive that has ended.
    """
    ports = _Ports()
    for name in TABLES:
        try:
            ports.add((host.read(f"{host.proc}/{pid}/net/{name}"),))
        except OSError:
            continue
    return ports


def _drops(netstat: bytes) -> tuple[ListenDropsSample, ...]:
    """From the two lines `TcpExt:`, names and values; nothing where they are not there."""
    lines = [line.split() for line in netstat.split(b"\n") if line.startswith(b"TcpExt:")]
    if len(lines) != 2:
        return ()
    values = dict(zip(*lines, strict=False))
    found = (values.get(name, b"") for name in (b"ListenOverflows", b"ListenDrops"))
    overflows, drops = (int(value) if value.isdigit() else None for value in found)
    return (ListenDropsSample(entity="node", overflows=overflows, drops=drops),)
