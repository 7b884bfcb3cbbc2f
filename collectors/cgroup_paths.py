"""Where below the cgroup mounts are the files of a process's cgroups, and what is that cgroup called?

Version 1 has one hierarchy per controller, some mounted together (`cpu,cpuacct`); version 2 has one for all, either at
the top of the mounts or, on hybrid hosts, at `unified`. A process names its path in each by a line of /proc/PID/cgroup.
"""

import os
from collections.abc import Iterable, Sequence

import msgspec

from collectors.entities import Service
from collectors.host import Host
from collectors.procfs import parse_cgroup

Cgroups = Sequence[tuple[str, str]]
"""(controllers, path) lines of /proc/PID/cgroup."""

_NAMING = ("cpu", "memory", "cpuset")


class CgroupMounts(msgspec.Struct, frozen=True, kw_only=True):
    """Folders at which the hierarchies are mounted."""

    unified: str | None
    """Version 2; None where it is not mounted."""
    controllers: dict[str, str]
    """Version 1: controller to folder."""
    own: Cgroups = ()
    """The reader's own cgroups: in a container without a cgroup namespace the mounts begin there."""


class CgroupPlace(msgspec.Struct, frozen=True, kw_only=True):
    """One cgroup of one hierarchy. `path` is `/` for its root."""

    version: int
    mount: str
    path: str

    @property
    def levels(self) -> tuple[str, ...]:
        """Folders of the cgroup and of its ancestors, the root last."""
        parts = [part for part in self.path.split("/") if part]
        return tuple("/".join((self.mount, *parts[:count])) for count in range(len(parts), -1, -1))


def find_mounts(host: Host) -> CgroupMounts:
    """The hierarchies below `host.cgroup`; none where nothing is mounted there."""
    try:
        names = sorted(os.listdir(host.cgroup))
    except OSError:
        names = []
    if "cgroup.controllers" in names:
        return CgroupMounts(unified=host.cgroup, controllers={}, own=_own_cgroups(host))
    unified = f"{host.cgroup}/unified"
    has_unified = os.path.exists(f"{unified}/cgroup.controllers")
    controllers = {
        controller: f"{host.cgroup}/{name}"
        for name in names
        if name != "unified"
        for controller in name.split(",")
    }  # fmt: skip
    own = _own_cgroups(host)
    return CgroupMounts(unified=unified if has_unified else None, controllers=controllers, own=own)


def _own_cgroups(host: Host) -> Cgroups:
    try:
        return parse_cgroup(host.text(f"{host.proc}/self/cgroup"))
    except OSError:
        return ()


def controller_path(cgroups: Cgroups, controller: str) -> tuple[int, str] | None:
    """(version, path) of the hierarchy that governs `controller` for a process; None if no line says so."""
    unified = None
    for controllers, path in cgroups:
        if controllers == "":
            unified = path
        elif controller in controllers.split(","):
            return 1, path
    return None if unified is None else (2, unified)


def cgroup_place(mounts: CgroupMounts, cgroups: Cgroups, controller: str) -> CgroupPlace | None:
    """Where the files of `controller` are; None where that cannot be reached from here, as a sibling container's path
    (`/../…`) cannot, seen from a cgroup namespace of one's own."""
    found = controller_path(cgroups, controller)
    if found is None:
        return None
    version, path = found
    mount = mounts.unified if version == 2 else mounts.controllers.get(controller)
    if mount is None or ".." in path.split("/"):
        return None
    for below in (path, _below(controller_path(mounts.own, controller), path)):
        if below is not None and os.path.isdir(mount + below):
            return CgroupPlace(version=version, mount=mount, path=below)
    return None


def _below(own: tuple[int, str] | None, path: str) -> str | None:
    """`path` as seen from the reader's own cgroup; None if it is not that or below."""
    if own is None or not (path + "/").startswith(own[1].rstrip("/") + "/"):
        return None
    return path[len(own[1].rstrip("/")) :] or "/"


def cgroups_of(services: Iterable[Service]) -> dict[str, str]:
    """The entity of the cgroup in which each service lives, by the service's name."""
    return {one.name: cgroup_entity(worker.process.cgroups) for one in services for worker in one.serving[:1]}


def cgroup_entity(cgroups: Cgroups) -> str:
    """Name of a process's cgroup: `cgroup:/system.slice/app.service`. Where version 1 puts the process at different
    paths, those of memory and cpuset follow that of cpu: `cgroup:/a+memory:/b`."""
    found = {name: controller_path(cgroups, name) for name in _NAMING}
    paths = {name: place[1] for name, place in found.items() if place is not None}
    first = paths.get("cpu", "/")
    others = [f"+{name}:{path}" for name, path in paths.items() if path != first]
    return ("cgroup:" + first + "".join(others)).encode("utf-8", "backslashreplace").decode()
