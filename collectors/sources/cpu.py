"""How busy was each core, and how often did the node switch between threads?"""

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar

from collectors.collector import Collector
from collectors.entities import Service
from collectors.host import Host
from collectors.kept import KeptFiles
from collectors.procfs import parse_key_values
from collectors.sample import Sample, metric

TICK_SECONDS = 0.01


class CoreSample(Sample, frozen=True, kw_only=True, gc=False):
    """Time that one logical core spent in each state since boot."""

    kind: ClassVar[str] = "core"
    doc: ClassVar[str] = "Time of one logical core by state (/proc/stat)."

    user_ticks: Annotated[
        int | None, metric("seconds", "In user mode, niced included.", counter=True, scale=TICK_SECONDS)
    ]
    system_ticks: Annotated[int | None, metric("seconds", "In the kernel.", counter=True, scale=TICK_SECONDS)]
    iowait_ticks: Annotated[
        int | None, metric("seconds", "Idle while a disk request was open.", counter=True, scale=TICK_SECONDS)
    ]
    irq_ticks: Annotated[
        int | None, metric("seconds", "In interrupts, hard and soft.", counter=True, scale=TICK_SECONDS)
    ]
    steal_ticks: Annotated[
        int | None, metric("seconds", "Taken by the hypervisor for others.", counter=True, scale=TICK_SECONDS)
    ]
    idle_ticks: Annotated[int | None, metric("seconds", "Idle.", counter=True, scale=TICK_SECONDS)]


class NodeCpuSample(Sample, frozen=True, kw_only=True, gc=False):
    """What the scheduler of the whole node did since boot, and how many threads it has to run now."""

    kind: ClassVar[str] = "node_cpu"
    doc: ClassVar[str] = "Forks, context switches and runnable threads of the node (/proc/stat)."

    forks: Annotated[int | None, metric("processes", "Processes and threads created.", counter=True)]
    context_switches: Annotated[int | None, metric("switches", "Context switches on all cores.", counter=True)]
    running: Annotated[int | None, metric("threads", "Runnable threads.")]
    blocked: Annotated[int | None, metric("threads", "Threads that wait for a disk.")]


class CpuCollector(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (CoreSample, NodeCpuSample)
    cost: ClassVar[str] = "one read of /proc/stat; grows with the number of cores and interrupts"

    def __init__(self) -> None:
        self._files = KeptFiles()
        self._entities: dict[bytes, str] = {}

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        data = self._files.read(f"{host.proc}/stat")
        cores, _, rest = data.partition(b"\nintr ")
        samples: list[Sample] = []
        for line in cores.split(b"\n"):
            label, *ticks = line.split() or [b""]
            if label != b"cpu" and label.startswith(b"cpu") and len(ticks) >= 8:
                samples.append(self._core(label, [int(tick) for tick in ticks]))
        samples.append(_node(rest))
        return samples

    def _core(self, label: bytes, ticks: list[int]) -> CoreSample:
        entity = self._entities.get(label)
        if entity is None:
            entity = self._entities[label] = f"core:{int(label[3:])}"
        user, nice, system, idle, iowait, irq, softirq, steal = ticks[:8]
        return CoreSample(
            entity=entity,
            user_ticks=user + nice,
            system_ticks=system,
            iowait_ticks=iowait,
            irq_ticks=irq + softirq,
            steal_ticks=steal,
            idle_ticks=idle,
        )

    def close(self) -> None:
        self._files.close()


def _node(rest: bytes) -> NodeCpuSample:
    """From the lines after `intr`, which is long and of no interest."""
    values = parse_key_values(rest[rest.find(b"\n") + 1 : rest.find(b"\nsoftirq ")])
    return NodeCpuSample(
        entity="node",
        forks=values.get(b"processes"),
        context_switches=values.get(b"ctxt"),
        running=values.get(b"procs_running"),
        blocked=values.get(b"procs_blocked"),
    )
