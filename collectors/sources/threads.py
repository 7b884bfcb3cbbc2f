"""Which threads run, and how long do they wait for a core?"""

import os
from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar

from collectors.collector import Collector
from collectors.entities import Service, Worker, WorkerKey
from collectors.host import Host
from collectors.kept import DescriptorBudget, WorkerStat
from collectors.sample import Sample, Tier, metric
from collectors.thread_class import classify_thread
from collectors.watched_thread import WatchedThread, has_schedstat

SLOW_EVERY = 5
"""Threads are listed, and each thread's name and allowed cores are read again, within this many runs."""
REFRESH_LIMIT = 64
"""At most this many names and masks of one worker are read in one run."""
GONE = (ProcessLookupError, FileNotFoundError)


class ThreadSample(Sample, frozen=True, kw_only=True, gc=False):
    """One thread of a watched worker."""

    kind: ClassVar[str] = "thread"
    doc: ClassVar[str] = (
        "Run time, run-queue delay and placement of one thread (/proc/PID/task/TID); stored while busy."
    )
    tier: ClassVar[Tier] = "notable"

    worker: Annotated[str, metric("", "Entity of the worker.")]
    name: Annotated[str | None, metric("", "Name of the thread, at most 15 bytes.")]
    thread_class: Annotated[str, metric("", "main, compute, python, io or kernel.")]
    state: Annotated[str | None, metric("", "State letter of the kernel: R, S, D, …")]
    run_ns: Annotated[int | None, metric("seconds", "Time on a core.", counter=True, scale=1e-9)]
    delay_ns: Annotated[int | None, metric("seconds", "Time runnable without a core.", counter=True, scale=1e-9)]
    timeslices: Annotated[int | None, metric("slices", "Times it was put on a core.", counter=True)]
    last_cpu: Annotated[int | None, metric("core", "Core on which it ran last.")]
    allowed_cpus: Annotated[str | None, metric("", "Cores on which it may run, as a list such as 0-3.")]
    busy: Annotated[
        int | None,
        metric("flag", "1 if it ran, or waited for a core, at least 5 % of the time since the previous reading."),
    ]

    @property
    def notable(self) -> bool:
        return bool(self.busy)


class ThreadClassSample(Sample, frozen=True, kw_only=True, gc=False):
    """All threads of one class of one worker; the time of threads that ended stays in the sums."""

    kind: ClassVar[str] = "thread_class"
    doc: ClassVar[str] = "Run time and run-queue delay of a worker's threads by class."

    run_ns: Annotated[int | None, metric("seconds", "Time on cores.", counter=True, scale=1e-9)]
    delay_ns: Annotated[int | None, metric("seconds", "Time runnable without a core.", counter=True, scale=1e-9)]
    threads: Annotated[int | None, metric("threads", "Threads of the class that live now.")]


class ThreadsCollector(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (ThreadSample, ThreadClassSample)
    cost: ClassVar[str] = "about 1 us per sleeping and 8 us per running thread"
    needs: ClassVar[str] = "a kernel with CONFIG_SCHED_INFO for run-queue delay, else nothing"

    def __init__(self, budget: DescriptorBudget | None = None) -> None:
        self._budget = budget or DescriptorBudget.share(1 / 2)
        self._watched: dict[WorkerKey, _WatchedWorker | None] = {}

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        workers = {worker.key: worker for service in services for worker in service.workers}
        for key in self._watched.keys() - workers.keys():
            self._drop(key)
            del self._watched[key]
        samples: list[Sample] = []
        for worker in workers.values():
            samples += self._samples(host, worker)
        return samples

    def _samples(self, host: Host, worker: Worker) -> list[Sample]:
        """Nothing for a worker that is gone; it stays gone, as its pid may soon be another's."""
        try:
            if worker.key not in self._watched:
                self._watched[worker.key] = _WatchedWorker(host, worker, self._budget)
            watched = self._watched[worker.key]
            return [] if watched is None else watched.samples(worker, host.clock.now().mono_ns)
        except (*GONE, PermissionError):
            self._drop(worker.key)
            return []

    def _drop(self, key: WorkerKey) -> None:
        if (watched := self._watched.get(key)) is not None:
            watched.close()
        self._watched[key] = None

    def close(self) -> None:
        for key in self._watched:
            self._drop(key)


class _ClassSum:
    """Time of all threads of one class, those that ended included."""

    __slots__ = ("delay_ns", "entity", "run_ns", "thread_class", "threads")

    def __init__(self, worker: Worker, thread_class: str) -> None:
        self.thread_class = thread_class
        self.entity = f"{worker.key.entity}:{thread_class}"
        self.run_ns = 0
        self.delay_ns: int | None = None
        self.threads = 0

    def add(self, reading: WatchedThread, run_before: int, delay_before: int) -> None:
        # A counter that fell is another thread with the same number, seen without a kept descriptor.
        self.run_ns += reading.run_ns - (run_before if reading.run_ns >= run_before else 0)
        if reading.delay_ns is not None:
            known = delay_before if reading.delay_ns >= delay_before else 0
            self.delay_ns = (self.delay_ns or 0) + reading.delay_ns - known

    def sample(self) -> ThreadClassSample:
        return ThreadClassSample(entity=self.entity, run_ns=self.run_ns, delay_ns=self.delay_ns, threads=self.threads)


class _Thread:
    """A thread, the sum of its class, and its last sample: while it sleeps, that one is given out again."""

    __slots__ = ("entity", "reading", "sample", "total")

    def __init__(self, entity: str, reading: WatchedThread, total: _ClassSum) -> None:
        self.entity = entity
        self.reading = reading
        self.total = total
        self.sample: ThreadSample | None = None


class _WatchedWorker:
    """The threads of one worker and the sums of their classes."""

    def __init__(self, host: Host, worker: Worker, budget: DescriptorBudget) -> None:
        self._worker = worker
        self._entity = worker.key.entity
        self._budget = budget
        self._stat = WorkerStat(host, worker.key, budget)
        self._folder = f"{host.proc}/{worker.pid}/task"
        counted = has_schedstat(f"{self._folder}/{worker.pid}")
        self._tick_ns = None if counted else 1_000_000_000 // host.ticks_per_second
        self._threads: dict[int, _Thread] = {}
        self._sums: dict[str, _ClassSum] = {}
        self._run = 0
        self._thread_count = 0
        self._read_at_ns: int | None = None
        self._to_refresh: list[_Thread] = []

    def samples(self, worker: Worker, now_ns: int) -> list[Sample]:
        """Raises ProcessLookupError once the worker is gone."""
        thread_count = self._stat.read().threads
        self._refresh(worker)
        if thread_count != self._thread_count or self._run % SLOW_EVERY == 0:
            self._list()
            self._thread_count = thread_count
        elapsed_ns = None if self._read_at_ns is None else now_ns - self._read_at_ns
        self._read_at_ns = now_ns
        self._run += 1
        samples: list[Sample] = []
        for thread in tuple(self._threads.values()):
            try:
                samples.append(self._read(thread, elapsed_ns))
            except GONE:
                self._forget(thread)
        samples += [total.sample() for total in self._sums.values()]
        return samples

    def _read(self, thread: _Thread, elapsed_ns: int | None) -> ThreadSample:
        reading = thread.reading
        run_before, delay_before = reading.run_ns, reading.delay_ns
        if reading.read(elapsed_ns):
            thread.total.add(reading, run_before, delay_before or 0)
        elif thread.sample is not None:
            return thread.sample
        thread.sample = ThreadSample(
            entity=thread.entity,
            worker=self._entity,
            name=reading.name,
            thread_class=thread.total.thread_class,
            state=reading.state,
            run_ns=reading.run_ns,
            delay_ns=reading.delay_ns,
            timeslices=reading.timeslices,
            last_cpu=reading.last_cpu,
            allowed_cpus=reading.allowed_cpus,
            busy=reading.busy,
        )
        return thread.sample

    def _list(self) -> None:
        tids = {int(name) for name in os.listdir(self._folder)}
        for tid in self._threads.keys() - tids:
            self._forget(self._threads[tid])
        for tid in sorted(tids - self._threads.keys()):
            try:
                reading = WatchedThread(f"{self._folder}/{tid}", tid, self._tick_ns, self._budget)
            except GONE:
                continue
            total = self._sum_for(reading)
            total.threads += 1
            self._threads[tid] = _Thread(f"thread:{self._entity.removeprefix('worker:')}:{tid}", reading, total)

    def _refresh(self, worker: Worker) -> None:
        """Read name and cores of a fifth of the threads; class them all again where more is known of the worker."""
        if worker != self._worker:
            self._worker = worker
            for thread in self._threads.values():
                self._reclassify(thread)
        self._to_refresh = self._to_refresh or list(self._threads.values())
        for _ in range(min(-(-len(self._threads) // SLOW_EVERY), REFRESH_LIMIT, len(self._to_refresh))):
            thread = self._to_refresh.pop()
            try:
                if thread.reading.tid in self._threads and thread.reading.read_status():
                    self._reclassify(thread)
            except GONE:
                pass  # its next reading finds that out and forgets it

    def _reclassify(self, thread: _Thread) -> None:
        thread.total.threads -= 1
        thread.total = self._sum_for(thread.reading)
        thread.total.threads += 1
        thread.sample = None

    def _sum_for(self, reading: WatchedThread) -> _ClassSum:
        thread_class = classify_thread(reading.name or "", reading.tid, self._worker)
        if thread_class not in self._sums:
            self._sums[thread_class] = _ClassSum(self._worker, thread_class)
        return self._sums[thread_class]

    def _forget(self, thread: _Thread) -> None:
        del self._threads[thread.reading.tid]
        thread.total.threads -= 1
        thread.reading.close()

    def close(self) -> None:
        self._stat.close()
        for thread in self._threads.values():
            thread.reading.close()
