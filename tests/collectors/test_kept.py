"""Are files kept open while there are descriptors, and read all the same when there are none?"""

import os
import resource
from pathlib import Path

import pytest

from collectors.entities import WorkerKey
from collectors.kept import DescriptorBudget, KeptFiles, RepeatedFile, WorkerStat
from tests.hosttree import HostTree


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_repeated_file_takes_from_the_budget_and_gives_back(tmp_path: Path) -> None:
    path = HostTree(tmp_path).file("a", "1")
    budget = DescriptorBudget(1)
    kept, opened_each_time = RepeatedFile(str(path), budget), RepeatedFile(str(path), budget)
    assert budget.left == 0
    path.write_text("23")
    assert (kept.read(10), opened_each_time.read(10), kept.read(1)) == (b"23", b"23", b"2")
    opened_each_time.close()
    kept.close()
    kept.close()
    assert budget.left == 1


def test_when_the_process_runs_out_of_descriptors_the_rest_is_opened_for_each_reading(tmp_path: Path) -> None:
    path = HostTree(tmp_path).file("a", "1")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    budget = DescriptorBudget(10)
    taken = [os.open("/dev/null", os.O_RDONLY)]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 1, hard))
        while True:
            try:
                taken.append(os.dup(taken[0]))
            except OSError:
                break
        repeated = RepeatedFile(str(path), budget)
        assert budget.left == 0
        os.close(taken.pop())
        assert repeated.read(10) == b"1"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in taken:
            os.close(descriptor)


def test_files_of_the_node_name_the_path_that_failed_and_can_come_back(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    files = KeptFiles()
    path = f"{tmp_path}/proc/stat"
    with pytest.raises(FileNotFoundError) as error:
        files.read(path)
    assert error.value.filename == path
    assert files.read_if_there(path) is None
    tree.file("proc/stat", "x" * 200_000)
    assert files.read(path) == b"x" * 200_000


def test_files_beyond_the_budget_are_not_kept(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    paths = [str(tree.file(f"f{number}", str(number))) for number in range(5)]
    before = open_descriptors()
    files = KeptFiles(DescriptorBudget(2))
    assert [files.read(path) for path in paths] == [b"0", b"1", b"2", b"3", b"4"]
    assert open_descriptors() == before + 2
    files.close()
    assert open_descriptors() == before


def test_the_stat_of_a_worker_is_refused_once_the_pid_is_anothers(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.process(812, started=1000, user=7)
    stat = WorkerStat(tree.host, WorkerKey(812, 1000), DescriptorBudget(0))
    assert stat.read().user_ticks == 7
    tree.process(812, started=1001)
    with pytest.raises(ProcessLookupError, match="in use again"):
        stat.read()
