"""What is each NVIDIA GPU doing, how much of its memory is used, and by which processes?"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from collectors.collector import Collector
from collectors.entities import Service
from collectors.gpu.nvidia_here import nvidia_is_here
from collectors.gpu.samples import GpuProcessSample, GpuSample
from collectors.host import Host
from collectors.sample import Sample

if TYPE_CHECKING:
    from collectors.gpu.nvml.device_now import Watch


class NvidiaCollector(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (GpuSample, GpuProcessSample)
    process: ClassVar[str | None] = "nvidia"
    cost: ClassVar[str] = "0.4 ms of CPU per GPU; on an H100 3.5 ms, nearly all in the driver"
    needs: ClassVar[str] = "the NVIDIA driver and its libnvidia-ml.so.1; the host's PID namespace to name processes"

    def __init__(self) -> None:
        self._watch: Watch | None = None

    def present(self, host: Host) -> None:
        nvidia_is_here(host)

    @property
    def doing(self) -> str:
        return self._watch.each.doing.call if self._watch is not None else ""

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        if self._watch is None:
            from collectors.gpu.nvml.device_now import Watch  # it loads NVML

            self._watch = Watch(host)
        return self._watch.read(host)
