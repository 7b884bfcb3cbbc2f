"""Which field of a pod's specification sets a lever of the service in it?

The object that holds the specification is named by its workload alone: which kind it is (Deployment, StatefulSet,
InferenceService, ServerConfig) cannot be seen from a node.
"""

from collections.abc import Sequence
from typing import ClassVar

from msgspec.structs import replace

from collectors.containers.container import Container
from collectors.containers.workload import workload_of
from collectors.cpu_limits import is_quota, quota_cores
from collectors.cpu_shares import shares_of
from collectors.entities import Process, Service
from collectors.levers import Place
from collectors.manager import Manager
from collectors.memory_limits import is_memory_limit, memory_amount
from collectors.memory_policy import KUBELET_PLACE, NUMACTL

_SHARES_PER_CPU = 1024
_STATIC_UID_CHARACTERS = 32
_QUOTA = "the kubelet writes it into the container's cgroup when it makes the container"
_NO_FIELD = "without the field there is no limit: remove it"
_PINNING = (
    "it needs taskset in the image, and a mask set from outside is lost at a restart; a container has CPUs of its own "
    "under the kubelet's static CPU manager policy with a whole number of CPUs as its limit"
)


class Kubernetes(Manager):
    order: ClassVar[int] = 30

    def owns(self, process: Process, container: Container | None) -> bool:
        return container is not None and container.in_pod

    def owner(self, process: Process, container: Container | None) -> str | None:
        """`namespace/workload`, or the workload alone. A pod's UID is new after each restart, so it is no owner."""
        if container is None or container.pod is None:
            return None
        workload = container.pod if _is_static(container) else workload_of(container.pod)
        return f"{container.namespace}/{workload}" if container.namespace else workload

    def render(self, place: Place, service: Service) -> Sequence[Place]:
        container = service.container or Container()
        target = service.owner or (f"pod {container.pod_uid}" if container.pod_uid else "the pod")
        field = _field(container)
        own = replace(place, kind="kubernetes", target=target, restart=True)
        if place.kind == "env":
            return (replace(own, key=f"{field}.env[{place.key}]"),)
        if place.kind == "argument":
            text = place.key if place.value is None else f"{place.key} {place.value}"
            return (replace(own, key=f"{field}.args", value=text),)
        if place.kind == "taskset":
            command = replace(own, key=f"{field}.command", value=f"taskset --cpu-list {place.value} …")
            return (replace(command, effective=None, because=_PINNING),)
        if place.kind == NUMACTL:
            return (KUBELET_PLACE,)
        if is_quota(place):
            cores = quota_cores(place)
            value = None if cores is None else _quantity(cores)
            because = _QUOTA if cores is not None else _NO_FIELD
            return (replace(own, key=f"{field}.resources.limits.cpu", value=value, effective=True, because=because),)
        if is_memory_limit(place):
            value = memory_amount(place, "Mi")
            because = _QUOTA if value is not None else _NO_FIELD
            return (replace(own, key=f"{field}.resources.limits.memory", value=value, effective=True, because=because),)
        if shares := shares_of(place):
            return (_request(own, f"{field}.resources.requests.cpu", *shares),)
        return ()


def _field(container: Container) -> str:
    """The container in the specification of its pod, which a pod by itself holds at another place than a workload."""
    alone = _is_static(container) or (container.pod is not None and workload_of(container.pod) == container.pod)
    name = f"name={container.name}" if container.name else ""
    return f"{'spec' if alone else 'spec.template.spec'}.containers[{name}]"


def _is_static(container: Container) -> bool:
    """Whether its pod is made of a file on the node; its name ends in the node's."""
    return container.pod_uid is not None and len(container.pod_uid) == _STATIC_UID_CHARACTERS


def _request(place: Place, key: str, shares: int, older: int) -> Place:
    value = _quantity(shares / _SHARES_PER_CPU)
    if shares == older:
        because = "the kubelet makes 1024 shares of one requested CPU, and the scheduler reserves it on the node"
        return replace(place, key=key, value=value, effective=True, because=because)
    because = (
        f"a request of {value} makes this weight with runc from 1.3.2 or crun from 1.23, one of "
        f"{_quantity(older / _SHARES_PER_CPU)} with older ones; the scheduler reserves it on the node"
    )
    return replace(place, key=key, value=value, effective=None, because=because)


def _quantity(cores: float) -> str:
    """Cores as Kubernetes writes them: `2`, `1500m`."""
    thousandths = max(1, round(1000 * cores))
    return f"{thousandths}m" if thousandths % 1000 else str(thousandths // 1000)
