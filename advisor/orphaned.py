"""What has a rule to know of workers without a front-end beside their own samples: for how long, and what runs beside them?"""

from collections.abc import Iterable, Mapping

import msgspec

from advisor.view import View
from collectors.entities import Role, Service, Worker, WorkerKey
from collectors.facts import Facts, Listening


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """A living service in the place of the orphans: on their port, or under their name."""

    name: str
    resident_bytes: int | None
    share: float | None = None
    """The share 0..1 of its port's accepting processes (or sockets) that are orphans; None = it shares no socket with
    them, or that is not readable."""
    one_socket: bool = False
    """Whether both accept from one socket; otherwise the kernel spreads connections over several (SO_REUSEPORT)."""


class Orphaned(msgspec.Struct, frozen=True, kw_only=True):
    """`seconds`: for how long they are seen without a front-end, at least. `node_used_bytes`: memory of the node that is
    not available; None = not readable."""

    seconds: float
    node_used_bytes: int | None
    peers: tuple[Peer, ...] = ()


def orphaned_of(
    service: Service, views: Mapping[str, View], processes: Mapping[str, Facts], now_ns: int
) -> Orphaned | None:
    """None for a service that has its front-end. `views` and `processes` are those of all services, by id."""
    if service.orphaned_ns is None:
        return None
    view, own = views.get(service.id), sockets_of(workers_of(service), processes.get(service.id, {}))
    used = None
    if view is not None and view.memory_total_bytes is not None and view.memory_available_bytes is not None:
        used = view.memory_total_bytes - view.memory_available_bytes
    others = (other.service for other in views.values() if other.service.orphaned_ns is None)
    peers = (_peer(service, own, other, views, processes.get(other.id, {})) for other in others)
    seconds = max(0, now_ns - service.orphaned_ns) / 1e9
    return Orphaned(seconds=seconds, node_used_bytes=used, peers=tuple(peer for peer in peers if peer is not None))


def workers_of(service: Service) -> tuple[Worker, ...]:
    """The processes that do its work, or pass it on."""
    return tuple(worker for worker in service.workers if worker.role is not Role.SUPPORT)


def sockets_of(workers: Iterable[Worker], facts: Facts) -> dict[WorkerKey, tuple[Listening, ...]]:
    """The listening sockets of each; without those that are not readable."""
    known = {worker.key: facts[worker.key].listening for worker in workers if worker.key in facts}
    return {key: sockets for key, sockets in known.items() if isinstance(sockets, tuple)}


def _accepting(service: Service, facts: Facts) -> dict[WorkerKey, tuple[Listening, ...]]:
    """The sockets of those that accept: the workers, where they hold any; a front-end then only keeps them open."""
    below = sockets_of((w for w in workers_of(service) if w.role is not Role.FRONT_END), facts)
    return below if any(below.values()) else sockets_of(workers_of(service), facts)


def _peer(
    service: Service,
    own: Mapping[WorkerKey, tuple[Listening, ...]],
    other: Service,
    views: Mapping[str, View],
    facts: Facts,
) -> Peer | None:
    theirs = _accepting(other, facts)
    shared = _inodes(own.values()) & _inodes(theirs.values())
    same_port = service.port is not None and other.port == service.port and _together(service, other)
    same_name = (service.framework, service.application, service.owner) == (
        other.framework, other.application, other.owner,
    )  # fmt: skip
    if not shared and not same_port and not same_name:
        return None
    resident = views[other.id].resident_bytes
    if shared:
        orphans, living = (sum(bool(shared & _inodes([sockets])) for sockets in x.values()) for x in (own, theirs))
        return Peer(name=other.name, resident_bytes=resident, share=orphans / (orphans + living), one_socket=True)
    orphans, living = (len(_inodes(x.values(), service.port)) for x in (own, theirs))
    share = orphans / (orphans + living) if same_port and orphans and living else None
    return Peer(name=other.name, resident_bytes=resident, share=share)


def _together(service: Service, other: Service) -> bool:
    """Whether a port means the same to both: they are in one cgroup, hence in one container."""
    return service.workers[0].process.cgroups == other.workers[0].process.cgroups


def _inodes(sockets: Iterable[tuple[Listening, ...]], port: int | None = None) -> frozenset[int]:
    return frozenset(one.inode for each in sockets for one in each if port is None or one.port == port)
