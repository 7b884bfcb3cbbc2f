"""How many requests does a service take, told from its TCP connections where the server itself counts none?

Where clients keep their connections, what goes over them is counted, and `opened` stands nearly still. Where each request
has a connection of its own, most begin and end between two looks: then `opened` tells, and bytes and segments are None.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar

from collectors.collector import Collector
from collectors.entities import Service
from collectors.host import Host
from collectors.network_namespaces import accepted_at, namespace_of
from collectors.own_connections import EFFORT, OwnConnections, PortLook
from collectors.reading import Unreadable
from collectors.sample import Sample, metric
from collectors.tcp_connections import KernelTables, TcpTables

SKIPPED_RUNS = 5
"""What connections leave behind is gone after a minute, and seen the less of the longer."""


class ConnectionsSample(Sample, frozen=True, kw_only=True, gc=False):
    """The connections to one port, over all of its listening sockets. Counters grow from the first look on."""

    kind: ClassVar[str] = "connections"
    doc: ClassVar[str] = "Connections to a service's port and what went over them (tcp_info by netlink)."

    established: Annotated[int | None, metric("connections", "Established connections now.")]
    opened: Annotated[int | None, metric("connections", "Connections accepted.", counter=True)]
    received_bytes: Annotated[int | None, metric("bytes", "Bytes of requests.", counter=True)]
    sent_bytes: Annotated[int | None, metric("bytes", "Bytes of answers that the clients have taken.", counter=True)]
    received_segments: Annotated[
        int | None, metric("segments", "Segments with data from clients, one or more a request.", counter=True)
    ]
    young: Annotated[
        int | None, metric("connections", "Connections that had received something when seen first.", counter=True)
    ] = None
    young_segments: Annotated[
        int | None, metric("segments", "Segments with data that these had received by then.", counter=True)
    ] = None


class ConnectionsCollector(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (ConnectionsSample,)
    cadence_seconds: ClassVar[float] = 5.0
    cost: ClassVar[str] = (
        "1 ms, and 2 ms for each 1000 connections to listening ports; where several services get a connection a request "
        f"up to 60 ms. With more than {EFFORT} connections, or many that ended in the last minute, it looks less often: at "
        "20,000 of those every 15 s, from 50,000 on every 30 s"
    )
    needs: ClassVar[str] = "netlink sock_diag (CONFIG_INET_DIAG) of Linux 4.6 or newer"

    def __init__(self, tables: TcpTables | None = None) -> None:
        """`tables`: where to ask; None = the kernel."""
        self._kernel = tables is None
        self._own = OwnConnections(tables or KernelTables())
        self._elsewhere: dict[tuple[int, int], int] = {}
        """For the namespace and port of a service: connections accepted by the first look."""
        self._skip = 0

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        if self._kernel and host.proc != "/proc":
            raise Unreadable("netlink tells of this machine only", "let it read its own /proc")
        if self._skip > 0:
            self._skip -= 1
            return ()
        own, elsewhere = _by_namespace(host, services)
        try:
            looks = self._own.look(host, own) if own else ()
        except OverflowError as error:
            raise Unreadable(f"too much to count: {error}", "ask the server's own metrics page") from error
        except OSError as error:
            raise Unreadable(f"no answer over netlink: {error}", f"needs {self.needs}") from error
        self._skip = min(SKIPPED_RUNS, self._own.effort // EFFORT)
        return [*map(_sample, looks), *self._samples_elsewhere(host, elsewhere)]

    def _samples_elsewhere(self, host: Host, ports: Mapping[int, tuple[int, int]]) -> Iterable[Sample]:
        """Of services in other network namespaces, for which netlink does not answer: what any user may read."""
        known = {}
        for port, (pid, namespace) in ports.items():
            now = accepted_at(host, pid, port)
            if now is not None:
                first = known[namespace, port] = self._elsewhere.get((namespace, port), now)
                yield ConnectionsSample(
                    entity=f"listen:{port}", established=None, opened=now - first, received_bytes=None,
                    sent_bytes=None, received_segments=None,
                )  # fmt: skip
        self._elsewhere = known

    def close(self) -> None:
        self._own.close()


def _by_namespace(host: Host, services: Sequence[Service]) -> tuple[set[int], dict[int, tuple[int, int]]]:
    """Ports of services in our own network namespace; those in others, each with a process and the namespace. A port that
    services of two namespaces have is left out: samples are told apart by port."""
    ours = namespace_of(host, "self")
    found: dict[int, set[tuple[int, int | None]]] = {}
    for service in services:
        front = service.front_end or next(iter(service.workers), None)
        if service.port is not None and front is not None:
            found.setdefault(service.port, set()).add((front.pid, namespace_of(host, front.pid)))
    own, elsewhere = set(), {}
    for port, places in found.items():
        others = [(pid, namespace) for pid, namespace in places if namespace is not None and namespace != ours]
        if not others:
            own.add(port)
        elif len({namespace for _, namespace in places}) == 1:
            elsewhere[port] = min(others)
    return own, elsewhere


def _sample(look: PortLook) -> ConnectionsSample:
    counters = look.counters
    return ConnectionsSample(
        entity=f"listen:{look.port}",
        established=look.established,
        opened=look.opened,
        received_bytes=counters.received_bytes if look.whole else None,
        sent_bytes=counters.sent_bytes if look.whole else None,
        received_segments=counters.received_segments if look.whole else None,
        young=counters.young,
        young_segments=counters.young_segments,
    )
