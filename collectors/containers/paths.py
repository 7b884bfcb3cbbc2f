"""In which container and pod does a process run, by the lines of its /proc/PID/cgroup?

A path reads differently from each place: whole on the node, `/` in the container itself, and from another container of
the same pod `/../cri-containerd-ID.scope`, because a path is relative to the reader's own cgroup namespace.
"""

import re
from collections.abc import Sequence

from collectors.containers.container import Container, Qos

_UID = r"[0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32}"
_POD = re.compile(rf"(?:^|[/-])pod({_UID})(?=[./:]|$)")
"""32 hex digits are the UID of a static pod: the hash of its file."""
_CONTAINER = re.compile(
    r"(?:^|[/:])(?:(cri-containerd|crio-conmon|crio|docker|libpod-conmon|libpod-payload|libpod|containerd|nerdctl)[-:/])?"
    r"([0-9a-f]{64})(?:\.scope)?(?=/|$)"
)
_QOS = re.compile(r"(?:^|[/-])(besteffort|burstable)(?=[./-])")
_OUTSIDE = re.compile(r"(?:/\.\.)+(?=/)")
_OF_PODS_ONLY = frozenset(("cri-containerd", "crio"))
_NEVER_OF_PODS = frozenset(("libpod", "libpod-conmon", "nerdctl"))
_PAYLOAD = "libpod-payload"
"""Podman's name for a container's cgroup below the unit that runs it."""


def container_of(cgroups: Sequence[tuple[str, str]], in_kubernetes: bool = False) -> Container | None:
    """The innermost container that the lines name, without the names of anything; None if none does, as for a process of
    our own container.

    `in_kubernetes`: whether we run in a pod ourselves, which tells a container beside ours that any engine may have made
    from one of our pod. The runtime of conmon, which watches a container from outside, is `crio-conmon` or
    `libpod-conmon`.
    """
    found = [one for _, path in cgroups if (one := _in_path(path, in_kubernetes))]
    return max(found, key=_told, default=None)


def _told(container: Container) -> tuple[bool, bool]:
    return container.in_pod, container.id is not None


def _in_path(path: str, in_kubernetes: bool) -> Container | None:
    pod, container = _last(_POD, path), _last(_CONTAINER, path)
    if pod and container and container.start() < pod.start():
        container = None  # a node that is a container itself holds the pod
    if pod is None and container is None:
        return None
    runtime = container[1] if container else None
    runtime = "libpod" if runtime == _PAYLOAD else runtime
    beside = pod is None and container is not None and _is_beside(path, container)
    return Container(
        id=container[2] if container else None,
        runtime=runtime,
        pod_uid=pod[1].replace("_", "-") if pod else None,
        qos=_qos(path[: pod.start() + 1]) if pod else None,
        sibling=beside and (runtime in _OF_PODS_ONLY or (in_kubernetes and runtime not in _NEVER_OF_PODS)),
    )


def _last(pattern: re.Pattern[str], path: str) -> re.Match[str] | None:
    return next(iter(reversed(list(pattern.finditer(path)))), None)


def _is_beside(path: str, container: re.Match[str]) -> bool:
    """Whether nothing but `..` stands above the container: it shares the parent of the reader's own."""
    outside = _OUTSIDE.match(path)
    return outside is not None and outside.end() == container.start() and "/" not in container[0][1:]


def _qos(above: str) -> Qos | None:
    """The class by the path above the pod. Guaranteed pods have no word of their own below `kubepods`; where that part
    is out of the reader's sight it is not known."""
    if match := _last(_QOS, above):
        return "burstable" if match[1] == "burstable" else "besteffort"
    return "guaranteed" if "kubepods" in above else None
