"""Is a process's cgroup found on every kind of mount, and named the same way each time?"""

from pathlib import Path

import pytest

from collectors.cgroup_paths import cgroup_entity, cgroup_place, controller_path, find_mounts
from collectors.procfs import parse_cgroup
from tests.hosttree import HostTree

ID = "66be9b2efdf4d85288c319b8c1a2f50d2439b5617e36f45d9d0d0be1381113be"
PATHS = [
    f"/kubepods/burstable/pod98cee708-023b-11eb-933d-42010a800193/{ID}",
    "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pode1465238_4518_4c21_832f_fd9f87033dad.slice/"
    f"cri-containerd-{ID}.scope",
    f"/system.slice/containerd.service/kubepods-besteffort-pod86811ae3.slice:cri-containerd:{ID}",
    f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope/container",
    "/system.slice/mlserver.service",
    "/",
]
HYBRID = "9:name=systemd:/\n4:memory:/process_api/0bbb\n3:cpuset:/\n2:cpuacct:/\n1:cpu:/\n0::/\n"


@pytest.mark.parametrize("path", PATHS)
def test_on_version_2_the_cgroup_is_named_by_its_path_and_found_below_the_mount(tmp_path: Path, path: str) -> None:
    tree = HostTree(tmp_path)
    tree.file("sys/fs/cgroup/cgroup.controllers", "cpu memory\n")
    tree.file(f"sys/fs/cgroup{path}/cgroup.procs", "")
    cgroups = parse_cgroup(f"0::{path}\n")
    place = cgroup_place(find_mounts(tree.host), cgroups, "memory")
    assert cgroup_entity(cgroups) == f"cgroup:{path}"
    assert place is not None
    assert place.version == 2
    assert place.levels[0] == f"{tmp_path}/sys/fs/cgroup{path.rstrip('/')}"
    assert place.levels[-1] == f"{tmp_path}/sys/fs/cgroup"
    assert len(place.levels) == 1 + len([part for part in path.split("/") if part])


def test_controllers_that_are_mounted_together_share_one_folder(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.file("sys/fs/cgroup/cpu,cpuacct/a/cpu.shares", "1024\n")
    tree.file("sys/fs/cgroup/memory/b/memory.failcnt", "0\n")
    cgroups = parse_cgroup("4:cpu,cpuacct:/a\n5:memory:/b\n")
    mounts = find_mounts(tree.host)
    assert mounts.unified is None
    for controller in ("cpu", "cpuacct"):
        place = cgroup_place(mounts, cgroups, controller)
        assert place is not None
        assert (place.version, place.levels[0]) == (1, f"{tmp_path}/sys/fs/cgroup/cpu,cpuacct/a")
    assert cgroup_place(mounts, cgroups, "cpuset") is None


def test_on_a_hybrid_host_a_line_of_version_1_goes_before_the_unified_one(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.file("sys/fs/cgroup/cpu/tasks", "")
    tree.file("sys/fs/cgroup/memory/process_api/0bbb/tasks", "")
    tree.file("sys/fs/cgroup/unified/cgroup.controllers", "")
    mounts = find_mounts(tree.host)
    cgroups = parse_cgroup(HYBRID)
    memory = cgroup_place(mounts, cgroups, "memory")
    assert memory is not None
    assert memory.levels[0] == f"{tmp_path}/sys/fs/cgroup/memory/process_api/0bbb"
    io = cgroup_place(mounts, cgroups, "io")
    assert io is not None
    assert io.mount == f"{tmp_path}/sys/fs/cgroup/unified"


def test_paths_that_differ_between_hierarchies_are_all_in_the_name() -> None:
    assert cgroup_entity(parse_cgroup(HYBRID)) == "cgroup:/+memory:/process_api/0bbb"
    assert cgroup_entity(parse_cgroup("1:cpu:/a\n2:memory:/a\n")) == "cgroup:/a"
    assert cgroup_entity(()) == "cgroup:/"


def test_a_sibling_container_seen_from_a_namespace_of_ones_own_has_a_name_but_no_folder(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.file("sys/fs/cgroup/cgroup.controllers", "cpu\n")
    cgroups = parse_cgroup(f"0::/../cri-containerd-{ID}.scope\n")
    assert controller_path(cgroups, "cpu") == (2, f"/../cri-containerd-{ID}.scope")
    assert cgroup_place(find_mounts(tree.host), cgroups, "cpu") is None
    assert cgroup_entity(cgroups) == f"cgroup:/../cri-containerd-{ID}.scope"


def test_on_version_1_a_sibling_whose_folder_is_not_there_is_not_taken_for_the_top_of_the_mount(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.file("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "10000\n")
    tree.file("proc/self/cgroup", "1:cpu,cpuacct:/pod/sidecar\n")
    mounts = find_mounts(tree.host)
    assert cgroup_place(mounts, parse_cgroup("1:cpu,cpuacct:/pod/server\n"), "cpu") is None
    assert cgroup_place(mounts, parse_cgroup("1:cpu,cpuacct:/pod/sidecar2\n"), "cpu") is None


def test_in_a_container_without_a_cgroup_namespace_ones_own_cgroup_is_the_top_of_the_mount(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.file("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "10000\n")
    tree.file("sys/fs/cgroup/cpu,cpuacct/inner/cpu.cfs_quota_us", "-1\n")
    tree.file("proc/self/cgroup", "1:cpu,cpuacct:/docker/66be\n")
    mounts = find_mounts(tree.host)
    same = cgroup_place(mounts, parse_cgroup("1:cpu,cpuacct:/docker/66be\n"), "cpu")
    inner = cgroup_place(mounts, parse_cgroup("1:cpu,cpuacct:/docker/66be/inner\n"), "cpu")
    assert same is not None
    assert inner is not None
    assert same.levels == (f"{tmp_path}/sys/fs/cgroup/cpu,cpuacct",)
    assert inner.levels == (f"{tmp_path}/sys/fs/cgroup/cpu,cpuacct/inner", f"{tmp_path}/sys/fs/cgroup/cpu,cpuacct")


def test_where_nothing_is_mounted_nothing_is_found(tmp_path: Path) -> None:
    mounts = find_mounts(HostTree(tmp_path).host)
    assert (mounts.unified, mounts.controllers) == (None, {})
    assert cgroup_place(mounts, (("", "/a"),), "cpu") is None


def test_a_name_with_foreign_bytes_can_be_stored() -> None:
    assert cgroup_entity((("", "/a\udcff"),)) == "cgroup:/a\\udcff"
