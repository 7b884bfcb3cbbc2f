"""What does a cgroup allow, and at which of its levels is that decided?

A process is held by the limits of its cgroup and of every ancestor: a pod's quota stands above that of its container.
Limits change seldom, so these files are opened for each reading.
"""

import msgspec

from collectors.cgroup_paths import CgroupMounts, CgroupPlace, Cgroups, cgroup_place
from collectors.kept import read_once

_UNLIMITED_BYTES = 1 << 60
"""Version 1 writes "no limit" as the highest multiple of the page size."""


class CpuLimit(msgspec.Struct, frozen=True, kw_only=True):
    """The tightest quota. `quota_us` None = no limit; `folder` is the level that sets it, else the cgroup itself."""

    folder: str
    quota_us: int | None
    period_us: int | None


class MemoryLimit(msgspec.Struct, frozen=True, kw_only=True):
    """The smallest limit. `limit_bytes` None = no limit; `folder` as in CpuLimit."""

    folder: str
    limit_bytes: int | None


def places_of(mounts: CgroupMounts, cgroups: Cgroups) -> dict[str, CgroupPlace]:
    """Where the files of each controller are, for those that can be reached from here."""
    names = ("cpu", "cpuacct", "memory", "cpuset")
    found = {name: cgroup_place(mounts, cgroups, name) for name in names}
    return {name: place for name, place in found.items() if place is not None}


def read_cpu_limit(place: CgroupPlace) -> CpuLimit:
    read_quota = _quota_v2 if place.version == 2 else _quota_v1
    tightest = CpuLimit(folder=place.levels[0], quota_us=None, period_us=read_quota(place.levels[0])[1])
    least = float("inf")
    for folder in place.levels:
        quota_us, period_us = read_quota(folder)
        if quota_us is not None and period_us and quota_us / period_us < least:
            least = quota_us / period_us
            tightest = CpuLimit(folder=folder, quota_us=quota_us, period_us=period_us)
    return tightest


def read_weight(place: CgroupPlace) -> int | None:
    """cpu.weight (100 is usual) or cpu.shares (1024 is usual); None at the root, which has none."""
    name = "cpu.weight" if place.version == 2 else "cpu.shares"
    return number(read_if_there(f"{place.levels[0]}/{name}"))


def read_cpus(place: CgroupPlace) -> str | None:
    """Cores on which the cgroup may run; version 2 has the file only where the controller is switched on."""
    names = ("cpuset.cpus.effective",) if place.version == 2 else ("cpuset.effective_cpus", "cpuset.cpus")
    for folder in place.levels:
        for name in names:
            if cpus := (read_if_there(f"{folder}/{name}") or b"").strip():
                return cpus.decode("ascii", "replace")
    return None


def read_memory_limit(place: CgroupPlace) -> MemoryLimit:
    name = "memory.max" if place.version == 2 else "memory.limit_in_bytes"
    tightest = MemoryLimit(folder=place.levels[0], limit_bytes=None)
    for folder in place.levels:
        limit = number(read_if_there(f"{folder}/{name}"))
        if limit is not None and limit < (tightest.limit_bytes or _UNLIMITED_BYTES):
            tightest = MemoryLimit(folder=folder, limit_bytes=limit)
    return tightest


def number(data: bytes | None) -> int | None:
    """A file of one number; None for `max`, `-1` and a file that is not there."""
    text = (data or b"").strip()
    return int(text) if text.isdigit() else None


def read_if_there(path: str) -> bytes | None:
    try:
        return read_once(path, 4096)
    except OSError:
        return None


def _quota_v2(folder: str) -> tuple[int | None, int | None]:
    quota, _, period = (read_if_there(f"{folder}/cpu.max") or b"").strip().partition(b" ")
    return number(quota), number(period)


def _quota_v1(folder: str) -> tuple[int | None, int | None]:
    quota = number(read_if_there(f"{folder}/cpu.cfs_quota_us"))
    return quota, number(read_if_there(f"{folder}/cpu.cfs_period_us"))
