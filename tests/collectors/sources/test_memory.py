"""Is the node's memory read from /proc/meminfo?"""

from pathlib import Path

from collectors.host import Host
from collectors.sources.memory import MemoryCollector, MemorySample
from tests.hosttree import HostTree

MEMINFO = """MemTotal:       24684084 kB
MemFree:        23845392 kB
MemAvailable:   24135772 kB
Buffers:           12345 kB
Cached:           411988 kB
SwapCached:            7 kB
SwapTotal:       1048576 kB
SwapFree:        1000000 kB
HugePages_Total:       3
"""


def test_total_available_free_cached_and_swap_are_read_in_kib(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.file("proc/meminfo", MEMINFO)
    assert list(MemoryCollector().collect(tree.host, ())) == [
        MemorySample(
            entity="node", total_kib=24684084, available_kib=24135772, free_kib=23845392, cached_kib=411988,
            swap_total_kib=1048576, swap_free_kib=1000000,
        )
    ]  # fmt: skip


def test_what_the_kernel_does_not_say_is_none_and_no_swap_is_zero(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.file("proc/meminfo", "MemTotal: 5 kB\nMemFree: 3 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n")
    (sample,) = MemoryCollector().collect(tree.host, ())
    assert isinstance(sample, MemorySample)
    assert (sample.available_kib, sample.cached_kib, sample.swap_total_kib) == (None, None, 0)


def test_this_machine_has_memory_and_some_is_available() -> None:
    (sample,) = MemoryCollector().collect(Host.real(), ())
    assert isinstance(sample, MemorySample)
    assert sample.total_kib is not None
    assert sample.available_kib is not None
    assert 0 < sample.available_kib < sample.total_kib
