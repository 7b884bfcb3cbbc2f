"""Which key of a Compose service, or which option of `docker run`, sets a lever of the service in a container?"""

import re
from collections.abc import Sequence
from typing import ClassVar

from msgspec.structs import replace

from collectors.containers.container import Container
from collectors.cpu_limits import is_quota, quota_cores
from collectors.cpu_shares import shares_of
from collectors.entities import Process, Service
from collectors.levers import Place
from collectors.manager import Manager
from collectors.memory_limits import is_memory_limit, memory_amount
from collectors.systemd_units import unit_around, unit_of

_ORCHESTRATED = re.compile(r"\.\d+\.[a-z0-9]{25}$|-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
"""Ends of the names that Swarm and Nomad give the containers of a task, new with each."""
_LIMIT = "the engine writes it into the container's cgroup when it makes the container"
_TOOLS = {"libpod": "podman", "nerdctl": "nerdctl", "containerd": "nerdctl"}


class Compose(Manager):
    order: ClassVar[int] = 40

    def owns(self, process: Process, container: Container | None) -> bool:
        """Every container outside of pods, but not the units of a systemd inside it."""
        return container is not None and not container.in_pod and unit_of(process.cgroups) is None

    def owner(self, process: Process, container: Container | None) -> str | None:
        """`project/service`; without Compose the container's name, or the unit that runs it."""
        if container is None:
            return None
        if container.service:
            return f"{container.project}/{container.service}" if container.project else container.service
        if container.name:
            return _ORCHESTRATED.sub("", container.name) or container.name
        return unit_around(process.cgroups)

    def render(self, place: Place, service: Service) -> Sequence[Place]:
        container = service.container or Container()
        if container.name and _ORCHESTRATED.search(container.name) and not container.service:
            return ()
        key = _compose_key(place, container.service) if container.service else _run_key(place, container.runtime)
        if key is None:
            return ()
        target = service.owner or (f"container {container.id[:12]}" if container.id else "the container")
        kind = "compose" if container.service else "docker"
        return (_valued(replace(place, kind=kind, target=target, key=key, restart=True), place),)


def _compose_key(place: Place, service: str) -> str | None:
    keys = {"env": f"environment.{place.key}", "argument": "command", "taskset": "cpuset"}
    key = keys.get(place.kind) or _limit_key(place)
    return f"services.{service}.{key}" if key else None


def _run_key(place: Place, runtime: str | None) -> str | None:
    keys = {"env": f"--env {place.key}", "argument": "IMAGE …", "taskset": "--cpuset-cpus", "numactl": "--cpuset-mems"}
    limit = "memory" if is_memory_limit(place) else _limit_key(place)
    key = keys.get(place.kind) or (f"--{limit.replace('_', '-')}" if limit else None)
    return f"{_TOOLS.get(runtime or '', 'docker')} run {key}" if key else None


def _limit_key(place: Place) -> str | None:
    if is_quota(place):
        return "cpus"
    if is_memory_limit(place):
        return "mem_limit"
    return "cpu_shares" if shares_of(place) else None


def _valued(place: Place, given: Place) -> Place:
    """With the value in the engine's unit; a value of None means to leave the key out."""
    if given.kind == "argument":
        return replace(place, value=given.key if given.value is None else f"{given.key} {given.value}")
    if given.kind == "taskset":
        return replace(place, because="it holds for every process of the container")
    if is_quota(given):
        cores = quota_cores(given)
        return replace(place, value=None if cores is None else f"{cores:g}", effective=True, because=_LIMIT)
    if is_memory_limit(given):
        return replace(place, value=memory_amount(given, "m"), effective=True, because=_LIMIT)
    if (shares := shares_of(given)) is None:
        return place
    now, older = shares
    if now == older:
        return replace(place, value=str(now), effective=True, because=_LIMIT)
    because = f"{now} shares make this weight with runc from 1.3.2 or crun from 1.23, {older} with older ones"
    return replace(place, value=str(now), effective=None, because=because)
