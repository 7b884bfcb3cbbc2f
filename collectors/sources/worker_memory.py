"""Which part of a worker's memory is its own, and which does it share with others?"""

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar

from collectors.collector import Collector
from collectors.entities import Role, Service, WorkerKey
from collectors.host import Host
from collectors.inside.memory import GONE, ProcessMemory, read_memory
from collectors.reading import Unreadable, Unsupported
from collectors.sample import Sample, metric

LOOK_SECONDS = 60.0
"""At least so long between two looks at one worker."""
PAUSE = 1000.0
"""A worker is left alone for so many times as long as the look at it took."""
RUN_SECONDS = 0.1
"""A run that has taken so long leaves the other workers to the next one."""


class WorkerMemorySample(Sample, frozen=True, kw_only=True, gc=False):
    """The mapped memory of one process, summed over its mappings."""

    kind: ClassVar[str] = "worker_memory"
    doc: ClassVar[str] = (
        "What of a worker's memory is shared and what is its own (/proc/PID/smaps_rollup), as of the last look at it, "
        "which is a minute old at most for a worker below 6 GB."
    )

    resident_bytes: Annotated[int | None, metric("bytes", "Resident memory, shared pages included.")]
    proportional_bytes: Annotated[int | None, metric("bytes", "Resident memory, shared pages by their share (PSS).")]
    private_bytes: Annotated[int | None, metric("bytes", "Pages that no other process has mapped (USS).")]
    private_dirty_bytes: Annotated[int | None, metric("bytes", "Of these, those that no file can give back.")]
    swapped_bytes: Annotated[int | None, metric("bytes", "What of it is in swap.")]


class WorkerMemoryCollector(Collector):
    """Looks into one process after the other, with this process's own rights or through the sidecar (`Host.memory_of`)."""

    samples: ClassVar[tuple[type[Sample], ...]] = (WorkerMemorySample,)
    cadence_seconds: ClassVar[float] = 10.0
    own_thread: ClassVar[bool] = True
    cost: ClassVar[str] = (
        "10 ms of the kernel's time for each GB of a worker's resident memory in pages of 4 KiB, 0.2 ms in huge pages, once a "
        "minute or, above 6 GB, in so many minutes that it stays below a thousandth of a core; about 0.1 s a run at most, "
        "and never a worker above 64 GiB"
    )
    needs: ClassVar[str] = "the servers' own user, or CAP_SYS_PTRACE (the sidecar)"

    def __init__(self) -> None:
        self._due: dict[WorkerKey, int] = {}
        self._known: dict[WorkerKey, ProcessMemory | Unsupported] = {}

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        keys = {w.key for s in services for w in s.workers if w.role in (Role.WORKER, Role.FRONT_END)}
        for key in self._known.keys() - keys:
            del self._known[key], self._due[key]
        self._look_at(host, sorted(keys, key=lambda key: (self._due.get(key, 0), key)))
        found = [_sample(key, one) for key, one in sorted(self._known.items()) if isinstance(one, ProcessMemory)]
        why = next((one for one in self._known.values() if isinstance(one, Unsupported) and one != GONE), None)
        if not found and why is not None:
            raise Unreadable(why.reason, why.hint)
        return found

    def _look_at(self, host: Host, keys: Sequence[WorkerKey]) -> None:
        """At those that are due, the longest overdue first, until the time of a run is used up."""
        began = now = host.clock.now().mono_ns
        for key in keys:
            if self._due.get(key, 0) > now or (now - began) * 1e-9 > RUN_SECONDS:
                break
            self._known[key] = host.memory_of(key) if host.memory_of is not None else read_memory(host, key)
            ended = host.clock.now().mono_ns
            self._due[key] = ended + round(max(LOOK_SECONDS * 1e9, PAUSE * (ended - now)))
            now = ended


def _sample(key: WorkerKey, one: ProcessMemory) -> WorkerMemorySample:
    return WorkerMemorySample(
        entity=key.entity,
        resident_bytes=one.resident_bytes,
        proportional_bytes=one.proportional_bytes,
        private_bytes=one.private_bytes,
        private_dirty_bytes=one.private_dirty_bytes,
        swapped_bytes=one.swapped_bytes,
    )
