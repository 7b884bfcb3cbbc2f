"""What are a process's container and pod called, as far as anything here tells?

Asked in turn: our own environment (the downward API: `POD_NAME`, `POD_NAMESPACE`, `POD_UID`, `NODE_NAME`) for containers
of our own pod, the node's log folders, the Docker engine's files, and last the process's `HOSTNAME`, which in a pod
without `hostNetwork` is the pod's name. Where there is no cgroup namespace our own path tells which pod is ours.
"""

import os
import re
from collections.abc import Mapping

from msgspec.structs import replace

from collectors.containers.container import Container
from collectors.containers.docker_files import DockerNames, docker_names
from collectors.containers.paths import container_of
from collectors.containers.pod_logs import PodLogs
from collectors.entities import Process
from collectors.host import Host
from collectors.procfs import parse_cgroup

ASK_AGAIN_NS = 30_000_000_000
KEPT_CONTAINERS = 512
_POD_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


class ContainerNames:
    """Remembers what it found. One thread uses it."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        """`environment`: ours, in which the downward API puts names; None = that of this process."""
        own = os.environ if environment is None else environment
        self._uid = own.get("POD_UID") or None
        self._pod = own.get("POD_NAME") or None
        self._namespace = own.get("POD_NAMESPACE") or None
        self._hostname = own.get("HOSTNAME") or None
        self._nodes = {name for key in ("NODE_NAME", "NODEWRIGHT_AGENT_NODE") if (name := own.get(key))}
        self._in_kubernetes = self._uid is not None or "KUBERNETES_SERVICE_HOST" in own
        self._logs = PodLogs()
        self._own: tuple[tuple[str, str], ...] | None = None
        self._docker: dict[str, tuple[int, DockerNames | None]] = {}

    def container_of(self, host: Host, process: Process, hostname: str | None) -> Container | None:
        """The container of a process; None if it is in none, or in one that cannot be told from here. `hostname`: the
        variable of its environment, None = not known."""
        if self._own is None:
            self._own = _own_cgroups(host)
            ours = container_of(self._own)
            self._uid = self._uid or (ours.pod_uid if ours else None)
        found = container_of(process.cgroups, self._in_kubernetes) or self._ours(process)
        if found is None:
            return None
        return self._named_pod(host, found, hostname) if found.in_pod else self._named_engine(host, found)

    def _ours(self, process: Process) -> Container | None:
        """Our own container, where the process is in the same: its path is `/` for both."""
        if self._uid is None or not process.cgroups or process.cgroups != self._own:
            return None
        return Container(pod_uid=self._uid)

    def _named_pod(self, host: Host, found: Container, hostname: str | None) -> Container:
        logged = self._logs.find(host, found.id, found.pod_uid)
        if logged is not None:
            found = replace(found, pod=logged.pod, namespace=logged.namespace, name=logged.container)
        if found.sibling or (found.pod_uid is not None and found.pod_uid == self._uid):
            pod, namespace = self._pod or found.pod, self._namespace or found.namespace
            uid = found.pod_uid or self._uid
            found = replace(found, pod=pod, namespace=namespace, pod_uid=uid)
            hostname = hostname or self._hostname
        if found.pod is None and hostname and self._may_be_a_pods(host, hostname, found):
            found = replace(found, pod=hostname)
        return found

    def _may_be_a_pods(self, host: Host, hostname: str, found: Container) -> bool:
        """Whether this is not the node's name, which pods with `hostNetwork` have. One of our own pod has ours."""
        if hostname in self._nodes or not _POD_NAME.fullmatch(hostname):
            return False
        return found.sibling or found.pod_uid == self._uid or hostname != _machine_name(host)

    def _named_engine(self, host: Host, found: Container) -> Container:
        if found.id is None or found.runtime not in (None, "docker"):
            return found
        now_ns = host.clock.now().mono_ns
        asked_ns, names = self._docker.get(found.id, (now_ns - ASK_AGAIN_NS, None))
        if names is None and now_ns - asked_ns >= ASK_AGAIN_NS:
            names = docker_names(host, found.id)
            if len(self._docker) >= KEPT_CONTAINERS:
                del self._docker[next(iter(self._docker))]
            self._docker[found.id] = now_ns, names
        if names is None:
            return found
        return replace(found, name=names.name, project=names.project, service=names.service)


def _own_cgroups(host: Host) -> tuple[tuple[str, str], ...]:
    try:
        return tuple(parse_cgroup(host.text(f"{host.proc}/self/cgroup")))
    except OSError:
        return ()


def _machine_name(host: Host) -> str | None:
    try:
        return host.text(f"{host.proc}/sys/kernel/hostname").strip()
    except OSError:
        return None
