"""Which pod does a cgroup path belong to, and which workload does a pod's name belong to?

A pod's name ends in hashes that change with each restart or rollout, so what is to last is kept under the workload.
"""

import re

_POD = re.compile(r"(?:^|[/-])pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?=[./:]|$)")
_SIBLING = re.compile(r"^/\.\./(?:cri-containerd|crio|docker)-[0-9a-f]{64}\.scope$")
_RANDOM = "[bcdfghjklmnpqrstvwxz2456789]"
"""The letters that Kubernetes makes random suffixes of."""
_SUFFIX = re.compile(rf"(?:-{_RANDOM}{{6,10}})?-{_RANDOM}{{5}}$|-\d+$")


def pod_uid(path: str) -> str | None:
    """The pod's UID in a path of /proc/PID/cgroup, written with hyphens; None if it names no pod."""
    match = _POD.search(path)
    return match[1].replace("_", "-") if match else None


def in_pod(path: str) -> bool:
    """Whether a path is that of a pod's container, also as a sidecar of the same pod sees it (`/../cri-containerd-…`)."""
    return pod_uid(path) is not None or _SIBLING.match(path) is not None


def workload_of(pod_name: str) -> str:
    """The pod's name without what changes: `web-7d9f8b6c5-x2x7q` and `web-x2x7q` are `web`, `db-0` is `db`."""
    return _SUFFIX.sub("", pod_name) or pod_name
