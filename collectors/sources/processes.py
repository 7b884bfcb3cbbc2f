"""What does each watched worker use: CPU, memory, faults, switches, bytes?"""

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar

from collectors.collector import Collector
from collectors.entities import Service, Worker, WorkerKey
from collectors.host import Host
from collectors.kept import DescriptorBudget, RepeatedFile, WorkerStat
from collectors.procfs import parse_key_values
from collectors.sample import Sample, metric

TICK_SECONDS = 0.01
SLOW_EVERY = 5
"""Switches and bytes are read in every fifth run."""
SLOW_FILE_BYTES = 8192


class WorkerSample(Sample, frozen=True, kw_only=True, gc=False):
    """One process of a service."""

    kind: ClassVar[str] = "worker"
    doc: ClassVar[str] = "CPU, memory, faults, switches and bytes of one process of a service (/proc/PID)."

    user_ticks: Annotated[int | None, metric("seconds", "CPU time in user mode.", counter=True, scale=TICK_SECONDS)]
    system_ticks: Annotated[int | None, metric("seconds", "CPU time in the kernel.", counter=True, scale=TICK_SECONDS)]
    children_user_ticks: Annotated[
        int | None, metric("seconds", "User time of waited-for children.", counter=True, scale=TICK_SECONDS)
    ]
    children_system_ticks: Annotated[
        int | None, metric("seconds", "Kernel time of waited-for children.", counter=True, scale=TICK_SECONDS)
    ]
    resident_bytes: Annotated[int | None, metric("bytes", "Resident memory, shared pages included.")]
    threads: Annotated[int | None, metric("threads", "Threads, io_uring's kernel threads included.")]
    minor_faults: Annotated[int | None, metric("faults", "Page faults without a disk read.", counter=True)]
    major_faults: Annotated[int | None, metric("faults", "Page faults with a disk read.", counter=True)]
    voluntary_switches: Annotated[
        int | None, metric("switches", "Times the main thread gave the core away.", counter=True)
    ]
    involuntary_switches: Annotated[
        int | None, metric("switches", "Times the core was taken from the main thread.", counter=True)
    ]
    read_bytes: Annotated[int | None, metric("bytes", "Read from disks.", counter=True)]
    write_bytes: Annotated[int | None, metric("bytes", "Written to disks.", counter=True)]


class ProcessesCollector(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (WorkerSample,)
    cost: ClassVar[str] = "about 8 us per worker; switches and bytes are read every fifth run"
    needs: ClassVar[str] = "the worker's own user or CAP_SYS_PTRACE for bytes read and written, else nothing"

    def __init__(self) -> None:
        self._budget = DescriptorBudget.share(1 / 8)
        self._watched: dict[WorkerKey, _Watched | None] = {}
        self._run = 0

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        workers = {worker.key: worker for service in services for worker in service.workers}
        for key in self._watched.keys() - workers.keys():
            self._drop(key)
            del self._watched[key]
        samples = [self._sample(host, worker) for worker in workers.values()]
        self._run += 1
        return [sample for sample in samples if sample is not None]

    def _sample(self, host: Host, worker: Worker) -> WorkerSample | None:
        """None for a worker that is gone; it stays gone, as its pid may soon be another's."""
        try:
            if worker.key not in self._watched:
                self._watched[worker.key] = _Watched(host, worker.key, self._budget)
            watched = self._watched[worker.key]
            return None if watched is None else watched.sample(slow=(self._run + worker.pid) % SLOW_EVERY == 0)
        except (ProcessLookupError, FileNotFoundError, PermissionError):
            self._drop(worker.key)
            return None

    def _drop(self, key: WorkerKey) -> None:
        if (watched := self._watched.get(key)) is not None:
            watched.close()
        self._watched[key] = None

    def close(self) -> None:
        for key in self._watched:
            self._drop(key)


class _Watched:
    """The kept files of one worker and what they said last."""

    __slots__ = ("_budget", "_entity", "_folder", "_io", "_page_bytes", "_slow", "_stat", "_status")

    def __init__(self, host: Host, key: WorkerKey, budget: DescriptorBudget) -> None:
        self._entity = key.entity
        self._page_bytes = host.page_bytes
        self._stat = WorkerStat(host, key, budget)
        self._status: RepeatedFile | None = None
        self._io: RepeatedFile | None = None
        self._slow: dict[bytes, int] | None = None
        self._folder = f"{host.proc}/{key.pid}"
        self._budget = budget

    def sample(self, slow: bool) -> WorkerSample:
        """Raises ProcessLookupError once the worker is gone."""
        stat = self._stat.read()
        if self._slow is None:
            self._status = _open_if_allowed(f"{self._folder}/status", self._budget)
            self._io = _open_if_allowed(f"{self._folder}/io", self._budget)
        if slow or self._slow is None:
            self._slow = self._read_slow()
        return WorkerSample(
            entity=self._entity,
            user_ticks=stat.user_ticks,
            system_ticks=stat.system_ticks,
            children_user_ticks=stat.children_user_ticks,
            children_system_ticks=stat.children_system_ticks,
            resident_bytes=stat.resident_pages * self._page_bytes,
            threads=stat.threads,
            minor_faults=stat.minor_faults,
            major_faults=stat.major_faults,
            voluntary_switches=self._slow.get(b"voluntary_ctxt_switches"),
            involuntary_switches=self._slow.get(b"nonvoluntary_ctxt_switches"),
            read_bytes=self._slow.get(b"read_bytes"),
            write_bytes=self._slow.get(b"write_bytes"),
        )

    def _read_slow(self) -> dict[bytes, int]:
        values: dict[bytes, int] = {}
        if self._status is not None:
            status = self._status.read(SLOW_FILE_BYTES)
            values |= parse_key_values(status[max(status.find(b"\nvoluntary_ctxt_switches:"), 0) :])
        if self._io is not None:
            try:
                values |= parse_key_values(self._io.read(SLOW_FILE_BYTES))
            except PermissionError:  # opening needs the file's mode, reading needs ptrace rights as well
                self._io.close()
                self._io = None
        return values

    def close(self) -> None:
        for file in (self._stat, self._status, self._io):
            if file is not None:
                file.close()


def _open_if_allowed(path: str, budget: DescriptorBudget) -> RepeatedFile | None:
    """None where there is no such file, or no right to it."""
    try:
        return RepeatedFile(path, budget)
    except (FileNotFoundError, PermissionError):
        return None
