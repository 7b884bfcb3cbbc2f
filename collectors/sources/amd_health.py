"""How are the links of each AMD GPU, its memory's errors, and the energy it took?"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from collectors.collector import Collector
from collectors.entities import Service
from collectors.gpu.amd_here import amd_is_here
from collectors.gpu.samples import GpuHealthSample
from collectors.host import Host
from collectors.sample import Sample

if TYPE_CHECKING:
    from collectors.gpu.amd.each import EachDevice


class AmdHealthCollector(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (GpuHealthSample,)
    cadence_seconds: ClassVar[float] = 10.0
    process: ClassVar[str | None] = "amd"
    cost: ClassVar[str] = "not measured: known from documentation; five calls of AMD SMI per GPU"
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
        from collectors.gpu.amd.health import device_health

        if self._each is None:
            self._each = EachDevice()
        now = host.clock.now().mono_ns
        return self._each.read(now, lambda device: [device_health(device)], lost=lambda device: [])
