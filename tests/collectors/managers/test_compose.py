"""Which containers are Compose's or an engine's, what they are called, and what sets a lever of them."""

from typing import Any

import pytest
from msgspec.structs import replace

from collectors.containers.container import Container
from collectors.entities import Role, Service
from collectors.levers import Place, Value
from collectors.managers.compose import Compose
from collectors.registry import all_managers
from tests.captures import process, service_of

ID = "a1" * 32
PATH = f"0::/system.slice/docker-{ID}.scope"
PLAIN = Container(id=ID, runtime="docker")
WEB = replace(PLAIN, name="shop-web-1", project="shop", service="web")


def service(container: Container, owner: str | None) -> Service:
    master = process(10, "gunicorn", "app:app", cgroup=PATH)
    return replace(
        service_of("gunicorn", (master, Role.FRONT_END), manager="compose", owner=owner), container=container
    )


def place(kind: str, key: str, value: Value) -> Place:
    return Place(kind=kind, target="gunicorn", key=key, value=value, effective=True, because="why", restart=False)


def rendered(given: tuple[str, str, Value], container: Container = WEB, owner: str | None = "shop/web") -> Place:
    (found,) = Compose().render(place(*given), service(container, owner))
    assert found.restart is True
    return found


@pytest.mark.parametrize(
    ("container", "cgroup", "owner"),
    [
        (WEB, PATH, "shop/web"),
        (replace(WEB, project=None), PATH, "web"),
        (replace(PLAIN, name="llm"), PATH, "llm"),
        (replace(PLAIN, name="stack_web.1.x7kq3n5m2p9r8s4t6v1w0y2z4"), PATH, "stack_web"),
        (replace(PLAIN, name="llm-98cee708-023b-11eb-933d-42010a800193"), PATH, "llm"),
        (PLAIN, PATH, None),
        (Container(id=ID, runtime="libpod"), f"0::/system.slice/vllm.service/libpod-payload-{ID}", "vllm.service"),
        (PLAIN, f"0::/system.slice/docker.service/{ID}", None),
        (Container(id=ID), f"0::/my-parent/{ID}", None),
        (PLAIN, f"1:name=systemd:/docker/{ID}", None),
    ],
)
def test_a_container_outside_of_pods_is_owned_by_what_lasts(
    container: Container, cgroup: str, owner: str | None
) -> None:
    one = process(1, "python", cgroup=cgroup)
    assert next(manager.name for manager in all_managers() if manager.owns(one, container)) == "compose"
    assert Compose().owner(one, container) == owner


def test_pods_units_inside_a_container_and_bare_processes_are_not_its_own() -> None:
    assert Compose().owns(process(1, "python", cgroup=PATH), replace(PLAIN, sibling=True)) is False
    assert Compose().owns(process(1, "python", cgroup=f"{PATH}/system.slice/app.service"), PLAIN) is False
    assert Compose().owns(process(1, "python"), None) is False
    assert Compose().owner(process(1, "python"), None) is None


@pytest.mark.parametrize(
    ("given", "compose", "docker", "value"),
    [
        (("env", "OMP_NUM_THREADS", "1"), "environment.OMP_NUM_THREADS", "--env OMP_NUM_THREADS", "1"),
        (("env", "OMP_PLACES", None), "environment.OMP_PLACES", "--env OMP_PLACES", None),
        (("argument", "--workers", "2"), "command", "IMAGE …", "--workers 2"),
        (("argument", "--preload", None), "command", "IMAGE …", "--preload"),
        (("taskset", "cpu-list", "0-1"), "cpuset", "--cpuset-cpus", "0-1"),
        (("cgroup", "cpu.max", "150000 100000"), "cpus", "--cpus", "1.5"),
        (("cgroup", "cpu.cfs_quota_us", 200_000), "cpus", "--cpus", "2"),
        (("cgroup", "cpu.max", "max"), "cpus", "--cpus", None),
        (("cgroup", "cpu.shares", 2048), "cpu_shares", "--cpu-shares", "2048"),
        (("cgroup", "cpu.weight", 100), "cpu_shares", "--cpu-shares", "1024"),
        (("cgroup", "memory.max", (320 << 20) + 1), "mem_limit", "--memory", "321m"),
        (("cgroup", "memory.max", "max"), "mem_limit", "--memory", None),
    ],
)
def test_a_place_becomes_a_key_of_the_service_or_an_option_of_docker_run(
    given: Any, compose: str, docker: str, value: str | None
) -> None:
    key = rendered(given)
    assert (key.kind, key.target, key.key, key.value) == ("compose", "shop/web", f"services.web.{compose}", value)
    option = rendered(given, replace(PLAIN, name="llm"), "llm")
    assert (option.kind, option.target, option.key, option.value) == ("docker", "llm", f"docker run {docker}", value)


def test_memory_of_one_node_is_an_option_of_docker_run_and_no_key_of_compose() -> None:
    policy = place("numactl", "membind", "0")
    assert list(Compose().render(policy, service(WEB, "shop/web"))) == []
    option = rendered(("numactl", "membind", "0"), replace(PLAIN, name="llm"), "llm")
    assert (option.key, option.value) == ("docker run --cpuset-mems", "0")


def test_a_weight_of_version_2_depends_on_the_runtime_and_the_rest_does_not() -> None:
    weight = rendered(("cgroup", "cpu.weight", 100))
    assert (weight.effective, weight.because) == (
        None, "1024 shares make this weight with runc from 1.3.2 or crun from 1.23, 2597 with older ones",
    )  # fmt: skip
    assert rendered(("cgroup", "cpu.shares", 100)).effective is True
    assert rendered(("env", "A", "1")).because == "why"


@pytest.mark.parametrize(("runtime", "tool"), [("libpod", "podman"), ("nerdctl", "nerdctl"), (None, "docker")])
def test_each_engine_has_its_own_command(runtime: str | None, tool: str) -> None:
    found = rendered(("env", "A", "1"), Container(id=ID, runtime=runtime), None)
    assert (found.target, found.key) == ("container a1a1a1a1a1a1", f"{tool} run --env A")


def test_what_swarm_or_nomad_makes_is_set_elsewhere() -> None:
    task = replace(PLAIN, name="stack_web.1.x7kq3n5m2p9r8s4t6v1w0y2z4")
    assert list(Compose().render(place("env", "A", "1"), service(task, "stack_web"))) == []


def test_settings_files_have_no_key() -> None:
    assert list(Compose().render(place("file", "parallel_workers", 2), service(WEB, "shop/web"))) == []
