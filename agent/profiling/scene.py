"""What does the profiler see of the services, and when is one worth a look?"""

from collections.abc import Sequence

import msgspec

from advisor.finding import Inconclusive
from advisor.view import View, WorkerView
from collectors.entities import Role, Service, WorkerKey

MEMBERS_AT_ONCE = 2
"""Processes of a service that one suspicion looks into."""
_BUSY = 0.05


class ServiceScene(msgspec.Struct, frozen=True, kw_only=True):
    """One service at the last judgement. `asking`: rules that want a profile. `generation` grows with each change of its
    levers: a profile of another generation is one of another configuration."""

    service: Service
    generation: int
    loaded: bool
    loaded_seconds: int
    clients: bool
    """Whether anything shows that somebody asks. A server that starts up uses a CPU too, and a profile of that says
    nothing of its requests; but connections may be too short to be seen."""
    asking: tuple[str, ...]
    latency_seconds: float | None
    """99 % point where the server tells it, else the mean."""
    queue: float
    """Requests that wait: in the accept queue and inside the server."""
    chosen: tuple[WorkerKey, ...]
    """Processes to look into first."""
    busy: tuple[WorkerKey, ...]
    """Processes that use a CPU now, for the continuous probe."""


def scene_of(view: View, generation: int, inconclusive: Sequence[Inconclusive]) -> ServiceScene:
    asking = tuple(i.rule for i in inconclusive if i.needs.kind == "profile" and i.subject.name == view.service.name)
    queue = sum(view.accept_queue[-3:]) / len(view.accept_queue[-3:]) if view.accept_queue else 0.0
    return ServiceScene(
        service=view.service,
        generation=generation,
        loaded=view.loaded_now,
        loaded_seconds=view.samples if view.loaded_now else 0,
        clients=_has_clients(view),
        asking=asking,
        latency_seconds=view.latency_p99_seconds or view.latency_seconds,
        queue=queue + (view.server_queue or 0.0),
        chosen=chosen(view),
        busy=tuple(w.key for w in view.workers if w.runnable >= _BUSY),
    )


def _has_clients(view: View) -> bool:
    """Whether somebody asks: connections, requests, or a queue in this window; True where none of them can be read."""
    if view.established is None and not view.accept_queue and view.requests_per_second is None:
        return True
    return bool(view.established or any(view.accept_queue) or view.requests_per_second or view.in_flight)


def chosen(view: View) -> tuple[WorkerKey, ...]:
    """The busiest serving process, and then the front-end where it is busy beside it, else the next worker."""
    serving = {w.key for w in view.service.serving}
    workers = sorted((w for w in view.workers if w.key in serving), key=lambda w: -w.runnable)
    fronts = [w for w in view.workers if w.role in (Role.FRONT_END, Role.GATEWAY) and w.key not in serving]
    first: list[WorkerView] = workers[:1]
    first += sorted((w for w in fronts if w.runnable >= _BUSY), key=lambda w: -w.runnable)[:1]
    first += workers[1:]
    return tuple(w.key for w in first[:MEMBERS_AT_ONCE])
