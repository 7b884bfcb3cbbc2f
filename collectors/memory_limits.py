"""In which cgroup file is a service's memory limit set, and how do managers write the same amount?"""

from collectors.cgroup_places import cgroup_file
from collectors.entities import Service
from collectors.levers import Lever, Place, Value

_KEYS = ("memory.max", "memory.limit_in_bytes")
_MIB = 1 << 20


def memory_limit_places(lever: Lever, value: Value, service: Service) -> tuple[Place, ...]:
    """The file of the cgroup that holds the service's workers; empty where they are in the root cgroup of the node, or
    out of reach and in no container. `value`: bytes, None = no limit."""
    if lever is not Lever.MEMORY_LIMIT:
        return ()
    found = cgroup_file(service, "memory")
    if found is None:
        return ()
    if found.version == 2:
        return (found.place(_KEYS[0], "max" if value is None else int(value)),)
    return (found.place(_KEYS[1], -1 if value is None else int(value)),)


def is_memory_limit(place: Place) -> bool:
    return place.kind == "cgroup" and place.key in _KEYS


def memory_amount(place: Place, unit: str) -> str | None:
    """What a place says in MiB with `unit` behind it (`320M`, `320Mi`); None for no limit."""
    number = place.value if isinstance(place.value, int) else -1
    return None if number < 0 else f"{-(-number // _MIB)}{unit}"
