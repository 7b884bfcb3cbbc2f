"""A second collector of the same process, asked less often."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from collectors.collector import Collector
from collectors.entities import Service
from collectors.gpu.samples import GpuHealthSample, nothing_known
from collectors.host import Host
from collectors.sample import Sample


class SlowTwin(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (GpuHealthSample,)
    cadence_seconds: ClassVar[float] = 10.0
    process: ClassVar[str | None] = "steered"
    cost: ClassVar[str] = "nothing"

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        return [nothing_known(GpuHealthSample, "gpu:GPU-1", energy_mj=5)]
