"""How often did the node fault pages in, swap, or kill a process for memory?"""

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar

from collectors.collector import Collector
from collectors.entities import Service
from collectors.host import Host
from collectors.kept import KeptFiles
from collectors.reading import Unreadable
from collectors.sample import Sample, metric


class VmSample(Sample, frozen=True, kw_only=True, gc=False):
    """Events of the node's memory management since boot."""

    kind: ClassVar[str] = "vm"
    doc: ClassVar[str] = "Page faults, swapping and OOM kills of the node (/proc/vmstat)."

    page_faults: Annotated[int | None, metric("faults", "Page faults, minor and major.", counter=True)]
    major_faults: Annotated[int | None, metric("faults", "Page faults that had to read from a disk.", counter=True)]
    swap_in_pages: Annotated[int | None, metric("pages", "Pages read from swap.", counter=True)]
    swap_out_pages: Annotated[int | None, metric("pages", "Pages written to swap.", counter=True)]
    oom_kills: Annotated[int | None, metric("processes", "Processes that the kernel killed for memory.", counter=True)]


class VmstatCollector(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (VmSample,)
    cost: ClassVar[str] = "one read of /proc/vmstat"

    def __init__(self) -> None:
        self._files = KeptFiles()

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        try:
            data = self._files.read(f"{host.proc}/vmstat")
        except FileNotFoundError as error:
            raise Unreadable("no /proc/vmstat", "run on a kernel with CONFIG_VM_EVENT_COUNTERS") from error
        return (
            VmSample(
                entity="node",
                page_faults=_value(data, b"\npgfault "),
                major_faults=_value(data, b"\npgmajfault "),
                swap_in_pages=_value(data, b"\npswpin "),
                swap_out_pages=_value(data, b"\npswpout "),
                oom_kills=_value(data, b"\noom_kill "),
            ),
        )

    def close(self) -> None:
        self._files.close()


def _value(data: bytes, label: bytes) -> int | None:
    """The number after `label`, which begins with the end of the line before: the file has 150 lines, we want five."""
    at = data.find(label)
    number = data[at + len(label) : data.find(b"\n", at + 1)]
    return int(number) if at >= 0 and number.isdigit() else None
