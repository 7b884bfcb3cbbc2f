"""What is each AWS Neuron device doing, how much of its memory is used, and by which processes?"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from collectors.collector import Collector
from collectors.entities import Service
from collectors.gpu.neuron_here import neuron_is_here, program
from collectors.gpu.samples import GpuProcessSample, GpuSample
from collectors.host import Host
from collectors.sample import Sample

if TYPE_CHECKING:
    from collectors.gpu.namespace import Namespace
    from collectors.gpu.neuron.monitor import Monitor


class NeuronCollector(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (GpuSample, GpuProcessSample)
    process: ClassVar[str | None] = "neuron"
    cost: ClassVar[str] = "not measured: known from documentation; a report of neuron-monitor, which runs all the time"
    needs: ClassVar[str] = (
        "the Neuron driver and neuron-monitor (aws-neuronx-tools); the host's PID namespace to name processes"
    )

    def __init__(self) -> None:
        self._monitor: Monitor | None = None
        self._namespace: Namespace | None = None

    def present(self, host: Host) -> None:
        neuron_is_here(host)

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        from collectors.gpu.namespace import Namespace
        from collectors.gpu.neuron.device_now import devices_now
        from collectors.gpu.neuron.monitor import monitor_of

        if self._namespace is None:
            self._namespace = Namespace(host)
        self._monitor = monitor_of(program(host))
        report = self._monitor.report(host.clock.now().mono_ns)
        return devices_now(report, host, self._namespace)

    def close(self) -> None:
        if self._monitor is not None:
            self._monitor.close()
