"""In which cgroup file is a service's CPU quota or weight set, and with what text?"""

import re

from collectors.cgroup_paths import controller_path
from collectors.entities import Service
from collectors.levers import Lever, Place, Value

PERIOD_US = 100_000
"""The kernel's default period; a quota is written for it."""
_SHARES_PER_WEIGHT = 1024 / 100
_QUOTA_KEYS = ("cpu.max", "cpu.cfs_quota_us")
_WEIGHT_KEYS = ("cpu.weight", "cpu.shares")
_NONE = frozenset(("", "none", "max", "-1", "unlimited"))


def cpu_limit_places(lever: Lever, value: Value, service: Service) -> tuple[Place, ...]:
    """The file of the cgroup that holds the service's workers; empty where they are in the root cgroup or out of reach.

    `value` is a number of cores for the quota (None = no limit). For the weight it is in the unit of the cgroup's own
    file: 100 is the default of version 2, 1024 shares that of version 1.
    """
    found = next((at for worker in service.serving if (at := controller_path(worker.process.cgroups, "cpu"))), None)
    if found is None or found[1] == "/" or ".." in found[1].split("/"):
        return ()
    version, path = found
    if lever is Lever.CPU_QUOTA:
        key, text = _quota(version, value)
    elif lever is Lever.CPU_WEIGHT:
        key, text = _weight(version, value)
    else:
        return ()
    target = f"/sys/fs/cgroup{path}" if version == 2 else f"/sys/fs/cgroup/cpu{path}"
    because = "it is the workers' own cgroup; a limit of one above it still holds"
    return (
        Place(kind="cgroup", target=target, key=key, value=text, effective=True, because=because, restart=False),
    )  # fmt: skip


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


def quota_percent(place: Place) -> str | None:
    """What a quota place says as a share of one core: `150%`, empty for no limit; None if it is no quota."""
    if place.kind != "cgroup" or place.key not in _QUOTA_KEYS:
        return None
    quota, _, period = str(place.value).partition(" ")
    if not re.fullmatch(r"[0-9]+", quota):
        return ""
    return f"{round(100 * int(quota) / int(period or PERIOD_US))}%"


def weight_of(place: Place) -> str | None:
    """What a weight place says with 100 as the default; None if it is no weight."""
    if place.kind != "cgroup" or place.key not in _WEIGHT_KEYS:
        return None
    value = float(str(place.value))
    return str(round(value if place.key == "cpu.weight" else value / _SHARES_PER_WEIGHT))
