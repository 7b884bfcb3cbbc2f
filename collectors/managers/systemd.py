"""Which directive of a systemd unit sets a lever of the service that the unit runs?"""

from collections.abc import Sequence
from typing import ClassVar

from msgspec.structs import replace

from collectors.containers.container import Container
from collectors.cpu_limits import quota_percent, weight_of
from collectors.entities import Process, Service
from collectors.levers import Place, Value
from collectors.manager import Manager
from collectors.memory_limits import is_memory_limit, memory_amount
from collectors.memory_policy import directives_of
from collectors.systemd_units import unit_of


class Systemd(Manager):
    order: ClassVar[int] = 60

    def owns(self, process: Process, container: Container | None) -> bool:
        return unit_of(process.cgroups) is not None

    def owner(self, process: Process, container: Container | None) -> str | None:
        return unit_of(process.cgroups)

    def render(self, place: Place, service: Service) -> Sequence[Place]:
        if service.owner is None:
            return ()
        directive = _directive(place)
        found = directives_of(place) if directive is None else (directive,)
        own = replace(place, kind="systemd", target=service.owner)
        return tuple(replace(own, key=key, value=value) for key, value in found)


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
    if is_memory_limit(place):
        return "MemoryMax", memory_amount(place, "M") or "infinity"
    return None
