"""On which memory node may a service put its memory, and where is that set?"""

from collectors.entities import Service
from collectors.levers import Place, Value

NUMACTL = "numactl"
"""Kind of the place: a command before that of the server, which its processes and threads inherit the policy from."""
_WHY = (
    "memory is where the thread that touches it first may put it; every process and thread of the server inherits that"
)
_KUBELET = (
    "the kubelet's own setting, with the static policies of its CPU and memory managers and whole CPUs as limits: it then "
    "puts CPUs and memory of a container on one node"
)


def memory_policy_places(value: Value, service: Service) -> tuple[Place, ...]:
    """What binds memory to the nodes of `value`, a list such as `0`."""
    target, text = service.framework, str(value)
    return (Place(kind=NUMACTL, target=target, key="membind", value=text, effective=True, because=_WHY),)


def directives_of(place: Place) -> tuple[tuple[str, Value], ...]:
    """The two directives of a systemd unit that say the same (systemd.exec, from version 243)."""
    return (("NUMAPolicy", "bind"), ("NUMAMask", place.value)) if place.kind == NUMACTL else ()


KUBELET_PLACE = Place(
    kind="kubernetes",
    target="the kubelet of the node",
    key="topologyManagerPolicy",
    value="single-numa-node",
    effective=None,
    because=_KUBELET,
)
"""What a node of Kubernetes has instead: a container cannot choose."""
