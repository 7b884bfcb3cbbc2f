"""Which systemd unit runs a process, or the container that it is in?"""

import re
from collections.abc import Sequence

Cgroups = Sequence[tuple[str, str]]

_HIERARCHIES = ("name=systemd", "")
_USER_MANAGER = re.compile(r"user@\d+\.service")
_CONTAINER = re.compile(r"[0-9a-f]{64}|(^|[-/])pod[0-9a-f]{8}[-_0-9a-f]+")
_AROUND = re.compile(r"/([^/]+\.service)/libpod-payload-[0-9a-f]{64}(?=/|$)")


def unit_of(cgroups: Cgroups) -> str | None:
    """The innermost service unit of a process. A container's own cgroup below a runtime's unit is not the unit's, and a
    session or terminal is no unit that keeps settings."""
    for controllers, path in cgroups:
        if controllers in _HIERARCHIES and (unit := _innermost(path)):
            return unit
    return None


def unit_around(cgroups: Cgroups) -> str | None:
    """The unit that runs podman, with the process's container in the unit's own cgroup, as a Quadlet's is."""
    for controllers, path in cgroups:
        if controllers in _HIERARCHIES and (match := _AROUND.search(path)):
            return match[1]
    return None


def _innermost(path: str) -> str | None:
    parts = path.split("/")
    for index in range(len(parts) - 1, -1, -1):
        part = parts[index]
        if part.endswith(".service") and not _USER_MANAGER.fullmatch(part):
            return None if _CONTAINER.search("/".join(parts[index + 1 :])) else part
        if part.endswith(".scope"):
            return None
    return None
