"""Which processes run in a pod, under which workload, and where the pod's specification sets a lever."""

from typing import Any

import pytest
from msgspec.structs import replace

from collectors.containers.container import Container
from collectors.entities import Role, Service
from collectors.levers import Lever, Place
from collectors.managers.kubernetes import Kubernetes
from collectors.places import places_for
from tests.captures import facts, process, service_of

ID, UID = "a1" * 32, "98cee708-023b-11eb-933d-42010a800193"
PATH = f"/kubepods.slice/kubepods-pod{UID.replace('-', '_')}.slice/cri-containerd-{ID}.scope"
POD = "web-7d9f8b6c5-x2x7q"
NAMED = Container(id=ID, pod_uid=UID, pod=POD, namespace="shop", name="server")
FIELD = "spec.template.spec.containers[name=server]"


def service(container: Container | None, owner: str | None = "shop/web", cgroup: str = f"0::{PATH}") -> Service:
    master = process(10, "gunicorn", "-w", "2", "app:app", cgroup=cgroup)
    found = service_of("gunicorn", (master, Role.FRONT_END), manager="kubernetes", owner=owner)
    return replace(found, container=container)


def place(kind: str, key: str, value: str | int | None) -> Place:
    return Place(kind=kind, target="gunicorn", key=key, value=value, effective=True, because="why", restart=False)


def rendered(kind: str, key: str, value: str | int | None, container: Container | None = NAMED) -> Place:
    (found,) = Kubernetes().render(place(kind, key, value), service(container))
    assert (found.kind, found.restart) == ("kubernetes", True)
    return found


@pytest.mark.parametrize(
    ("container", "owner"),
    [
        (NAMED, "shop/web"),
        (replace(NAMED, namespace=None), "web"),
        (replace(NAMED, pod="db-0"), "shop/db"),
        (replace(NAMED, pod="llm-10", pod_uid="0123456789abcdef" * 2), "shop/llm-10"),
        (Container(id=ID, pod_uid=UID), None),
        (Container(id=ID, sibling=True), None),
    ],
)
def test_a_pods_process_is_owned_by_its_workload(container: Container, owner: str | None) -> None:
    one = process(1, "python", cgroup=f"0::{PATH}")
    assert Kubernetes().owns(one, container) is True
    assert Kubernetes().owner(one, container) == owner


def test_what_is_in_no_pod_is_not_its_own() -> None:
    one = process(1, "python")
    assert Kubernetes().owns(one, None) is False
    assert Kubernetes().owns(one, Container(id=ID, runtime="docker")) is False


@pytest.mark.parametrize(
    ("given", "key", "value"),
    [
        (("env", "OMP_NUM_THREADS", "1"), f"{FIELD}.env[OMP_NUM_THREADS]", "1"),
        (("env", "OMP_PLACES", None), f"{FIELD}.env[OMP_PLACES]", None),
        (("argument", "--workers", "2"), f"{FIELD}.args", "--workers 2"),
        (("argument", "--preload", None), f"{FIELD}.args", "--preload"),
    ],
)
def test_variables_and_options_are_fields_of_the_container(given: Any, key: str, value: str | None) -> None:
    found = rendered(*given)
    assert (found.target, found.key, found.value, found.effective, found.because) == (
        "shop/web",
        key,
        value,
        True,
        "why",
    )


@pytest.mark.parametrize(
    ("key", "written", "value"),
    [
        ("cpu.max", "200000 100000", "2"),
        ("cpu.max", "25000 50000", "500m"),
        ("cpu.max", "66666 100000", "667m"),
        ("cpu.max", "10 100000", "1m"),
        ("cpu.max", "max", None),
        ("cpu.cfs_quota_us", 150_000, "1500m"),
        ("cpu.cfs_quota_us", -1, None),
    ],
)
def test_a_quota_is_the_cpu_limit_in_kubernetes_units(key: str, written: str | int, value: str | None) -> None:
    found = rendered("cgroup", key, written)
    assert (found.key, found.value, found.effective) == (f"{FIELD}.resources.limits.cpu", value, True)


@pytest.mark.parametrize(("written", "value"), [(320 << 20, "320Mi"), ("max", None)])
def test_a_memory_limit_is_that_of_the_container(written: str | int, value: str | None) -> None:
    found = rendered("cgroup", "memory.max", written)
    assert (found.key, found.value, found.effective) == (f"{FIELD}.resources.limits.memory", value, True)


def test_a_weight_is_a_cpu_request_which_with_version_2_depends_on_the_runtime() -> None:
    shares = rendered("cgroup", "cpu.shares", 2560)
    assert (shares.key, shares.value, shares.effective) == (f"{FIELD}.resources.requests.cpu", "2500m", True)
    weight = rendered("cgroup", "cpu.weight", 100)
    assert (weight.value, weight.effective) == ("1", None)
    assert weight.because == (
        "a request of 1 makes this weight with runc from 1.3.2 or crun from 1.23, one of 2536m with older ones; the "
        "scheduler reserves it on the node"
    )


def test_a_mask_is_a_command_that_may_not_last() -> None:
    found = rendered("taskset", "cpu-list", "0-1")
    assert (found.key, found.value, found.effective) == (f"{FIELD}.command", "taskset --cpu-list 0-1 …", None)
    assert found.because is not None
    assert "static CPU manager policy" in found.because


def test_on_which_node_memory_lies_is_for_the_kubelet() -> None:
    found = rendered("numactl", "membind", "0")
    assert (found.target, found.key, found.value, found.effective) == (
        "the kubelet of the node", "topologyManagerPolicy", "single-numa-node", None,
    )  # fmt: skip


def test_settings_files_are_not_in_the_specification() -> None:
    assert list(Kubernetes().render(place("file", "parallel_workers", 2), service(NAMED))) == []
    assert list(Kubernetes().render(place("code", "x", 2), service(NAMED))) == []


@pytest.mark.parametrize(
    ("container", "field"),
    [
        (replace(NAMED, name=None), "spec.template.spec.containers[]"),
        (replace(NAMED, pod="model-server"), "spec.containers[name=server]"),
        (replace(NAMED, pod="llm-10", pod_uid="0123456789abcdef" * 2), "spec.containers[name=server]"),
        (Container(id=ID, pod_uid=UID), "spec.template.spec.containers[]"),
        (None, "spec.template.spec.containers[]"),
    ],
)
def test_the_container_is_named_as_far_as_it_is_known(container: Container | None, field: str) -> None:
    assert rendered("env", "A", "1", container).key == f"{field}.env[A]"


@pytest.mark.parametrize(
    ("container", "target"),
    [(Container(pod_uid=UID), f"pod {UID}"), (Container(id=ID, sibling=True), "the pod"), (None, "the pod")],
)
def test_without_a_workload_the_pod_is_the_target(container: Container | None, target: str) -> None:
    (found,) = Kubernetes().render(place("env", "A", "1"), service(container, owner=None))
    assert found.target == target


def test_each_place_of_a_lever_is_followed_by_its_field() -> None:
    of = service(NAMED)
    known = {w.key: facts(w.process, environ={}) for w in of.workers}
    assert [(p.kind, p.target, p.key, p.value) for p in places_for(Lever.CPU_QUOTA, 1.5, of, known)] == [
        ("cgroup", f"/sys/fs/cgroup{PATH}", "cpu.max", "150000 100000"),
        ("kubernetes", "shop/web", f"{FIELD}.resources.limits.cpu", "1500m"),
    ]


@pytest.mark.parametrize(
    ("cgroup", "file"),
    [
        (f"0::/../cri-containerd-{ID}.scope", ("/sys/fs/cgroup", "cpu.max", "150000 100000")),
        ("0::/", ("/sys/fs/cgroup", "cpu.max", "150000 100000")),
        (f"3:cpu,cpuacct:/../{ID}", ("/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", 150_000)),
    ],
)
def test_a_sibling_containers_quota_is_set_in_its_specification(cgroup: str, file: tuple[str, str, Any]) -> None:
    own, field = places_for(Lever.CPU_QUOTA, 1.5, service(Container(id=ID, sibling=True), None, cgroup), {})
    assert (own.target, own.key, own.value) == file
    assert (own.effective, own.because) == (
        None,
        "as the container itself sees it, where it is mostly mounted read-only",
    )
    assert (field.target, field.key, field.value) == (
        "the pod", "spec.template.spec.containers[].resources.limits.cpu", "1500m",
    )  # fmt: skip
