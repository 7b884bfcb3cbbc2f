"""What is each AMD GPU doing, how much of its memory is used, and by which processes?"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from collectors.collector import Collector
from collectors.entities import Service
from collectors.gpu.amd_here import amd_is_here
from collectors.gpu.samples import GpuProcessSample, GpuSample
from collectors.host import Host
from collectors.sample import Sample

if TYPE_CHECKING:
    from collectors.gpu.amd.device_now import Watch


class AmdCollector(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (GpuSample, GpuProcessSample)
    process: ClassVar[str | None] = "amd"
    cost: ClassVar[str] = "not measured: known from documentation; eight calls of AMD SMI per GPU"
    needs: ClassVar[str] = (
        "the amdgpu driver and the amdsmi of its ROCm; root, or the groups render and video; the host's PID namespace to "
        "name processes"
    )

    def __init__(self) -> None:
        self._watch: Watch | None = None

    def present(self, host: Host) -> None:
        amd_is_here(host)

    @property
    def doing(self) -> str:
        return self._watch.each.doing.call if self._watch is not None else ""

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        if self._watch is None:
            from collectors.gpu.amd.device_now import Watch  # only where there is one to read

            self._watch = Watch(host)
        return self._watch.read(host)
