"""A collector that does what the file named by STEERED says: `ok`, `hang`, `lost`, `exit`, `absent`, `long`, `nonsense`."""

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from collectors.collector import Collector
from collectors.entities import Service
from collectors.gpu.samples import GpuProcessSample, GpuSample, nothing_known
from collectors.gpu.states import Absent, in_state
from collectors.host import Host
from collectors.sample import Sample

LONG = 8000


def told() -> str:
    return Path(os.environ["STEERED"]).read_text().strip()


class Steered(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (GpuSample, GpuProcessSample)
    process: ClassVar[str | None] = "steered"
    cost: ClassVar[str] = "nothing"

    def __init__(self) -> None:
        self._doing = ""

    @property
    def doing(self) -> str:
        return self._doing

    def present(self, host: Host) -> None:
        if told() == "absent":
            raise Absent("no such device")

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        match told():
            case "hang":
                self._doing = "driverGetEverything"
                while told() == "hang":
                    time.sleep(0.02)
                self._doing = ""
            case "lost":
                raise in_state("lost", "it fell off the bus")
            case "exit":
                os._exit(3)
            case "long":
                return [nothing_known(GpuProcessSample, f"gpu-process:GPU-1/{pid}") for pid in range(LONG)]
            case "nonsense":
                return [nothing_known(GpuProcessSample, "gpu-process:GPU-1/none", worker="worker:a:b")]
        return [
            nothing_known(GpuSample, "gpu:GPU-1", state="ok", busy_ppm=250_000, memory_used_bytes=7 << 30),
            nothing_known(
                GpuProcessSample, f"gpu-process:GPU-1/{os.getpid()}", worker="worker:1:2", context="compute+mps"
            ),
        ]
