"""What is each TPU chip doing, and how much of its memory is used?"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from collectors.collector import Collector
from collectors.entities import Service
from collectors.gpu.samples import GpuSample
from collectors.gpu.tpu_here import tpu_is_here
from collectors.host import Host
from collectors.sample import Sample

if TYPE_CHECKING:
    from collectors.gpu.tpu.service import Services


class TpuCollector(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (GpuSample,)
    process: ClassVar[str | None] = "tpu"
    cost: ClassVar[str] = "not measured: known from documentation; four requests to libtpu on this machine"
    needs: ClassVar[str] = (
        "grpcio (pip install 'nodewright[kubernetes]'), a workload on the chips, and its network namespace: a pod without "
        "hostNetwork answers nobody outside of it"
    )

    def __init__(self) -> None:
        self._services: Services | None = None

    def present(self, host: Host) -> None:
        tpu_is_here(host)

    @property
    def doing(self) -> str:
        return self._services.doing.call if self._services is not None else ""

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        from collectors.gpu.tpu.chip_now import chips_now
        from collectors.gpu.tpu.chips import found_chips
        from collectors.gpu.tpu.service import Services, ports

        chips = found_chips(host)
        if self._services is None:
            self._services = Services(ports())
        return chips_now(chips, self._services.read())

    def close(self) -> None:
        if self._services is not None:
            self._services.close()
            self._services = None
