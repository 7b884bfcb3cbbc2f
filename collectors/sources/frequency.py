"""How fast does each core run, how fast could it, and what holds it down?"""

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar

from collectors.collector import Collector
from collectors.entities import Service
from collectors.host import Host
from collectors.sample import Sample, metric


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
    cost: ClassVar[str] = "not measured yet"

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        return ()
