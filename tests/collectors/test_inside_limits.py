"""Limits of a container by the cgroup tree in its own root."""

import os
import stat
from pathlib import Path

import pytest

from collectors.entities import WorkerKey
from collectors.facts import Limits
from collectors.inside import limits as inside_limits
from collectors.inside import read_facts, tree
from tests.hosttree import HostTree

TREE = "proc/7/root/sys/fs/cgroup"
UNLIMITED_V1 = 9_223_372_036_854_771_712


@pytest.fixture
def machine(tmp_path: Path) -> HostTree:
    made = HostTree(tmp_path)
    made.process(7, started=500)
    (tmp_path / "proc/7/root").mkdir()
    return made


def limits(machine: HostTree) -> object:
    return read_facts(machine.host, WorkerKey(7, 500), ()).limits


def version_1(machine: HostTree, cpu: str, quota: object, memory: object, **cpuset: str) -> None:
    machine.file(f"{TREE}/{cpu}/cpu.cfs_quota_us", f"{quota}\n")
    machine.file(f"{TREE}/{cpu}/cpu.cfs_period_us", "100000\n")
    machine.file(f"{TREE}/memory/memory.limit_in_bytes", f"{memory}\n")
    for name, cpus in cpuset.items():
        machine.file(f"{TREE}/cpuset/cpuset.{name}", f"{cpus}\n")


@pytest.mark.parametrize("cpu", ["cpu", "cpu,cpuacct", "cpuacct,cpu"])
def test_version_1_has_a_folder_per_controller(machine: HostTree, cpu: str) -> None:
    version_1(machine, cpu, 250_000, 4 << 30, cpus="0-3")
    assert limits(machine) == Limits(cpu_quota_cores=2.5, memory_max_bytes=4_294_967_296, cpuset="0-3")


def test_a_folder_may_be_a_link_to_the_joined_one(machine: HostTree) -> None:
    version_1(machine, "cpu,cpuacct", 50_000, 1 << 30, cpus="0-3", effective_cpus="1,3")
    (machine.root / TREE / "cpu").symlink_to("cpu,cpuacct")
    assert limits(machine) == Limits(cpu_quota_cores=0.5, memory_max_bytes=1_073_741_824, cpuset="1,3")


def test_version_1_writes_no_limit_in_its_own_way(machine: HostTree) -> None:
    version_1(machine, "cpu", -1, UNLIMITED_V1)
    assert limits(machine) == Limits()


def test_damaged_files_state_no_limit(machine: HostTree) -> None:
    version_1(machine, "cpu", "x", "", cpus="")
    assert limits(machine) == Limits()
    machine.file(f"{TREE}/cpu/cpu.cfs_period_us", "0\n")
    machine.file(f"{TREE}/cpu/cpu.cfs_quota_us", "1000\n")
    assert limits(machine) == Limits()


def test_folders_of_version_2_with_such_names_are_groups(machine: HostTree) -> None:
    machine.file(f"{TREE}/cpu.max", "150000 100000\n")
    machine.file(f"{TREE}/memory.max", "1073741824\n")
    machine.file(f"{TREE}/cpuset.cpus.effective", "0-1\n")
    machine.file(f"{TREE}/cpu/cpu.max", "1 100000\n")
    assert limits(machine) == Limits(cpu_quota_cores=1.5, memory_max_bytes=1_073_741_824, cpuset="0-1")


def test_the_tree_that_we_see_ourselves_is_left_to_the_collector(machine: HostTree) -> None:
    machine.file("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n")
    machine.file("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n")
    (machine.root / "proc/7/root").rmdir()
    (machine.root / "proc/7/root").symlink_to(machine.root)
    assert limits(machine) == Limits()


@pytest.mark.parametrize("quota", ["9" * 2000 + " 1", "9" * 4000 + " 1", "1 " + "9" * 4000, "0 100000"])
def test_a_quota_that_no_kernel_writes_is_none(machine: HostTree, quota: str) -> None:
    machine.file(f"{TREE}/cpu.max", quota)
    machine.file(f"{TREE}/cpuset.cpus.effective", "0-1,4\n")
    assert limits(machine) == Limits(cpuset="0-1,4")


def test_a_tree_that_the_process_made_tells_no_other_file(machine: HostTree) -> None:
    machine.file(f"{TREE}/etc/shadow", "root:$6$salt$hash:19000\n")
    (machine.root / TREE / "cpuset.cpus.effective").symlink_to("etc/shadow")
    os.mkfifo(machine.root / TREE / "memory.max")
    machine.file(f"{TREE}/cpu.max", "50000 100000\n")
    assert limits(machine) == Limits(cpu_quota_cores=0.5)


def test_what_is_no_plain_file_is_not_opened(machine: HostTree, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.file(f"{TREE}/cpu.max", "50000 100000\n")
    os.mkfifo(machine.root / TREE / "memory.max")
    opened: list[bool] = []

    def reopen(descriptor: int, flags: int) -> int:
        opened.append(stat.S_ISREG(os.fstat(descriptor).st_mode))
        return tree.reopen(descriptor, flags)

    monkeypatch.setattr(inside_limits, "reopen", reopen)
    assert limits(machine) == Limits(cpu_quota_cores=0.5)
    assert opened == [True]
