"""What do the cgroups of the watched workers allow them, and how often do they hit their limits?"""

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar

from collectors.cgroup_limits import (
    number,
    places_of,
    read_cpu_limit,
    read_cpus,
    read_memory_limit,
    read_weight,
)
from collectors.cgroup_paths import CgroupPlace, cgroup_entity, find_mounts
from collectors.collector import Collector
from collectors.entities import Service
from collectors.host import Host
from collectors.kept import DescriptorBudget, KeptFiles
from collectors.procfs import parse_key_values, stall_us
from collectors.sample import Sample, metric

LIMITS_EVERY = 5
"""Limits are read again in every fifth run."""


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
    memory_some_us: Annotated[
        int | None,
        metric("seconds", "At least one thread of that level waited for memory (version 2).", counter=True, scale=1e-6),
    ] = None
    memory_full_us: Annotated[
        int | None,
        metric("seconds", "All its threads that were not idle waited for memory.", counter=True, scale=1e-6),
    ] = None


class CgroupCollector(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (CgroupSample,)
    cost: ClassVar[str] = "about five small reads per distinct cgroup; its limits are read again every fifth run"

    def __init__(self) -> None:
        self._budget = DescriptorBudget.share(1 / 8)
        self._watched: dict[str, _Watched] = {}
        self._run = 0

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        cgroups = {
            cgroup_entity(worker.process.cgroups): worker.process.cgroups
            for service in services
            for worker in service.workers
            if worker.process.cgroups
        }
        for entity in self._watched.keys() - cgroups.keys():
            self._watched.pop(entity).files.close()
        new = [entity for entity in cgroups if entity not in self._watched]
        self._watched |= {entity: _Watched(self._budget) for entity in new}
        again = self._run % LIMITS_EVERY == 0
        self._run += 1
        if again or new:
            mounts = find_mounts(host)
            for entity in cgroups if again else new:
                self._watched[entity].read_limits(places_of(mounts, cgroups[entity]))
        return [self._watched[entity].sample(entity) for entity in cgroups]

    def close(self) -> None:
        for watched in self._watched.values():
            watched.files.close()


class _Watched:
    """One cgroup: its limits as last read, and kept descriptors for its counters."""

    __slots__ = ("cpu", "cpus", "files", "memory", "places", "weight")

    def __init__(self, budget: DescriptorBudget) -> None:
        self.files = KeptFiles(budget)

    def read_limits(self, places: dict[str, CgroupPlace]) -> None:
        cpu, memory, cpuset = (places.get(name) for name in ("cpu", "memory", "cpuset"))
        self.places = places
        self.cpu = None if cpu is None else read_cpu_limit(cpu)
        self.weight = None if cpu is None else read_weight(cpu)
        self.cpus = None if cpuset is None else read_cpus(cpuset)
        self.memory = None if memory is None else read_memory_limit(memory)

    def sample(self, entity: str) -> CgroupSample:
        throttling = self._throttling()
        memory = self._memory()
        return CgroupSample(
            entity=entity,
            quota_us=None if self.cpu is None else self.cpu.quota_us,
            period_us=None if self.cpu is None else self.cpu.period_us,
            weight=self.weight,
            periods=throttling.get(b"nr_periods"),
            throttled_periods=throttling.get(b"nr_throttled"),
            throttled_us=throttling.get(b"throttled_usec"),
            usage_us=self._usage_us(),
            cpus=self.cpus,
            memory_limit_bytes=None if self.memory is None else self.memory.limit_bytes,
            memory_current_bytes=memory.get("current"),
            memory_peak_bytes=memory.get("peak"),
            memory_limit_hits=memory.get("hits"),
            oom_kills=self._oom_kills(),
            memory_some_us=memory.get("some"),
            memory_full_us=memory.get("full"),
        )

    def _throttling(self) -> dict[bytes, int]:
        """nr_periods, nr_throttled and throttled_usec of the level whose quota holds."""
        if self.cpu is None:
            return {}
        values = self._values(f"{self.cpu.folder}/cpu.stat")
        if b"throttled_time" in values:  # version 1, in nanoseconds
            values[b"throttled_usec"] = values[b"throttled_time"] // 1000
        return values

    def _usage_us(self) -> int | None:
        cpu, accounting = self.places.get("cpu"), self.places.get("cpuacct")
        if cpu is not None and cpu.version == 2:
            return self._values(f"{cpu.levels[0]}/cpu.stat").get(b"usage_usec")
        if cpu is None or accounting is None or cpu.path != accounting.path:
            return None  # mounted apart and at another path, it counts other processes as well
        usage_ns = self._number(f"{accounting.levels[0]}/cpuacct.usage")
        return None if usage_ns is None else usage_ns // 1000

    def _memory(self) -> dict[str, int | None]:
        if self.memory is None:
            return {}
        folder = self.memory.folder
        if self.places["memory"].version == 2:
            hits = self._values(f"{folder}/memory.events").get(b"max")
            names = {"current": "memory.current", "peak": "memory.peak"}
            stalled = self.files.read_if_there(f"{folder}/memory.pressure") or b""
            return {"hits": hits, "some": stall_us(stalled, b"some"), "full": stall_us(stalled, b"full")} | {
                what: self._number(f"{folder}/{name}") for what, name in names.items()
            }
        hits = self._number(f"{folder}/memory.failcnt")
        names = {"current": "memory.usage_in_bytes", "peak": "memory.max_usage_in_bytes"}
        return {"hits": hits} | {what: self._number(f"{folder}/{name}") for what, name in names.items()}

    def _oom_kills(self) -> int | None:
        place = self.places.get("memory")
        if place is None:
            return None
        name = "memory.events" if place.version == 2 else "memory.oom_control"
        return self._values(f"{place.levels[0]}/{name}").get(b"oom_kill")

    def _values(self, path: str) -> dict[bytes, int]:
        return parse_key_values(self.files.read_if_there(path) or b"")

    def _number(self, path: str) -> int | None:
        return number(self.files.read_if_there(path))
