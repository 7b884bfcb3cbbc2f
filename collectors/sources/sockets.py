"""How many connections wait to be accepted, and are any refused?"""

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar

from collectors.collector import Collector
from collectors.entities import Service
from collectors.host import Host
from collectors.sample import Sample, metric


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
    cost: ClassVar[str] = "about 2 us per TCP socket of the node"

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        return ()
