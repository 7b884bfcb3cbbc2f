"""In which cgroup file is a service's CPU quota or weight set, and with what text?"""

import re

from collectors.cgroup_places import cgroup_file
from collectors.entities import Service
from collectors.levers import Lever, Place, Value

PERIOD_US = 100_000
"""The kernel's default period; a quota is written for it."""
_SHARES_PER_WEIGHT = 1024 / 100
_QUOTA_KEYS = ("cpu.max", "cpu.cfs_quota_us")
_WEIGHT_KEYS = ("cpu.weight", "cpu.shares")
_NONE = frozenset(("", "none", "max", "-1", "unlimited"))


def cpu_limit_places(lever: Lever, value: Value, service: Service) -> tuple[Place, ...]:
    """The file of the cgroup that holds the service's workers; empty where they are in the root cgroup of the node, or
    out of reach and in no container.

    `value` is a number of cores for the quota (None = no limit). For the weight it is in the unit of the cgroup's own
    file: 100 is the default of version 2, 1024 shares that of version 1.
    """
    found = cgroup_file(service, "cpu")
    if found is None:
        return ()
    if lever is Lever.CPU_QUOTA:
        return (found.place(*_quota(found.version, value)),)
    if lever is Lever.CPU_WEIGHT:
        return (found.place(*_weight(found.version, value)),)
    return ()


def _quota(version: int, value: Value) -> tuple[str, Value]:
    cores = _cores(value)
    if version == 2:
        return "cpu.max", "max" if cores is None else f"{round(cores * PERIOD_US)} {PERIOD_US}"
    return "cpu.cfs_quota_us", -1 if cores is None else round(cores * PERIOD_US)


def _cores(value: Value) -> float | None:
    """None = no limit, as are -1, `max` and texts that say so."""
    if value is None or str(value).strip().lower() in _NONE:
        return None
    number = float(value)
    return number if number > 0 else None


def _weight(version: int, value: Value) -> tuple[str, Value]:
    key, default, most = ("cpu.weight", 100, 10_000) if version == 2 else ("cpu.shares", 1024, 262_144)
    return key, default if value is None else max(2, min(most, round(float(value))))


def is_quota(place: Place) -> bool:
    return place.kind == "cgroup" and place.key in _QUOTA_KEYS


def quota_cores(place: Place) -> float | None:
    """The cores that a quota place allows; None for no limit."""
    quota, _, period = str(place.value).partition(" ")
    return int(quota) / int(period or PERIOD_US) if re.fullmatch(r"[0-9]+", quota) else None


def quota_percent(place: Place) -> str | None:
    """What a quota place says as a share of one core: `150%`, empty for no limit; None if it is no quota."""
    if not is_quota(place):
        return None
    cores = quota_cores(place)
    return "" if cores is None else f"{round(100 * cores)}%"


def weight_of(place: Place) -> str | None:
    """What a weight place says with 100 as the default; None if it is no weight."""
    if place.kind != "cgroup" or place.key not in _WEIGHT_KEYS:
        return None
    value = float(str(place.value))
    return str(round(value if place.key == "cpu.weight" else value / _SHARES_PER_WEIGHT))
