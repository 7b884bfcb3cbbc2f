"""Which pod and container do the names in the kubelet's log folders tell? No log is opened.

`/var/log/containers/POD_NAMESPACE_CONTAINER-ID.log` and `/var/log/pods/NAMESPACE_POD_UID/CONTAINER/`; both can be
mounted into a pod that watches the node.
"""

import os
import re
from collections.abc import Callable
from itertools import islice

import msgspec

from collectors.host import Host

LIST_EVERY_NS = 30_000_000_000
CHANGED_EVERY_NS = 1_000_000_000
"""How soon a folder that has changed is listed again: a name decides under which id a service is published."""
NAMES_LIMIT = 4096

_NAME = "[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?"
_CONTAINER_LOG = re.compile(rf"({_NAME})_({_NAME})_({_NAME})-([0-9a-f]{{64}})\.log")
_POD_FOLDER = re.compile(rf"({_NAME})_({_NAME})_([0-9a-f-]{{32,36}})")


class LogName(msgspec.Struct, frozen=True):
    """Names of one pod, and of its container where that is told."""

    pod: str
    namespace: str
    container: str | None


class PodLogs:
    """Finds names of containers by their ids and of pods by their UIDs. One thread uses it."""

    def __init__(self) -> None:
        self._containers = _Folder("/var/log/containers", _container_log)
        self._pods = _Folder("/var/log/pods", _pod_folder)

    def find(self, host: Host, container_id: str | None, pod_uid: str | None) -> LogName | None:
        """None where neither folder is readable or names it."""
        name = self._containers.find(host, container_id)
        if name is not None:
            return name
        pod = self._pods.find(host, pod_uid)
        if pod is None:
            return None
        only = _only_folder(f"{host.root}/var/log/pods/{pod.namespace}_{pod.pod}_{pod_uid}")
        return LogName(pod.pod, pod.namespace, only)


class _Folder:
    """The names in one folder, listed again only for a key that is not among them."""

    def __init__(self, path: str, parse: Callable[[str], tuple[str, LogName] | None]) -> None:
        self._path = path
        self._parse = parse
        self._names: dict[str, LogName] = {}
        self._listed_ns: int | None = None
        self._changed_ns = -1

    def find(self, host: Host, key: str | None) -> LogName | None:
        if key is None:
            return None
        if key not in self._names and self._is_due(host):
            self._list(host)
        return self._names.get(key)

    def _is_due(self, host: Host) -> bool:
        """A folder's time of change is that of a clock tick, so that two changes may share it: it speeds the next
        listing up but does not put it off for good."""
        if self._listed_ns is None:
            return True
        age_ns = host.clock.now().mono_ns - self._listed_ns
        changed = age_ns >= CHANGED_EVERY_NS and _changed_ns(host.root + self._path) != self._changed_ns
        return changed or age_ns >= LIST_EVERY_NS

    def _list(self, host: Host) -> None:
        path = host.root + self._path
        self._listed_ns, self._changed_ns = host.clock.now().mono_ns, _changed_ns(path)
        try:
            with os.scandir(path) as items:
                found = (self._parse(item.name) for item in islice(items, NAMES_LIMIT))
                self._names = dict(one for one in found if one is not None)
        except OSError:
            self._names = {}


def _changed_ns(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return -1


def _container_log(name: str) -> tuple[str, LogName] | None:
    match = _CONTAINER_LOG.fullmatch(name)
    return (match[4], LogName(match[1], match[2], match[3])) if match else None


def _pod_folder(name: str) -> tuple[str, LogName] | None:
    match = _POD_FOLDER.fullmatch(name)
    return (match[3], LogName(match[2], match[1], None)) if match else None


def _only_folder(path: str) -> str | None:
    """The pod's one container; with several it is not told which is meant."""
    try:
        with os.scandir(path) as items:
            names = [item.name for item in islice(items, 3) if item.is_dir(follow_symlinks=False)]
    except OSError:
        return None
    return names[0] if len(names) == 1 and re.fullmatch(_NAME, names[0]) else None
