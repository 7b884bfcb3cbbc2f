"""Is a worker's own memory told from what it shares, seldom enough, and is what cannot be read a state?"""

import ctypes
import mmap
import os
from dataclasses import replace
from pathlib import Path

import pytest

from collectors.entities import Process, Role, Worker, WorkerKey
from collectors.host import Host
from collectors.inside.memory import RESIDENT_LIMIT_BYTES, ProcessMemory, read_memory
from collectors.procfs import parse_stat
from collectors.reading import Unreadable, Unsupported
from collectors.sources.worker_memory import WorkerMemoryCollector, WorkerMemorySample
from tests.hosttree import HostTree

ROLLUP = """55c5350e9000-7ffd7d9e8000 ---p 00000000 00:00 0                          [rollup]
Rss:              101764 kB
Pss:               60337 kB
Pss_Dirty:         50112 kB
Shared_Clean:      51596 kB
Shared_Dirty:          0 kB
Private_Clean:       156 kB
Private_Dirty:     50012 kB
Swap:                 24 kB
SwapPss:              12 kB
"""


def with_workers(tree: HostTree, *pids: int) -> list[Worker]:
    for pid in pids:
        tree.process(pid)
        tree.file(f"proc/{pid}/statm", "30000 25441 100 1 0 1 0\n")
        tree.file(f"proc/{pid}/smaps_rollup", ROLLUP)
    return [tree.worker(pid) for pid in pids]


def test_the_kernels_sums_become_one_sample(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    service = tree.service(*with_workers(tree, 812))
    assert list(WorkerMemoryCollector().collect(tree.host, (service,))) == [
        WorkerMemorySample(
            entity="worker:812:1000", resident_bytes=101764 << 10, proportional_bytes=60337 << 10,
            private_bytes=50168 << 10, private_dirty_bytes=50012 << 10, swapped_bytes=24 << 10,
        )
    ]  # fmt: skip


def test_a_worker_is_looked_at_once_a_minute_and_known_meanwhile(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    service = tree.service(*with_workers(tree, 812))
    collector = WorkerMemoryCollector()
    (first,) = collector.collect(tree.host, (service,))
    tree.file("proc/812/smaps_rollup", ROLLUP.replace("Swap:                 24 kB", "Swap:                 99 kB"))
    tree.clock.advance(59)
    assert list(collector.collect(tree.host, (service,))) == [first]
    tree.clock.advance(1)
    (second,) = collector.collect(tree.host, (service,))
    assert isinstance(second, WorkerMemorySample)
    assert second.swapped_bytes == 99 << 10


def test_a_look_that_takes_long_leaves_the_others_to_the_next_run_and_its_worker_alone_for_longer(
    tmp_path: Path,
) -> None:
    tree = HostTree(tmp_path)
    service = tree.service(*with_workers(tree, 812, 813))
    collector = WorkerMemoryCollector()
    looked: list[int] = []

    def slow(key: WorkerKey) -> ProcessMemory | Unsupported:
        looked.append(key.pid)
        tree.clock.advance(0.2)
        return read_memory(tree.host, key)

    host = replace(tree.host, memory_of=slow)
    assert len(list(collector.collect(host, (service,)))) == 1
    assert len(list(collector.collect(host, (service,)))) == 2
    tree.clock.advance(190)
    collector.collect(host, (service,))
    assert looked == [812, 813]
    tree.clock.advance(10)
    collector.collect(host, (service,))
    assert looked == [812, 813, 812]


def test_helpers_are_left_out_and_a_worker_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    workers = with_workers(tree, 812, 813)
    tracker = tree.worker(813, role=Role.SUPPORT)
    collector = WorkerMemoryCollector()
    found = collector.collect(tree.host, (tree.service(workers[0], tracker),))
    assert [sample.entity for sample in found] == ["worker:812:1000"]
    assert list(collector.collect(tree.host, ())) == []


def test_without_the_right_it_says_which_one_is_missing(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    service = tree.service(*with_workers(tree, 812))
    collector = WorkerMemoryCollector()
    denied = Unsupported("smaps_rollup: Permission denied", "run the sidecar")
    host = replace(tree.host, memory_of=lambda key: denied)
    with pytest.raises(Unreadable, match="Permission denied"):
        collector.collect(host, (service,))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"smaps_rollup": None}, "no smaps_rollup"),
        ({"statm": f"1 {(RESIDENT_LIMIT_BYTES >> 12) + 1} 0 0 0 0 0\n"}, "64 GiB are resident: to count their pages"),
        ({"statm": None, "smaps_rollup": None, "stat": None}, "process vanished"),
    ],
)
def test_what_is_not_counted_is_a_state_with_its_reason(
    tmp_path: Path, change: dict[str, str | None], reason: str
) -> None:
    tree = HostTree(tmp_path)
    with_workers(tree, 812)
    for name, content in change.items():
        if content is None:
            (tmp_path / "proc/812" / name).unlink()
        else:
            tree.file(f"proc/812/{name}", content)
    found = read_memory(tree.host, WorkerKey(812, 1000))
    assert isinstance(found, Unsupported)
    assert reason in found.reason


def test_memory_that_a_real_process_fills_is_its_own() -> None:
    key = WorkerKey(os.getpid(), parse_stat(Path("/proc/self/stat").read_bytes()).started)
    before = read_memory(Host.real(), key)
    with mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as filled:
        ctypes.memset(ctypes.addressof(ctypes.c_char.from_buffer(filled)), 1, 64 << 20)
        after = read_memory(Host.real(), key)
    assert isinstance(before, ProcessMemory)
    assert isinstance(after, ProcessMemory)
    assert before.private_dirty_bytes is not None
    assert after.private_dirty_bytes is not None
    assert (after.private_dirty_bytes - before.private_dirty_bytes) >> 20 == pytest.approx(64, abs=4)
    process = Process(key=key, ppid=1, uid=0, comm="python", argv=("python",))
    worker = Worker(process=process, role=Role.WORKER, framework="fake", service="app", slot=0)
    service = HostTree(Path("/nowhere")).service(worker)
    (sample,) = WorkerMemoryCollector().collect(Host.real(), (service,))
    assert sample.entity == key.entity
