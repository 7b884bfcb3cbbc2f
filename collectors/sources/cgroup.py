"""What do the cgroups of the watched workers allow them, and how often do they hit their limits?"""

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar

from collectors.collector import Collector
from collectors.entities import Service
from collectors.host import Host
from collectors.sample import Sample, metric


class CgroupSample(Sample, frozen=True, kw_only=True, gc=False):
    """Limits of one cgroup and what came of them. None also where the path cannot be reached from here."""

    kind: ClassVar[str] = "cgroup"
    doc: ClassVar[str] = "CPU and memory limits of a watched worker's cgroup, version 1 or 2, and how often they bit."

    quota_us: Annotated[
        int | None,
        metric("seconds", "CPU time per period of the tightest level; none = no limit.", scale=1e-6),
    ]
    period_us: Annotated[int | None, metric("seconds", "Period of that quota.", scale=1e-6)]
    weight: Annotated[int | None, metric("weight", "cpu.weight (version 2) or cpu.shares (version 1).")]
    periods: Annotated[int | None, metric("periods", "Periods in which the level had something to run.", counter=True)]
    throttled_periods: Annotated[int | None, metric("periods", "Periods in which the quota ran out.", counter=True)]
    throttled_us: Annotated[
        int | None,
        metric("seconds", "Time during which threads were held back by the quota.", counter=True, scale=1e-6),
    ]
    usage_us: Annotated[int | None, metric("seconds", "CPU time used by the cgroup.", counter=True, scale=1e-6)]
    cpus: Annotated[str | None, metric("", "Cores on which the cgroup may run, as a list such as 0-3.")]
    memory_limit_bytes: Annotated[int | None, metric("bytes", "Memory limit of the tightest level; none = no limit.")]
    memory_current_bytes: Annotated[int | None, metric("bytes", "Memory charged to that level, page cache included.")]
    memory_peak_bytes: Annotated[int | None, metric("bytes", "Highest memory charge of that level.")]
    memory_limit_hits: Annotated[int | None, metric("hits", "Times that level was at its limit.", counter=True)]
    oom_kills: Annotated[int | None, metric("processes", "Processes of the cgroup killed for memory.", counter=True)]


class CgroupCollector(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (CgroupSample,)
    cost: ClassVar[str] = "about five small reads per distinct cgroup; its limits are read again every fifth run"

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        return ()
