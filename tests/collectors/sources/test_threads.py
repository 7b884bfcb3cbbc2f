"""Do threads say what they ran and waited, at every turn of their life?"""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from collectors.entities import Process, Role, Worker, WorkerKey
from collectors.host import Host
from collectors.kept import DescriptorBudget
from collectors.procfs import parse_stat
from collectors.sample import Sample
from collectors.sources.threads import SLOW_EVERY, ThreadClassSample, ThreadSample, ThreadsCollector
from tests.hosttree import HostTree

MS = 1_000_000


class Watch:
    """A collector on one worker of a tree; each reading is a second after the one before."""

    def __init__(self, tree: HostTree, *workers: Worker) -> None:
        self.tree = tree
        self.workers = workers
        self.collector = ThreadsCollector()

    def read(self, seconds: float = 1) -> tuple[dict[int, ThreadSample], dict[str, ThreadClassSample]]:
        samples = self.collector.collect(self.tree.host, (self.tree.service(*self.workers),))
        self.tree.clock.advance(seconds)
        return sorted_out(list(samples))


def sorted_out(samples: Sequence[Sample]) -> tuple[dict[int, ThreadSample], dict[str, ThreadClassSample]]:
    single = {int(s.entity.rpartition(":")[2]): s for s in samples if isinstance(s, ThreadSample)}
    classes = {s.entity.rpartition(":")[2]: s for s in samples if isinstance(s, ThreadClassSample)}
    return single, classes


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    """Worker 812 with its main thread, one thread of a pool and one of io_uring."""
    tree = HostTree(tmp_path)
    tree.process(812, started=40211)
    tree.thread(812, 812, run_ns=100 * MS, delay_ns=10 * MS, timeslices=5)
    tree.thread(812, 813, name="omp-1", run_ns=200 * MS, delay_ns=20 * MS, timeslices=6, last_cpu=1, allowed="1")
    tree.thread(812, 814, name="iou-sqp-812", run_ns=0, delay_ns=0, timeslices=1)
    return tree


def test_a_thread_says_what_it_ran_where_it_ran_and_what_it_is(tree: HostTree) -> None:
    single, classes = Watch(tree, tree.worker(812)).read()
    assert single[813] == ThreadSample(
        entity="thread:812:40211:813", worker="worker:812:40211", name="omp-1", thread_class="compute", state="S",
        run_ns=200 * MS, delay_ns=20 * MS, timeslices=6, last_cpu=1, allowed_cpus="1", busy=None,
    )  # fmt: skip
    assert classes == {
        "main": ThreadClassSample(entity="worker:812:40211:main", run_ns=100 * MS, delay_ns=10 * MS, threads=1),
        "compute": ThreadClassSample(entity="worker:812:40211:compute", run_ns=200 * MS, delay_ns=20 * MS, threads=1),
        "kernel": ThreadClassSample(entity="worker:812:40211:kernel", run_ns=0, delay_ns=0, threads=1),
    }


def test_a_thread_is_busy_and_notable_from_a_twentieth_of_the_time_on(tree: HostTree) -> None:
    watch = Watch(tree, tree.worker(812))
    first, _ = watch.read()
    assert not first[812].notable
    tree.thread(812, 812, run_ns=149 * MS, timeslices=6)
    tree.thread(812, 813, name="omp-1", run_ns=250 * MS, timeslices=7, state="R", last_cpu=0)
    second, _ = watch.read()
    assert (second[812].busy, second[813].busy) == (0, 1)
    assert (second[813].state, second[813].last_cpu, second[813].notable) == ("R", 0, True)


def test_a_thread_that_falls_asleep_is_seen_asleep_and_then_costs_no_new_sample(tree: HostTree) -> None:
    watch = Watch(tree, tree.worker(812))
    watch.read()
    tree.thread(812, 812, run_ns=900 * MS, timeslices=9, state="R")
    assert watch.read()[0][812].state == "R"
    tree.thread(812, 812, run_ns=900 * MS, timeslices=9, state="D")
    third, fourth = watch.read()[0][812], watch.read()[0][812]
    assert (third.state, third.busy) == ("D", 0)
    assert fourth is third


def test_the_sum_of_a_class_keeps_the_time_of_threads_that_ended(tree: HostTree) -> None:
    watch = Watch(tree, tree.worker(812))
    watch.read()
    tree.thread(812, 815, name="omp-2", run_ns=50 * MS, delay_ns=5 * MS, timeslices=1)
    _, with_both = watch.read()
    assert (with_both["compute"].run_ns, with_both["compute"].threads) == (250 * MS, 2)
    tree.remove_thread(812, 813)
    single, after = watch.read()
    assert 813 not in single
    assert (after["compute"].run_ns, after["compute"].delay_ns, after["compute"].threads) == (250 * MS, 25 * MS, 1)


def test_a_thread_that_begins_and_one_that_ends_at_once_are_both_seen(tree: HostTree) -> None:
    watch = Watch(tree, tree.worker(812))
    watch.read()
    tree.remove_thread(812, 813)
    tree.thread(812, 816, name="omp-3", run_ns=7 * MS, timeslices=1)
    seen = [watch.read() for _ in range(SLOW_EVERY)]
    single, classes = seen[-1]
    assert set(single) == {812, 814, 816}
    assert (classes["compute"].run_ns, classes["compute"].threads) == (207 * MS, 1)
    sums = [classes["compute"].run_ns or 0 for _, classes in seen]
    assert sums == sorted(sums)


def test_a_new_name_and_new_cores_are_seen_within_five_runs(tree: HostTree) -> None:
    watch = Watch(tree, tree.worker(812))
    watch.read()
    tree.thread(812, 813, name="python", run_ns=200 * MS, delay_ns=20 * MS, timeslices=6, last_cpu=1, allowed="0-1")
    for _ in range(SLOW_EVERY):
        single, classes = watch.read()
    assert (single[813].name, single[813].allowed_cpus, single[813].thread_class) == ("python", "0-1", "python")
    assert (classes["compute"].threads, classes["python"].threads) == (0, 1)
    assert classes["compute"].run_ns == 200 * MS


def test_what_is_learned_of_the_worker_later_changes_the_class_of_its_threads(tree: HostTree) -> None:
    tree.thread(812, 817)
    watch = Watch(tree, tree.worker(812))
    assert watch.read()[0][817].thread_class == "python"
    watch.workers = (tree.worker(812, compute_libraries=("openblas",)),)
    assert watch.read()[0][817].thread_class == "compute"


@pytest.mark.parametrize("line", [None, "0 0 0\n"])
def test_without_schedstat_run_time_is_in_ticks_and_the_delay_is_not_known(tmp_path: Path, line: str | None) -> None:
    tree = HostTree(tmp_path)
    tree.process(812)
    (tmp_path / "proc/812/task/812/schedstat").unlink()
    tree.thread(812, 812, schedstat=False, user=30, system=12)
    if line is not None:
        tree.file("proc/812/task/812/schedstat", line)
    watch = Watch(tree, tree.worker(812))
    watch.read()
    tree.thread(812, 812, schedstat=False, user=60, system=12, state="R")
    single, classes = watch.read()
    assert (single[812].run_ns, single[812].delay_ns, single[812].timeslices) == (720 * MS, None, None)
    assert (single[812].busy, single[812].state) == (1, "R")
    assert (classes["main"].run_ns, classes["main"].delay_ns) == (720 * MS, None)


def test_workers_that_end_or_whose_pid_is_reused_give_nothing(tree: HostTree) -> None:
    tree.process(900)
    watch = Watch(tree, tree.worker(812), tree.worker(900))
    assert set(watch.read()[0]) == {812, 813, 814, 900}
    tree.remove_process(900)
    tree.process(812, started=50000)
    assert watch.read() == ({}, {})


def test_a_hostile_name_is_shown_harmless(tree: HostTree) -> None:
    tree.thread(812, 818, name=b"\x1b[2J) R (\n\xff", run_ns=1, timeslices=1)
    sample = Watch(tree, tree.worker(812)).read()[0][818]
    assert sample.name == "\\x1b[2J) R (\\x0a\\xff"
    assert sample.state == "S"


def test_without_descriptors_to_keep_the_same_is_read(tree: HostTree) -> None:
    watch = Watch(tree, tree.worker(812))
    watch.collector = ThreadsCollector(DescriptorBudget(0))
    before = len(os.listdir("/proc/self/fd"))
    watch.read()
    tree.thread(812, 813, name="omp-1", run_ns=300 * MS, delay_ns=20 * MS, timeslices=6)
    single, classes = watch.read()
    assert (single[813].run_ns, single[813].busy) == (300 * MS, 1)
    assert classes["compute"].run_ns == 300 * MS
    assert len(os.listdir("/proc/self/fd")) == before
    # The number of a thread that ended is used by a new one between two readings.
    tree.thread(812, 813, name="omp-1", run_ns=5 * MS, delay_ns=1 * MS, timeslices=1)
    assert watch.read()[1]["compute"].run_ns == 305 * MS


def test_descriptors_of_threads_and_workers_that_ended_are_given_back(tree: HostTree) -> None:
    before = len(os.listdir("/proc/self/fd"))
    watch = Watch(tree, tree.worker(812))
    watch.read()
    tree.remove_thread(812, 813)
    watch.read()
    assert len(os.listdir("/proc/self/fd")) == before + 3
    watch.workers = ()
    watch.read()
    assert len(os.listdir("/proc/self/fd")) == before


def test_threads_of_this_process_are_read_while_they_begin_and_end() -> None:
    host = Host.real()
    stat = parse_stat(host.read("/proc/self/stat"))
    process = Process(key=WorkerKey(os.getpid(), stat.started), ppid=stat.ppid, uid=0, comm=stat.comm, argv=())
    worker = Worker(process=process, role=Role.WORKER, framework="fake", service="app", slot=0)
    services = (HostTree(Path("/nonexistent")).service(worker),)
    collector = ThreadsCollector()
    release = threading.Event()
    extra = [threading.Thread(target=release.wait) for _ in range(3)]
    before, _ = sorted_out(list(collector.collect(host, services)))
    for thread in extra:
        thread.start()
    during, sums = sorted_out(list(collector.collect(host, services)))
    release.set()
    for thread in extra:
        thread.join()
    assert {thread.native_id for thread in extra} == during.keys() - before.keys()
    assert os.getpid() in before
    assert (sums["main"].run_ns or 0) > 0
    assert sums["main"].threads == 1
    collector.close()
