"""In which cgroup file is a service's memory limit set, and how do managers write the same amount?"""

from collectors.cgroup_paths import controller_path
from collectors.entities import Service
from collectors.levers import Lever, Place, Value

_KEYS = ("memory.max", "memory.limit_in_bytes")
_MIB = 1 << 20


def memory_limit_places(lever: Lever, value: Value, service: Service) -> tuple[Place, ...]:
    """The file of the cgroup that holds the service's workers; empty where they are in the root cgroup of the node, or
    out of reach and in no container. `value`: bytes, None = no limit."""
    if lever is not Lever.MEMORY_LIMIT:
        return ()
    found = next((at for worker in service.serving if (at := controller_path(worker.process.cgroups, "memory"))), None)
    if found is None:
        return ()
    version, path = found
    hidden = path == "/" or ".." in path.split("/")
    if hidden and service.container is None:
        return ()
    key = _KEYS[0] if version == 2 else _KEYS[1]
    text: Value = ("max" if version == 2 else -1) if value is None else int(value)
    target = "/sys/fs/cgroup" if version == 2 else "/sys/fs/cgroup/memory"
    effective: bool | None = None
    because = "as the container itself sees it, where it is mostly mounted read-only"
    if not hidden:
        target, effective = target + path, True
        because = "it is the workers' own cgroup; a limit of one above it still holds"
    return (
        Place(kind="cgroup", target=target, key=key, value=text, effective=effective, because=because, restart=False),
    )


def is_memory_limit(place: Place) -> bool:
    return place.kind == "cgroup" and place.key in _KEYS


def memory_amount(place: Place, unit: str) -> str | None:
    """What a place says in MiB with `unit` behind it (`320M`, `320Mi`); None for no limit."""
    number = place.value if isinstance(place.value, int) else -1
    return None if number < 0 else f"{-(-number // _MIB)}{unit}"
