"""Which services come out of one Ray node that runs several applications, one, or none?"""

from pathlib import Path

import pytest

from collectors.discover.members import Group
from collectors.discover.process_table import Entry
from collectors.discover.shares import by_share
from collectors.discovery import Discovery
from collectors.entities import Role
from collectors.framework import Framework
from collectors.frameworks.gunicorn import Gunicorn
from collectors.frameworks.ray_serve import RayServe
from tests.captures import facts, process
from tests.hosttree import HostTree

RAYLET = (
    "/opt/ray/core/src/ray/raylet/raylet",
    "--metrics_export_port=0",
    "--dashboard_agent_command=x --listen-port=52365",
)
SPAWNED = ("python", "-c", "from multiprocessing.spawn import spawn_main; spawn_main(pipe_handle=9)", "--x")


class Node:
    """A made machine with one Ray on it, and someone who looks into what is wanted."""

    def __init__(self, folder: Path) -> None:
        self.machine = HostTree(folder)
        self.machine.process(1, argv=("/sbin/init",), comm="init", ppid=0)
        self.machine.process(100, argv=RAYLET, comm="raylet", started=500)
        self.discovery = Discovery()
        self.ports: dict[int, tuple[int, ...]] = {}
        self.asked: list[int] = []
        self.add(101, "ray::DashboardAgent", ports=(52365, 40123))
        self.add(102, "ray::ServeController")
        self.add(103, "ray::ProxyActor", ports=(8000, 10005))

    def add(self, pid: int, title: str, ports: tuple[int, ...] = ()) -> None:
        self.machine.process(pid, argv=(title,), comm=title[:15], ppid=100, started=400 + pid)
        self.ports[pid] = ports

    def settle(self, rounds: int = 12) -> dict[str, list[int]]:
        """Name of a service -> its pids, once everything was looked into."""
        for _ in range(rounds):
            self.machine.clock.advance(1)
            self.discovery.scan(self.machine.host)
            for each, _ in self.discovery.wanted():
                self.asked.append(each.key.pid)
                self.discovery.learn(facts(each, environ={}, ports=self.ports.get(each.key.pid, ())))
        return {service.name: sorted(service.pids) for service in self.discovery.services}


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_a_node_of_one_application_is_one_service_with_all_that_works_for_it(node: Node) -> None:
    node.add(110, "ray::ServeReplica:shop:Ranker")
    node.add(111, "ray::ServeReplica:shop:Embedder")
    node.add(112, "ray::IDLE")
    node.add(113, "ray::train_fn")
    assert node.settle() == {"ray-serve/shop:8000": [100, 101, 102, 103, 110, 111, 112]}
    (service,) = node.discovery.services
    assert [w.pid for w in service.serving] == [110, 111]
    assert (service.front_end.pid if service.front_end else None) == 100
    assert [model.name for model in service.models] == ["Ranker", "Embedder"]
    assert service.metrics_urls == ("http://127.0.0.1:40123/metrics",)
    assert not service.orphaned


def test_each_application_is_a_service_and_the_first_has_what_is_common(node: Node) -> None:
    node.add(110, "ray::ServeReplica:shop:Ranker")
    node.add(111, "ray::ServeReplica:ads:Bidder")
    node.machine.process(112, argv=SPAWNED, ppid=110, started=512)
    assert node.settle() == {
        "ray-serve/ads:8000": [100, 101, 102, 103, 111],
        "ray-serve/shop:8000": [110, 112],
    }
    ads, shop = node.discovery.services
    assert (ads.application, shop.application) == ("ads", "shop")
    assert ads.id != shop.id
    assert [model.name for model in shop.models] == ["Ranker"]
    assert ads.metrics_urls == shop.metrics_urls == ("http://127.0.0.1:40123/metrics",)
    assert (shop.port, shop.front_end, shop.orphaned) == (8000, None, False)


def test_a_ray_node_without_a_replica_is_no_service_and_is_not_looked_into(node: Node) -> None:
    node.add(110, "ray::train_fn")
    assert node.settle() == {}
    assert node.asked == []


def test_an_old_idle_worker_that_becomes_a_replica_is_seen(node: Node) -> None:
    """Ray starts workers in advance and gives them a title when they are needed."""
    node.add(110, "ray::IDLE")
    assert node.settle(30) == {}
    node.machine.process(110, argv=("ray::ServeReplica:shop:Ranker",), comm="ray::ServeRepli")
    assert list(node.settle()) == ["ray-serve/shop:8000"]


def test_an_application_that_takes_the_place_of_another_gets_its_own_name(node: Node) -> None:
    node.add(110, "ray::ServeReplica:shop:Ranker")
    node.settle()
    node.machine.remove_process(110)
    node.add(120, "ray::ServeReplica:ads:Bidder")
    assert list(node.settle()) == ["ray-serve/ads:8000"]


def test_a_second_application_leaves_the_name_and_the_id_of_the_first(node: Node) -> None:
    node.add(110, "ray::ServeReplica:shop:Ranker")
    node.settle()
    before = node.discovery.services[0]
    node.add(120, "ray::ServeReplica:ads:Bidder")
    assert list(node.settle()) == ["ray-serve/ads:8000", "ray-serve/shop:8000"]
    assert node.discovery.services[1].id == before.id
    node.machine.remove_process(120)
    assert list(node.settle()) == ["ray-serve/shop:8000"]
    assert node.discovery.services[0].id == before.id


def test_the_agent_is_looked_into_although_it_supports_only_and_other_helpers_are_not(node: Node) -> None:
    node.add(110, "ray::ServeReplica:shop:Ranker")
    node.settle()
    assert 101 in node.asked
    assert 102 not in node.asked


def group_of(framework: Framework, *titles: str) -> Group:
    group = Group(framework, None, None)
    for pid, title in enumerate(titles, start=10):
        one = process(pid, title, ppid=1, comm=title[:15])
        group.members.append((Entry(one, 0, 0, 0), Role.WORKER))
    return group


def test_a_framework_that_names_no_shares_keeps_its_group_as_it_is() -> None:
    group = group_of(Gunicorn(), "gunicorn: master [a]", "gunicorn: worker [a]")
    assert by_share([group]) == [group]


def test_parts_hold_their_own_first_and_lend_what_is_common() -> None:
    group = group_of(RayServe(), "ray::ProxyActor", "ray::ServeReplica:b:X", "ray::ServeReplica:a:Y")
    first, second = by_share([group])
    assert [entry.key.pid for entry, _ in first.members] == [12, 10]
    assert [entry.key.pid for entry, _ in second.members] == [11]
    assert [one.key.pid for one, _ in first.processes] == [12, 10]
    assert [one.key.pid for one, _ in second.processes] == [11, 10]
