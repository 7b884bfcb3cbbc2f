"""How fast does each core run, how fast could it, and what holds it down?"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Annotated, ClassVar

from collectors.clock_limits import ClockLimits, clock, core_folder, count, read_limits
from collectors.collector import Collector
from collectors.cpulist import parse_cpulist
from collectors.entities import Service, WorkerKey
from collectors.host import Host
from collectors.kept import DescriptorBudget, KeptFiles
from collectors.procfs import parse_status_fields
from collectors.reading import Unreadable
from collectors.sample import Sample, metric

MOST_CORES = 64
LIMITS_EVERY = 12
"""Limits, governors and masks are read again in every twelfth run."""


class FrequencySample(Sample, frozen=True, kw_only=True, gc=False):
    """The clock of one logical core. None = this host does not tell, as most virtual machines."""

    kind: ClassVar[str] = "frequency"
    doc: ClassVar[str] = (
        "Clock of one logical core, its limits, and how often heat held it down (/sys/devices/system/cpu)."
    )

    current_khz: Annotated[int | None, metric("hertz", "Clock now.", scale=1e3)]
    base_khz: Annotated[int | None, metric("hertz", "Clock that it keeps under any load, by its maker.", scale=1e3)]
    limit_khz: Annotated[int | None, metric("hertz", "Highest clock that the governor may choose.", scale=1e3)]
    maximum_khz: Annotated[int | None, metric("hertz", "Highest clock that the core can have.", scale=1e3)]
    throttle_events: Annotated[int | None, metric("events", "Times that heat slowed the core.", counter=True)]
    governor: Annotated[str | None, metric("", "Governor: performance, powersave, schedutil, …")]


class FrequencyCollector(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (FrequencySample,)
    cadence_seconds: ClassVar[float] = 5.0
    # Linux 4.13 to 5.17 on x86 sleep 10 ms and interrupt the core for each clock that was not asked for within the last
    # second; later kernels tell what the scheduler's tick has seen.
    own_thread: ClassVar[bool] = True
    cost: ClassVar[str] = (
        "about 12 us a core on which watched workers may run, at most 64 cores; before Linux 5.18 each core is "
        "interrupted once and its reader waits 10 ms for it"
    )
    needs: ClassVar[str] = "a cpufreq driver, which virtual machines mostly lack"

    def __init__(self) -> None:
        self._files = KeptFiles(DescriptorBudget.share(1 / 16))
        self._limits: dict[int, ClockLimits] = {}
        self._workers: frozenset[WorkerKey] = frozenset()
        self._run = 0

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        workers = frozenset(worker.key for service in services for worker in service.serving)
        if self._run % LIMITS_EVERY == 0 or workers != self._workers:
            cpus, self._workers = _cpus_of(host, workers), workers
            self._limits = {cpu: read_limits(host, cpu) for cpu in cpus}
        self._run += 1
        found = {cpu: sample for cpu in self._limits if (sample := self._sample(host, cpu)) is not None}
        self._limits = {cpu: self._limits[cpu] for cpu in found}  # the others are asked again with the limits
        if not found:
            raise Unreadable(
                "no clock of any core", "load a cpufreq driver; in a virtual machine only its host can tell"
            )
        return tuple(found.values())

    def _sample(self, host: Host, cpu: int) -> FrequencySample | None:
        """None for a core that tells neither its clock nor its heat, as one that is offline."""
        folder = core_folder(host, cpu)
        current = clock(self._files.read_if_there(f"{folder}/cpufreq/scaling_cur_freq"))
        events = count(self._files.read_if_there(f"{folder}/thermal_throttle/core_throttle_count"))
        if current is None and events is None:
            return None
        limits = self._limits[cpu]
        return FrequencySample(
            entity=f"core:{cpu}",
            current_khz=current,
            base_khz=limits.base_khz,
            limit_khz=limits.limit_khz,
            maximum_khz=limits.maximum_khz,
            throttle_events=events,
            governor=limits.governor,
        )

    def close(self) -> None:
        self._files.close()


def _cpus_of(host: Host, workers: frozenset[WorkerKey]) -> tuple[int, ...]:
    """Cores on which the workers may run, evenly spread where there are more than we look at; without workers one core, which
    shows whether the host tells. Raises Unreadable where the host does not say which cores are online."""
    listed = host.need(f"{host.sys}/devices/system/cpu/online", "no list of cores", "mount sysfs on /sys")
    online = parse_cpulist(listed)
    allowed: set[int] = set()
    for key in workers:
        with suppress(OSError):  # it has ended
            status = host.read(f"{host.proc}/{key.pid}/status")
            allowed |= parse_cpulist(parse_status_fields(status, "Cpus_allowed_list").get("Cpus_allowed_list", ""))
    cpus = sorted(online & allowed) or sorted(online)[:1]
    return tuple(cpus[:: -(-len(cpus) // MOST_CORES)])
