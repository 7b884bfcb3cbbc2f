"""What is each TPU chip: its generation, where it is plugged in, and what of it nobody tells now?"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from collectors.collector import Collector
from collectors.entities import Service
from collectors.gpu.samples import GpuInfoSample
from collectors.gpu.tpu_here import tpu_is_here
from collectors.host import Host
from collectors.sample import Sample

if TYPE_CHECKING:
    from collectors.gpu.tpu.service import Services


class TpuInfoCollector(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (GpuInfoSample,)
    cadence_seconds: ClassVar[float] = 60.0
    process: ClassVar[str | None] = "tpu"
    cost: ClassVar[str] = "not measured: known from documentation; four requests to libtpu on this machine"
    needs: ClassVar[str] = "as tpu"

    def __init__(self) -> None:
        self._services: Services | None = None

    def present(self, host: Host) -> None:
        tpu_is_here(host)

    @property
    def doing(self) -> str:
        return self._services.doing.call if self._services is not None else ""

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        from collectors.gpu.tpu.chips import found_chips
        from collectors.gpu.tpu.info import chips_info
        from collectors.gpu.tpu.service import Services, ports

        chips = found_chips(host)
        if self._services is None:
            self._services = Services(ports())
        return chips_info(host, chips, self._services.read())

    def close(self) -> None:
        if self._services is not None:
            self._services.close()
            self._services = None
