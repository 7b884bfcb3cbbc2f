"""How much memory does the node have, and how much is left?"""

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar

from collectors.collector import Collector
from collectors.entities import Service
from collectors.host import Host
from collectors.kept import KeptFiles
from collectors.procfs import parse_key_values
from collectors.sample import Sample, metric

KIB = 1024.0


class MemorySample(Sample, frozen=True, kw_only=True, gc=False):
    """Memory and swap of the node."""

    kind: ClassVar[str] = "memory"
    doc: ClassVar[str] = "Memory and swap of the node (/proc/meminfo)."

    total_kib: Annotated[int | None, metric("bytes", "Memory that the kernel manages.", scale=KIB)]
    available_kib: Annotated[int | None, metric("bytes", "What programs can get without swapping.", scale=KIB)]
    free_kib: Annotated[int | None, metric("bytes", "Used for nothing at all.", scale=KIB)]
    cached_kib: Annotated[int | None, metric("bytes", "Page cache.", scale=KIB)]
    swap_total_kib: Annotated[int | None, metric("bytes", "Swap space.", scale=KIB)]
    swap_free_kib: Annotated[int | None, metric("bytes", "Unused swap space.", scale=KIB)]


class MemoryCollector(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (MemorySample,)
    cost: ClassVar[str] = "one read of /proc/meminfo"

    def __init__(self) -> None:
        self._files = KeptFiles()

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        data = self._files.read(f"{host.proc}/meminfo")
        end = data.find(b"\n", data.find(b"\nSwapFree:") + 1)
        values = parse_key_values(data[: end if end > 0 else None])
        return (
            MemorySample(
                entity="node",
                total_kib=values.get(b"MemTotal"),
                available_kib=values.get(b"MemAvailable"),
                free_kib=values.get(b"MemFree"),
                cached_kib=values.get(b"Cached"),
                swap_total_kib=values.get(b"SwapTotal"),
                swap_free_kib=values.get(b"SwapFree"),
            ),
        )

    def close(self) -> None:
        self._files.close()
