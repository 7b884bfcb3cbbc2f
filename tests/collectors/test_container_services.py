"""Which services come out of containers, and do they stay the same ones over restarts?"""

from collections.abc import Mapping
from pathlib import Path

import pytest

from collectors.containers.container import Container
from collectors.discovery import Discovery
from collectors.entities import Service
from tests.captures import facts
from tests.hosttree import HostTree

SERVER = ("/opt/venv/bin/python3.11", "/opt/venv/bin/gunicorn", "-w", "1", "-b", "0.0.0.0:8000", "shop:app")
UIDS = ("98cee708-023b-11eb-933d-42010a800193", "f6f2d169-f2ae-4afa-95ed-06ff2ed6b288")
IDS = ("a1" * 32, "b2" * 32)


class Node:
    """A machine and a discovery on it."""

    def __init__(self, root: Path) -> None:
        self.machine = HostTree(root)
        self.machine.process(1, argv=("/sbin/init",), comm="init", ppid=0)
        self.discovery = Discovery()
        self.environ: dict[int, Mapping[str, str]] = {}

    def start(self, pid: int, cgroup: str, **environ: str) -> None:
        """A server with one worker."""
        for each, parent in ((pid, 1), (pid + 1, pid)):
            values = {"comm": "gunicorn", "ppid": parent, "cgroup": f"0::{cgroup}\n", "started": 500 + each}
            self.machine.process(each, argv=SERVER, **values)
            self.environ[each] = environ

    def stop(self, pid: int) -> None:
        for each in (pid, pid + 1):
            self.machine.remove_process(each)

    def settle(self) -> list[Service]:
        for _ in range(6):
            self.machine.clock.advance(1)
            self.discovery.scan(self.machine.host)
            for process, _ in self.discovery.wanted():
                self.discovery.learn(facts(process, environ=dict(self.environ[process.key.pid])))
        return sorted(self.discovery.services, key=lambda service: service.name)

    def log(self, pod: str, container_id: str, container: str = "server") -> None:
        self.machine.file(f"var/log/containers/{pod}_shop_{container}-{container_id}.log", "")


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def pod(uid: str, container_id: str) -> str:
    middle = f"kubepods-burstable-pod{uid.replace('-', '_')}.slice"
    return f"/kubepods.slice/kubepods-burstable.slice/{middle}/cri-containerd-{container_id}.scope"


def test_a_service_knows_its_container(node: Node) -> None:
    node.log("web-7d9f8b6c5-x2x7q", IDS[0])
    node.start(100, pod(UIDS[0], IDS[0]))
    (service,) = node.settle()
    assert (service.owner, service.manager) == ("shop/web", "kubernetes")
    assert service.container == Container(
        id=IDS[0], runtime="cri-containerd", pod_uid=UIDS[0], qos="burstable", name="server", pod="web-7d9f8b6c5-x2x7q",
        namespace="shop",
    )  # fmt: skip


def test_a_service_is_the_same_in_a_new_pod_of_its_workload(node: Node) -> None:
    node.log("web-7d9f8b6c5-x2x7q", IDS[0])
    node.start(100, pod(UIDS[0], IDS[0]))
    (before,) = node.settle()
    node.stop(100)
    assert node.settle() == []
    node.log("web-5c4b7d8f9-zx5qk", IDS[1])
    node.start(200, pod(UIDS[1], IDS[1]))
    (after,) = node.settle()
    assert (after.id, after.name, after.owner) == (before.id, before.name, "shop/web")
    assert after.container is not None
    assert (after.container.id, after.container.pod_uid) == (IDS[1], UIDS[1])


def test_it_is_the_same_after_a_restart_in_its_pod_and_for_a_new_agent(node: Node) -> None:
    node.start(100, pod(UIDS[0], IDS[0]), HOSTNAME="db-0")
    (before,) = node.settle()
    node.stop(100)
    node.settle()
    node.start(200, pod(UIDS[0], IDS[1]), HOSTNAME="db-0")
    node.discovery = Discovery()
    (after,) = node.settle()
    assert (after.id, after.owner, after.manager) == (before.id, "db", "kubernetes")


def test_two_workloads_with_the_same_application_and_port_differ_by_owner(node: Node) -> None:
    for pid, name, uid, container_id in ((100, "web-x2x7q", UIDS[0], IDS[0]), (200, "api-x2x7q", UIDS[1], IDS[1])):
        node.log(name, container_id)
        node.start(pid, pod(uid, container_id))
    first, second = node.settle()
    assert {first.owner, second.owner} == {"shop/web", "shop/api"}
    assert (first.name, second.name) == ("gunicorn/shop:8000", "gunicorn/shop:8000#2")
    assert first.id != second.id


def test_two_replicas_of_one_workload_are_numbered(node: Node) -> None:
    for pid, name, uid, container_id in ((100, "web-x2x7q", UIDS[0], IDS[0]), (200, "web-zx5qk", UIDS[1], IDS[1])):
        node.log(name, container_id)
        node.start(pid, pod(uid, container_id))
    first, second = node.settle()
    assert (first.owner, second.owner) == ("shop/web", "shop/web")
    assert (first.name, second.name) == ("gunicorn/shop:8000", "gunicorn/shop:8000#2")
    assert first.id != second.id


def test_a_pod_without_a_name_has_no_owner_but_a_manager(node: Node) -> None:
    node.start(100, pod(UIDS[0], IDS[0]))
    (service,) = node.settle()
    assert (service.owner, service.manager) == (None, "kubernetes")


def test_a_compose_service_is_owned_by_project_and_service(node: Node) -> None:
    labels = '{"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}'
    config = f'{{"Name": "/shop-web-1", "Config": {{"Labels": {labels}}}}}'
    node.machine.file(f"var/lib/docker/containers/{IDS[0]}/config.v2.json", config)
    node.start(100, f"/system.slice/docker-{IDS[0]}.scope", HOSTNAME=IDS[0][:12])
    node.start(200, f"/system.slice/docker-{IDS[1]}.scope", HOSTNAME=IDS[1][:12])
    first, second = node.settle()
    assert (first.owner, first.manager) == ("shop/web", "compose")
    assert (second.owner, second.manager) == (None, "compose")
    assert second.container == Container(id=IDS[1], runtime="docker")


def test_units_and_bare_processes_have_no_container(node: Node) -> None:
    node.start(100, "/system.slice/shop.service")
    node.start(200, "/user.slice/user-1000.slice/session-3.scope")
    first, second = node.settle()
    assert [(s.owner, s.manager, s.container) for s in (first, second)] == [
        ("shop.service", "systemd", None), (None, "bare", None),
    ]  # fmt: skip
