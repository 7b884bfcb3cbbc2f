"""Are cores, packages, memory nodes and caches of a machine understood?"""

from pathlib import Path

import pytest

from collectors.host import Host
from collectors.reading import Unreadable
from collectors.topology import read_topology
from tests.hosttree import HostTree


def two_sockets_with_hyperthreads(root: Path) -> HostTree:
    """Cores 0, 1 on package 0 and 2, 3 on package 1; CPU n+4 is the second thread of CPU n; CPU 7 is offline."""
    tree = HostTree(root)
    base = "sys/devices/system"
    tree.file(f"{base}/cpu/present", "0-7\n")
    tree.file(f"{base}/cpu/online", "0-6\n")
    tree.file(f"{base}/node/node0/cpulist", "0-1,4-5\n")
    tree.file(f"{base}/node/node1/cpulist", "2-3,6-7\n")
    for cpu in range(7):
        folder = f"{base}/cpu/cpu{cpu}"
        tree.file(f"{folder}/topology/core_id", f"{cpu % 2}\n")
        tree.file(f"{folder}/topology/physical_package_id", f"{cpu % 4 // 2}\n")
        tree.file(f"{folder}/topology/thread_siblings_list", f"{cpu % 4},{cpu % 4 + 4}\n" if cpu % 4 != 3 else "3\n")
        for index, (level, kind, size) in enumerate([(1, "Data", "32K"), (3, "Unified", "32M")]):
            tree.file(f"{folder}/cache/index{index}/level", f"{level}\n")
            tree.file(f"{folder}/cache/index{index}/type", f"{kind}\n")
            tree.file(f"{folder}/cache/index{index}/size", f"{size}\n")
            tree.file(f"{folder}/cache/index{index}/shared_cpu_list", "0-1,4-5\n" if cpu % 4 < 2 else "2-3,6\n")
    return tree


def test_each_cpu_knows_its_core_package_node_and_siblings(tmp_path: Path) -> None:
    cpus = read_topology(two_sockets_with_hyperthreads(tmp_path).host).cpus
    assert [cpu.cpu for cpu in cpus] == list(range(8))
    assert [cpu.package for cpu in cpus] == [0, 0, 1, 1, 0, 0, 1, None]
    assert [cpu.node for cpu in cpus] == [0, 0, 1, 1, 0, 0, 1, 1]
    assert cpus[5].siblings == (1, 5)
    assert cpus[5].core_id == 1


def test_caches_say_their_size_and_who_shares_them(tmp_path: Path) -> None:
    first, last = read_topology(two_sockets_with_hyperthreads(tmp_path).host).cpus[0].cache
    assert (first.level, first.type, first.size_bytes) == (1, "Data", 32768)
    assert (last.level, last.type, last.size_bytes, last.shared_cpus) == (3, "Unified", 33554432, (0, 1, 4, 5))


def test_an_offline_cpu_has_no_core_and_no_cache(tmp_path: Path) -> None:
    cpu = read_topology(two_sockets_with_hyperthreads(tmp_path).host).cpus[7]
    assert (cpu.online, cpu.core_id, cpu.siblings, cpu.cache) == (False, None, (), ())


def test_missing_and_damaged_parts_are_none(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.file("sys/devices/system/cpu/present", "0\n")
    tree.file("sys/devices/system/cpu/cpu0/topology/physical_package_id", "-1\n")
    tree.file("sys/devices/system/cpu/cpu0/topology/core_id", "x\n")
    tree.file("sys/devices/system/cpu/cpu0/cache/index0/level", "2\n")
    tree.file("sys/devices/system/cpu/cpu0/cache/index0/shared_cpu_list", "0\n")
    (cpu,) = read_topology(tree.host).cpus
    assert (cpu.online, cpu.node, cpu.package, cpu.core_id) == (True, None, None, None)
    assert cpu.cache[0].size_bytes is None


def test_without_sysfs_it_says_what_to_mount(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="mount sysfs"):
        read_topology(Host.at(tmp_path))


def test_this_machine_has_at_least_one_cpu_online() -> None:
    assert any(cpu.online for cpu in read_topology(Host.real()).cpus)
