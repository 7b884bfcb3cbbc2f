"""What the table of processes notices, and how seldom it has to look."""

import os
from pathlib import Path

import pytest

from collectors.discover.proc_listing import ProcListing
from collectors.discover.process_table import ProcessTable
from tests.hosttree import SECOND_NS, HostTree


@pytest.fixture
def machine(tmp_path: Path) -> HostTree:
    made = HostTree(tmp_path)
    made.process(10, argv=("nginx",), comm="nginx", started=500)
    made.file("proc/loadavg", "0.00 0.00 0.00 1/100 10\n")
    return made


def update(table: ProcessTable, machine: HostTree, seconds: float = 1.0) -> None:
    machine.clock.advance(seconds)
    table.update(machine.host, machine.clock.mono_ns)


def test_the_folder_is_listed_when_a_pid_was_given_out_and_every_five_seconds(machine: HostTree) -> None:
    table = ProcessTable()
    update(table, machine)
    machine.process(11, argv=("redis",), comm="redis", started=500)
    update(table, machine)
    assert set(table.entries) == {10}  # the kernel says that no pid was given out
    machine.file("proc/loadavg", "0.00 0.00 0.00 1/100 11\n")
    update(table, machine)
    assert set(table.entries) == {10, 11}
    machine.remove_process(11)
    update(table, machine)
    assert set(table.entries) == {10, 11}
    update(table, machine, 5)
    assert set(table.entries) == {10}


def test_a_folder_of_another_inode_is_another_process(machine: HostTree) -> None:
    listing = ProcListing()
    now = machine.clock.mono_ns
    assert listing.update(machine.host, now).new == [10]
    folder = machine.root / "proc/10"
    folder.rename(machine.root / "kept")  # keeps the inode from being given out again
    (folder).mkdir()
    listed = listing.update(machine.host, now + 5 * SECOND_NS)
    assert (listed.new, listed.gone, listed.replaced) == ([], [], [10])
    listing.close()


def test_a_watched_process_is_seen_to_end_without_a_listing(machine: HostTree) -> None:
    table = ProcessTable()
    update(table, machine)
    table.watch(machine.host, 10)
    assert table.entries[10].process.uid == 0
    machine.remove_process(10)
    update(table, machine)
    assert [key.pid for key in table.gone] == [10]
    assert table.entries == {}


def test_a_watched_process_that_moves_to_another_cgroup_is_noticed(machine: HostTree) -> None:
    table = ProcessTable()
    update(table, machine)
    table.watch(machine.host, 10)
    machine.process(10, cgroup="0::/moved\n")
    for _ in range(11):
        update(table, machine)
    assert table.entries[10].process.cgroups == (("", "/moved"),)


def test_descriptors_are_given_back(machine: HostTree) -> None:
    before = len(os.listdir("/proc/self/fd"))
    table = ProcessTable()
    update(table, machine)
    table.watch(machine.host, 10)
    update(table, machine)
    assert len(os.listdir("/proc/self/fd")) == before + 2
    table.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_names_with_parentheses_and_spaces_are_read_whole(machine: HostTree) -> None:
    machine.process(12, argv=("x",), comm="a) R 1 (b", started=700)
    table = ProcessTable()
    update(table, machine)
    assert (table.entries[12].process.comm, table.entries[12].key.started) == ("a) R 1 (b", 700)
