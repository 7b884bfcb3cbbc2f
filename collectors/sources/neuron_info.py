"""What is each AWS Neuron device: its kind, its cores, and what of it cannot be read?"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from collectors.collector import Collector
from collectors.entities import Service
from collectors.gpu.neuron_here import neuron_is_here, program
from collectors.gpu.samples import GpuInfoSample
from collectors.host import Host
from collectors.sample import Sample

if TYPE_CHECKING:
    from collectors.gpu.neuron.monitor import Monitor


class NeuronInfoCollector(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (GpuInfoSample,)
    cadence_seconds: ClassVar[float] = 60.0
    process: ClassVar[str | None] = "neuron"
    cost: ClassVar[str] = "as neuron, whose report it reads"
    needs: ClassVar[str] = "as neuron"

    def __init__(self) -> None:
        self._monitor: Monitor | None = None

    def present(self, host: Host) -> None:
        neuron_is_here(host)

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        from collectors.gpu.neuron.info import devices_info
        from collectors.gpu.neuron.monitor import monitor_of

        self._monitor = monitor_of(program(host))
        return devices_info(self._monitor.awaited(host.clock), host)

    def close(self) -> None:
        if self._monitor is not None:
            self._monitor.close()
