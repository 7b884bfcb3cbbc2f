"""How many requests does a service take, told from its TCP connections where the server itself counts none?"""

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar

from collectors.collector import Collector
from collectors.entities import Service
from collectors.host import Host
from collectors.sample import Sample, metric


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


class ConnectionsCollector(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (ConnectionsSample,)
    cadence_seconds: ClassVar[float] = 5.0
    cost: ClassVar[str] = "not measured yet"

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        return ()
