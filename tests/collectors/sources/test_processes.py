"""Is each worker's use read, and is a worker that is gone or replaced left out?"""

import os
from pathlib import Path

import msgspec

from collectors.entities import Process, Role, Worker, WorkerKey
from collectors.host import Host
from collectors.procfs import parse_stat
from collectors.sources.processes import SLOW_EVERY, ProcessesCollector, WorkerSample
from tests.hosttree import HostTree

IO = "rchar: 1\nwchar: 2\nread_bytes: 40960\nwrite_bytes: 512\ncancelled_write_bytes: 0\n"


def read(collector: ProcessesCollector, tree: HostTree, *workers: Worker) -> list[WorkerSample]:
    samples = collector.collect(tree.host, (tree.service(*workers),))
    return [sample for sample in samples if isinstance(sample, WorkerSample)]


def test_stat_status_and_io_make_one_sample(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.process(
        812, comm=b"a) R (b\n", started=40211, user=1200, system=340, children_user=11, children_system=12, threads=9,
        resident_pages=4096, minor_faults=5100, major_faults=7, voluntary=88, involuntary=9, io=IO,
    )  # fmt: skip
    assert read(ProcessesCollector(), tree, tree.worker(812)) == [
        WorkerSample(
            entity="worker:812:40211", user_ticks=1200, system_ticks=340, children_user_ticks=11,
            children_system_ticks=12, resident_bytes=4096 * 4096, threads=9, minor_faults=5100, major_faults=7,
            voluntary_switches=88, involuntary_switches=9, read_bytes=40960, write_bytes=512,
        )
    ]  # fmt: skip


def test_bytes_are_none_without_the_right_and_the_rest_is_read(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.process(812, user=5, voluntary=1)
    (sample,) = read(ProcessesCollector(), tree, tree.worker(812))
    assert (sample.user_ticks, sample.voluntary_switches, sample.read_bytes, sample.write_bytes) == (5, 1, None, None)


def test_time_is_read_each_run_and_switches_within_five(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.process(812, user=100, voluntary=10)
    worker = tree.worker(812)
    collector = ProcessesCollector()
    read(collector, tree, worker)
    tree.process(812, user=150, voluntary=20)
    samples = [read(collector, tree, worker)[0] for _ in range(SLOW_EVERY)]
    assert [sample.user_ticks for sample in samples] == [150] * SLOW_EVERY
    switches = [sample.voluntary_switches or 0 for sample in samples]
    assert switches == sorted(switches)
    assert switches[-1] == 20


def test_a_worker_that_ends_is_left_out_and_the_others_stay(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.process(812)
    tree.process(813)
    workers = (tree.worker(812), tree.worker(813))
    collector = ProcessesCollector()
    assert len(read(collector, tree, *workers)) == 2
    tree.remove_process(812)
    assert [sample.entity for sample in read(collector, tree, *workers)] == ["worker:813:1000"]
    collector.close()


def test_a_pid_that_is_in_use_again_is_not_taken_for_the_worker(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.process(812, started=1000)
    old = tree.worker(812)
    collector = ProcessesCollector()
    assert len(read(collector, tree, old)) == 1
    tree.process(812, started=2000)
    assert read(collector, tree, old) == []
    assert [sample.entity for sample in read(collector, tree, tree.worker(812))] == ["worker:812:2000"]


def test_a_hidden_or_half_written_process_is_left_out(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.process(812)
    tree.process(813)
    workers = (tree.worker(812), tree.worker(813))
    tree.remove_process(812)
    tree.file("proc/813/stat", "813 (pyth")
    assert read(ProcessesCollector(), tree, *workers) == []


def test_this_process_is_read_and_its_descriptors_are_given_back() -> None:
    host = Host.real()
    stat = parse_stat(host.read("/proc/self/stat"))
    process = Process(key=WorkerKey(os.getpid(), stat.started), ppid=stat.ppid, uid=0, comm=stat.comm, argv=())
    worker = Worker(process=process, role=Role.WORKER, framework="fake", service="app", slot=0)
    tree = HostTree(Path("/nonexistent"))
    collector = ProcessesCollector()
    before = len(os.listdir("/proc/self/fd"))
    (sample,) = collector.collect(host, (tree.service(worker),))
    assert isinstance(sample, WorkerSample)
    assert sample.resident_bytes is not None
    assert sample.resident_bytes > 10_000_000
    assert (sample.user_ticks or 0) >= stat.user_ticks
    assert len(os.listdir("/proc/self/fd")) > before
    collector.close()
    assert len(os.listdir("/proc/self/fd")) == before
    assert msgspec.json.decode(msgspec.json.encode(sample))["entity"] == f"worker:{os.getpid()}:{stat.started}"
