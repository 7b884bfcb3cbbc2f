"""In which container and pod does a process run, and what are they called?"""

from typing import Literal

import msgspec

Qos = Literal["guaranteed", "burstable", "besteffort"]


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a process's container; None = not visible from here.

    `id`, `pod_uid`, `qos`, `runtime` come from /proc/PID/cgroup; names from the downward API, the node's log folders,
    the engine's own files, or the process's HOSTNAME.
    """

    id: str | None = None
    """64 hex digits."""
    runtime: str | None = None
    """cri-containerd, crio, docker, libpod, containerd, nerdctl; crio-conmon or libpod-conmon for what watches one."""
    pod_uid: str | None = None
    """Written with hyphens."""
    qos: Qos | None = None
    sibling: bool = False
    """Seen from another container of the same pod (`0::/../…`)."""
    name: str | None = None
    pod: str | None = None
    namespace: str | None = None
    project: str | None = None
    """Compose project."""
    service: str | None = None
    """Compose service."""

    @property
    def in_pod(self) -> bool:
        return self.pod_uid is not None or self.sibling
