"""What is each AMD GPU: its model, its limits, where it is plugged in, and what of it cannot be read?"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from collectors.collector import Collector
from collectors.entities import Service
from collectors.gpu.amd_here import amd_is_here
from collectors.gpu.samples import GpuInfoSample
from collectors.host import Host
from collectors.sample import Sample

if TYPE_CHECKING:
    from collectors.gpu.amd.each import EachDevice


class AmdInfoCollector(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (GpuInfoSample,)
    cadence_seconds: ClassVar[float] = 60.0
    process: ClassVar[str | None] = "amd"
    cost: ClassVar[str] = "not measured: known from documentation; nine calls of AMD SMI per GPU"
    needs: ClassVar[str] = "as amd"

    def __init__(self) -> None:
        self._each: EachDevice | None = None

    def present(self, host: Host) -> None:
        amd_is_here(host)

    @property
    def doing(self) -> str:
        return self._each.doing.call if self._each is not None else ""

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        from collectors.gpu.amd.each import EachDevice
        from collectors.gpu.amd.info import device_info

        if self._each is None:
            self._each = EachDevice()
        now = host.clock.now().mono_ns
        return self._each.read(now, lambda device: [device_info(device, host)], lost=lambda device: [])
