"""Are the node's memory events read from /proc/vmstat?"""

from pathlib import Path

import pytest

from collectors.host import Host
from collectors.reading import Unreadable
from collectors.sources.vmstat import VmSample, VmstatCollector
from tests.hosttree import HostTree

VMSTAT = "nr_free_pages 5\npswpin 3\npswpout 4\npgfault 2764702\npgmajfault 1580\npgfaultx 9\noom_kill 2\nlast 1\n"


def test_faults_swapping_and_kills_are_read(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.file("proc/vmstat", VMSTAT)
    assert list(VmstatCollector().collect(tree.host, ())) == [
        VmSample(
            entity="node", page_faults=2764702, major_faults=1580, swap_in_pages=3, swap_out_pages=4, oom_kills=2
        )
    ]  # fmt: skip


def test_what_an_older_kernel_does_not_count_is_none(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.file("proc/vmstat", "nr_free_pages 5\npgfault 10\npgmajfault 0\n")
    (sample,) = VmstatCollector().collect(tree.host, ())
    assert isinstance(sample, VmSample)
    assert (sample.page_faults, sample.major_faults, sample.oom_kills, sample.swap_in_pages) == (10, 0, None, None)


def test_a_host_without_the_file_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="no /proc/vmstat"):
        VmstatCollector().collect(HostTree(tmp_path).host, ())


def test_page_faults_of_this_machine_grow() -> None:
    collector = VmstatCollector()
    (first,) = collector.collect(Host.real(), ())
    touched = [bytearray(1 << 16) for _ in range(200)]
    (second,) = collector.collect(Host.real(), ())
    assert len(touched) == 200
    assert isinstance(first, VmSample)
    assert isinstance(second, VmSample)
    assert (second.page_faults or 0) >= (first.page_faults or 0) > 0
