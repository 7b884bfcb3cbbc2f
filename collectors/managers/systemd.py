"""Which systemd unit runs a process, and which directive of it sets a lever?"""

import re
from collections.abc import Sequence
from typing import ClassVar

from collectors.cpu_limits import quota_percent, weight_of
from collectors.entities import Process, Service
from collectors.levers import Place, Value
from collectors.manager import Manager

_HIERARCHIES = ("name=systemd", "")
_USER_MANAGER = re.compile(r"user@\d+\.service")
_CONTAINER = re.compile(r"[0-9a-f]{64}|(^|[-/])pod[0-9a-f]{8}[-_0-9a-f]+")


class Systemd(Manager):
    order: ClassVar[int] = 60

    def owner(self, process: Process) -> str | None:
        """The innermost service unit of the process's cgroup. A container's own cgroup below a runtime's unit is not
        the unit's, and a session or terminal is no unit that keeps settings."""
        for controllers, path in process.cgroups:
            if controllers in _HIERARCHIES and (unit := _unit(path)):
                return unit
        return None

    def render(self, place: Place, service: Service) -> Sequence[Place]:
        if service.owner is None:
            return ()
        directive = _directive(place)
        if directive is None:
            return ()
        key, value = directive
        how, because, restart = place.effective, place.because, place.restart
        target = service.owner
        return (
            Place(kind="systemd", target=target, key=key, value=value, effective=how, because=because, restart=restart),
        )


def _unit(path: str) -> str | None:
    parts = path.split("/")
    for index in range(len(parts) - 1, -1, -1):
        part = parts[index]
        if part.endswith(".service") and not _USER_MANAGER.fullmatch(part):
            return None if _CONTAINER.search("/".join(parts[index + 1 :])) else part
        if part.endswith(".scope"):
            return None
    return None


def _directive(place: Place) -> tuple[str, Value] | None:
    if place.kind == "env":
        if place.value is None:
            return "UnsetEnvironment", place.key
        assignment = f"{place.key}={place.value}"
        return "Environment", f'"{assignment}"' if " " in assignment else assignment
    if place.kind == "taskset":
        return "CPUAffinity", place.value
    if (percent := quota_percent(place)) is not None:
        return "CPUQuota", percent
    if (weight := weight_of(place)) is not None:
        return "CPUWeight", weight
    return None
