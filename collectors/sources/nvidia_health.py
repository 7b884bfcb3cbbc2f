"""How are the links of each NVIDIA GPU, its memory's errors, and the energy it took?"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from collectors.collector import Collector
from collectors.entities import Service
from collectors.gpu.nvidia_here import nvidia_is_here
from collectors.gpu.samples import GpuHealthSample
from collectors.host import Host
from collectors.sample import Sample

if TYPE_CHECKING:
    from collectors.gpu.nvml.each import EachDevice


class NvidiaHealthCollector(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (GpuHealthSample,)
    cadence_seconds: ClassVar[float] = 10.0
    process: ClassVar[str | None] = "nvidia"
    cost: ClassVar[str] = (
        "on an H100 8 ms of CPU per GPU; 41 ms of waiting per GPU without counters of activity, in a thread of its own"
    )
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
        from collectors.gpu.nvml.health import device_health

        if self._each is None:
            self._each = EachDevice()
        library, devices = self._each.found(host.clock.now().mono_ns)
        return self._each.read(
            library, devices, lambda api, device: [device_health(api, device)], lost=lambda device: []
        )
