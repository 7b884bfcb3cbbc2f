"""What is each NVIDIA GPU: its model, its limits, where it is plugged in, and what of it cannot be read?"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from collectors.collector import Collector
from collectors.entities import Service
from collectors.gpu.nvidia_here import nvidia_is_here
from collectors.gpu.samples import GpuInfoSample
from collectors.host import Host
from collectors.sample import Sample

if TYPE_CHECKING:
    from collectors.gpu.nvml.each import EachDevice


class NvidiaInfoCollector(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (GpuInfoSample,)
    cadence_seconds: ClassVar[float] = 60.0
    process: ClassVar[str | None] = "nvidia"
    cost: ClassVar[str] = "on an H100 20 ms of CPU per GPU, and one look at the names of all processes"
    needs: ClassVar[str] = "as nvidia"

    def __init__(self) -> None:
        self._each: EachDevice | None = None

    def present(self, host: Host) -> None:
        nvidia_is_here(host)

    @property
    def doing(self) -> str:
        return self._each.doing.call if self._each is not None else ""

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        from collectors.gpu.nvml.each import EachDevice
        from collectors.gpu.nvml.info import Beside, device_info

        if self._each is None:
            self._each = EachDevice()
        beside = Beside(host)
        library, devices = self._each.found(host.clock.now().mono_ns)
        return self._each.read(
            library, devices, lambda api, device: [device_info(api, device, host, beside)], lost=lambda device: []
        )
