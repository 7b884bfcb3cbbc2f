"""Containers and pods in the lines of /proc/PID/cgroup, as each runtime and each reader writes them."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.containers.container import Container
from collectors.containers.paths import container_of
from collectors.procfs import parse_cgroup
from tests.captures import FIXTURES

ID = "66be9b2efdf4d85288c319b8c1a2f50d2439b5617e36f45d9d0d0be1381113be"
OTHER = "5c" * 32
UID = "98cee708-023b-11eb-933d-42010a800193"
SLICE_UID = UID.replace("-", "_")


def of(*paths: str, in_kubernetes: bool = False) -> Container | None:
    return container_of([("", path) for path in paths], in_kubernetes)


def test_the_recorded_paths_yield_what_was_recorded_of_them() -> None:
    with open(FIXTURES / "cgroup_paths.tsv", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) == 18
    for row in rows:
        found = of(row["path"]) or Container()
        told = (found.pod_uid, (found.id or "")[:12], found.runtime, found.qos)
        assert tuple(text or "-" for text in told) == (
            row["pod_uid"], row["container_id_first_12"], row["runtime"], row["qos"],
        ), row["case"]  # fmt: skip
        assert found.in_pod is (row["kubernetes"] == "True" or row["case"].startswith("sidecar")), row["case"]
        assert found.sibling is row["case"].startswith("sidecar")
        assert (of(row["path"]) is None) is (row["container_id_first_12"] == "-")


@pytest.mark.parametrize(
    ("path", "runtime", "qos"),
    [
        (f"/kubepods/pod{UID}/{ID}", None, "guaranteed"),
        (f"/kubepods/burstable/pod{UID}/crio-conmon-{ID}", "crio-conmon", "burstable"),
        (f"/kubepods.slice/kubepods-pod{SLICE_UID}.slice/crio-{ID}.scope/container", "crio", "guaranteed"),
        (f"/system.slice/containerd.service/kubepods-pod{SLICE_UID}.slice:cri-containerd:{ID}", "cri-containerd", "guaranteed"),
        (f"/docker/{OTHER}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{SLICE_UID}.slice/cri-containerd-{ID}.scope",
         "cri-containerd", "guaranteed"),
        (f"/../../kubepods-besteffort-pod{SLICE_UID}.slice/cri-containerd-{ID}.scope", "cri-containerd", "besteffort"),
        (f"/../../pod{UID}/{ID}", None, None),
        (f"/kubepods/burstable/pod{UID}/{OTHER}/docker/{ID}", "docker", "burstable"),
    ],
)  # fmt: skip
def test_the_innermost_container_and_its_pod_are_found(path: str, runtime: str | None, qos: str | None) -> None:
    assert of(path) == Container(id=ID, runtime=runtime, pod_uid=UID, qos=qos)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "runtime"),
    [
        (f"/my-parent/{ID}", None),
        (f"/my.slice/docker-{ID}.scope", "docker"),
        (f"/system.slice/docker-{ID}.scope/system.slice/app.service", "docker"),
        (f"/machine.slice/machine-libpod_pod_{OTHER}.slice/libpod-{ID}.scope/container", "libpod"),
        (f"/system.slice/vllm.service/libpod-payload-{ID}", "libpod"),
        (f"/machine.slice/libpod-conmon-{ID}.scope", "libpod-conmon"),
        (f"/system.slice/nerdctl-{ID}.scope", "nerdctl"),
        (f"/default/{ID}", None),
    ],
)
def test_a_container_outside_of_pods_has_no_pod(path: str, runtime: str | None) -> None:
    assert of(path) == Container(id=ID, runtime=runtime)


@pytest.mark.parametrize("path", ["", "/", "/..", "/../..", "/init.scope", "/system.slice/podman.service", "/user.slice",
                                  f"/system.slice/backup-{ID}.service", f"/a/{ID}0", f"/a/x{ID}", f"/a/{ID[:63]}"])  # fmt: skip
def test_other_cgroups_are_no_containers(path: str) -> None:
    assert of(path) is None


def test_of_a_pod_without_a_container_the_pod_is_known() -> None:
    assert of(f"/kubepods/pod{UID}") == Container(pod_uid=UID, qos="guaranteed")
    inside_a_node = f"/docker/{OTHER}/kubelet/kubepods/burstable/pod{UID}"
    assert of(inside_a_node) == Container(pod_uid=UID, qos="burstable")


@pytest.mark.parametrize(
    ("path", "in_kubernetes", "sibling"),
    [
        (f"/../cri-containerd-{ID}.scope", False, True),
        (f"/../crio-{ID}.scope", False, True),
        (f"/../../crio-{ID}.scope/container", False, True),
        (f"/../docker-{ID}.scope", False, False),
        (f"/../docker-{ID}.scope", True, True),
        (f"/../{ID}", False, False),
        (f"/../{ID}", True, True),
        (f"/../libpod-{ID}.scope/container", True, False),
        (f"/../../../machine.slice/libpod-{ID}.scope", True, False),
        (f"/../../docker/{ID}", True, False),
        (f"/cri-containerd-{ID}.scope", True, False),
    ],
)
def test_a_container_beside_ours_is_of_our_pod_where_only_pods_are_made_so(
    path: str, in_kubernetes: bool, sibling: bool
) -> None:
    found = of(path, in_kubernetes=in_kubernetes)
    assert found is not None
    assert (found.id, found.sibling, found.in_pod) == (ID, sibling, sibling)


def test_any_line_may_tell() -> None:
    path = f"/kubepods/burstable/pod{UID}/{ID}"
    lines = parse_cgroup(f"9:name=systemd:/\n4:memory:{path}\n2:cpu,cpuacct:/kubepods/burstable/pod{UID}\n0::/\n")
    assert container_of(lines) == Container(id=ID, pod_uid=UID, qos="burstable")
    assert container_of(()) is None


PIECES = st.sampled_from([
    "/", "..", "pod", UID, SLICE_UID, ID, OTHER, ".scope", ".slice", ":", "-", "_", "docker", "cri-containerd", "kubepods",
    "burstable", "besteffort", "\udc80", "\n", "é",
])  # fmt: skip


@given(st.lists(st.lists(PIECES | st.text(max_size=4), max_size=12).map("".join), max_size=3), st.booleans())
def test_no_line_raises(paths: list[str], in_kubernetes: bool) -> None:
    found = of(*paths, in_kubernetes=in_kubernetes)
    assert found is None or found.id is not None or found.pod_uid is not None
