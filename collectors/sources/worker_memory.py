"""Which part of a worker's memory is its own, and which does it share with others?"""

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar

from collectors.collector import Collector
from collectors.entities import Service
from collectors.host import Host
from collectors.sample import Sample, metric


class WorkerMemorySample(Sample, frozen=True, kw_only=True, gc=False):
    """The mapped memory of one process, summed over its mappings."""

    kind: ClassVar[str] = "worker_memory"
    doc: ClassVar[str] = "What of a worker's memory is shared and what is its own (/proc/PID/smaps_rollup)."

    resident_bytes: Annotated[int | None, metric("bytes", "Resident memory, shared pages included.")]
    proportional_bytes: Annotated[int | None, metric("bytes", "Resident memory, shared pages by their share (PSS).")]
    private_bytes: Annotated[int | None, metric("bytes", "Pages that no other process has mapped (USS).")]
    private_dirty_bytes: Annotated[int | None, metric("bytes", "Of these, those that no file can give back.")]
    swapped_bytes: Annotated[int | None, metric("bytes", "What of it is in swap.")]


class WorkerMemoryCollector(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (WorkerMemorySample,)
    cadence_seconds: ClassVar[float] = 60.0
    cost: ClassVar[str] = "not measured yet"

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        return ()
