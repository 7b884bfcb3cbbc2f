"""How much memory may a probe of it take on this machine, and how much must it, so that caches do not answer in its place?"""

import os
import re
from contextlib import suppress

import msgspec

from collectors.cgroup_limits import number, places_of, read_cpu_limit, read_if_there
from collectors.cgroup_paths import CgroupPlace, find_mounts
from collectors.host import Host
from collectors.procfs import parse_key_values

_KIB = 1024
_SIZE = re.compile(r"([0-9]{1,9})([KMG]?)")
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """`cpus`: that this process may use, of all that are there. `available_bytes`: what it can get without taking it from
    others, within the limits of its cgroups; `cache_bytes`: the last caches of those CPUs together. None = not known."""

    cpus: tuple[int, ...]
    all_cpus: int
    available_bytes: int | None
    cache_bytes: int | None
    quota_cores: float | None = None
    """What its cgroups let it use of them."""

    @property
    def whole(self) -> bool:
        """Whether the process may use every CPU of the node."""
        return min(len(self.cpus), self.quota_cores or self.all_cpus) >= self.all_cpus


def room_of(host: Host) -> Room:
    """Of the process that asks."""
    cpus = tuple(sorted(os.sched_getaffinity(0)))
    mounts = find_mounts(host)
    places = places_of(mounts, mounts.own)
    known = [value for value in (_available(host), _left(places.get("memory"))) if value is not None]
    limit = read_cpu_limit(places["cpu"]) if "cpu" in places else None
    quota = limit.quota_us / limit.period_us if limit is not None and limit.quota_us and limit.period_us else None
    return Room(
        cpus=cpus,
        all_cpus=os.cpu_count() or len(cpus),
        available_bytes=min(known, default=None),
        cache_bytes=_last_caches(host, cpus),
        quota_cores=quota,
    )


def _available(host: Host) -> int | None:
    try:
        kib = parse_key_values(host.text(f"{host.proc}/meminfo").encode()).get(b"MemAvailable")
    except OSError:
        return None
    return None if kib is None else kib * _KIB


def _left(place: CgroupPlace | None) -> int | None:
    """Of the tightest limit of its cgroup and of those above."""
    limit, used = ("memory.max", "memory.current")
    if place is not None and place.version == 1:
        limit, used = "memory.limit_in_bytes", "memory.usage_in_bytes"
    found = []
    for folder in place.levels if place is not None else ():
        most, now = number(read_if_there(f"{folder}/{limit}")), number(read_if_there(f"{folder}/{used}"))
        if most is not None and now is not None:
            found.append(max(0, most - now))
    return min(found, default=None)


def _last_caches(host: Host, cpus: tuple[int, ...]) -> int | None:
    """The caches of the highest level, each once however many CPUs share it."""
    found: dict[str, int] = {}
    for cpu in cpus:
        last = _last_cache(f"{host.sys}/devices/system/cpu/cpu{cpu}/cache", host)
        if last is None:
            return None
        found.setdefault(*last)
    return sum(found.values())


def _last_cache(folder: str, host: Host) -> tuple[str, int] | None:
    """CPUs that share it, and its bytes."""
    best: tuple[int, str, int] | None = None
    with suppress(OSError, ValueError):
        for name in sorted(os.listdir(folder)):
            if name.startswith("index"):
                level = int(host.text(f"{folder}/{name}/level"))
                shared = host.text(f"{folder}/{name}/shared_cpu_list").strip()
                size = _SIZE.fullmatch(host.text(f"{folder}/{name}/size").strip())
                if size is not None and (best is None or level > best[0]):
                    best = level, shared, int(size[1]) * _UNITS[size[2]]
    return None if best is None else best[1:]
