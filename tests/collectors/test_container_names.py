"""Which source names a container, and which are not believed."""

from pathlib import Path
from typing import Any

import pytest

from collectors.containers.container import Container
from collectors.containers.names import ContainerNames
from tests.captures import process
from tests.hosttree import HostTree

ID, UID = "a1" * 32, "98cee708-023b-11eb-933d-42010a800193"
PATH = f"/kubepods/burstable/pod{UID}/{ID}"
SIBLING = f"/../cri-containerd-{ID}.scope"
POD = "web-7d9f8b6c5-x2x7q"
DOWNWARD = {"POD_NAME": "own-0", "POD_NAMESPACE": "lab", "POD_UID": UID, "NODE_NAME": "node1"}


@pytest.fixture
def machine(tmp_path: Path) -> HostTree:
    made = HostTree(tmp_path)
    made.file("proc/sys/kernel/hostname", "node1\n")
    return made


def of(machine: HostTree, path: str, hostname: str | None = None, **own: str) -> Container | None:
    return ContainerNames(own).container_of(machine.host, process(1, "python", cgroup=f"0::{path}"), hostname)


def known(**values: Any) -> Container:
    return Container(**{"id": ID, "pod_uid": UID, "qos": "burstable", **values})


def test_without_any_source_names_are_not_known(machine: HostTree) -> None:
    assert of(machine, PATH) == known()
    assert of(machine, SIBLING) == Container(id=ID, runtime="cri-containerd", sibling=True)
    assert of(machine, "/system.slice/app.service", HOSTNAME="x") is None


def test_the_downward_api_names_our_own_pod_and_no_other(machine: HostTree) -> None:
    assert of(machine, PATH, **DOWNWARD) == known(pod="own-0", namespace="lab")
    assert of(machine, PATH, **{**DOWNWARD, "POD_UID": "0" * 8 + UID[8:]}) == known()
    assert of(machine, SIBLING, **DOWNWARD) == Container(
        id=ID, runtime="cri-containerd", sibling=True, pod_uid=UID, pod="own-0", namespace="lab"
    )
    assert of(machine, f"/docker/{ID}", **DOWNWARD) == Container(id=ID, runtime="docker")


def test_a_process_of_our_own_container_is_of_our_pod(machine: HostTree) -> None:
    machine.file("proc/self/cgroup", "0::/\n")
    assert of(machine, "/", **DOWNWARD) == Container(pod_uid=UID, pod="own-0", namespace="lab")
    assert of(machine, "/") is None
    machine.file("proc/self/cgroup", f"0::{PATH}\n")
    assert of(machine, "/", **DOWNWARD) is None


def test_without_a_cgroup_namespace_our_own_path_tells_our_pod(machine: HostTree) -> None:
    machine.file("proc/self/cgroup", f"3:cpu,cpuacct:/kubepods/burstable/pod{UID}/{'5c' * 32}\n")
    assert of(machine, PATH, None, HOSTNAME=POD) == known(pod=POD)
    assert of(machine, PATH, None, POD_NAME="own-0", POD_NAMESPACE="lab") == known(pod="own-0", namespace="lab")
    other = PATH.replace(UID, "0" * 8 + UID[8:])
    assert of(machine, other, None, HOSTNAME=POD) == known(pod_uid="0" * 8 + UID[8:])


def test_the_log_folders_name_pod_and_container(machine: HostTree) -> None:
    machine.file(f"var/log/containers/{POD}_shop_server-{ID}.log", "")
    assert of(machine, PATH, "other-name") == known(pod=POD, namespace="shop", name="server")
    assert of(machine, PATH, **DOWNWARD) == known(pod="own-0", namespace="lab", name="server")


def test_the_hostname_is_a_pods_name_unless_it_is_a_nodes(machine: HostTree) -> None:
    assert of(machine, PATH, POD) == known(pod=POD)
    assert of(machine, PATH, "node1") == known()
    assert of(machine, PATH, "node2", NODE_NAME="node2") == known()
    assert of(machine, PATH, "Not a name") == known()


def test_a_containers_own_hostname_in_our_pod_is_the_pods(machine: HostTree) -> None:
    machine.file("proc/sys/kernel/hostname", f"{POD}\n")
    sibling = Container(id=ID, runtime="cri-containerd", sibling=True, pod=POD)
    assert of(machine, SIBLING, POD) == sibling
    assert of(machine, SIBLING, None, HOSTNAME=POD) == sibling
    assert of(machine, SIBLING, None, HOSTNAME="node9", NODEWRIGHT_AGENT_NODE="node9") == Container(
        id=ID, runtime="cri-containerd", sibling=True
    )
    assert of(machine, PATH, None, HOSTNAME=POD) == known()


def test_an_engines_container_beside_ours_is_of_our_pod_only_in_kubernetes(machine: HostTree) -> None:
    path = f"/../docker-{ID}.scope"
    assert of(machine, path, None, HOSTNAME=POD) == Container(id=ID, runtime="docker")
    assert of(machine, path, None, HOSTNAME=POD, KUBERNETES_SERVICE_HOST="10.0.0.1") == Container(
        id=ID, runtime="docker", sibling=True, pod=POD
    )


def test_the_docker_engine_names_containers_outside_of_pods(machine: HostTree) -> None:
    labels = '{"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}'
    file = f"var/lib/docker/containers/{ID}/config.v2.json"
    names = ContainerNames({})
    inside = process(1, "python", cgroup=f"0::/docker/{ID}")

    def name() -> str | None:
        found = names.container_of(machine.host, inside, None)
        return found.name if found else None

    assert name() is None
    machine.file(file, f'{{"Name": "/shop-web-1", "Config": {{"Labels": {labels}}}}}')
    machine.clock.advance(29)
    assert name() is None
    machine.clock.advance(1)
    assert name() == "shop-web-1"
    (machine.root / file).unlink()
    machine.clock.advance(60)
    assert names.container_of(machine.host, inside, "ignored") == Container(
        id=ID, runtime="docker", name="shop-web-1", project="shop", service="web"
    )
