"""For how long did threads of the node stand still for want of CPU, memory or I/O?"""

import errno
from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar

from collectors.collector import Collector
from collectors.entities import Service
from collectors.host import Host
from collectors.kept import KeptFiles
from collectors.procfs import stall_us
from collectors.reading import Unreadable
from collectors.sample import Sample, metric

RESOURCES = ("cpu", "memory", "io")


class PressureSample(Sample, frozen=True, kw_only=True, gc=False):
    """Stall time of one resource since boot."""

    kind: ClassVar[str] = "pressure"
    doc: ClassVar[str] = "Pressure stall information of CPU, memory and I/O (/proc/pressure)."

    some_us: Annotated[
        int | None, metric("seconds", "At least one thread waited for the resource.", counter=True, scale=1e-6)
    ]
    full_us: Annotated[
        int | None, metric("seconds", "All threads that were not idle waited for it.", counter=True, scale=1e-6)
    ]


class PressureCollector(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (PressureSample,)
    cost: ClassVar[str] = "three reads below /proc/pressure"
    needs: ClassVar[str] = "a kernel >= 4.20 with PSI (boot with psi=1)"

    def __init__(self, files: KeptFiles | None = None) -> None:
        self._files = files or KeptFiles()

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        samples = [sample for name in RESOURCES if (sample := self._read(host, name)) is not None]
        if not samples:
            raise Unreadable("no PSI", "boot with psi=1, kernel >= 4.20")
        return samples

    def _read(self, host: Host, name: str) -> PressureSample | None:
        try:
            data = self._files.read(f"{host.proc}/pressure/{name}")
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.EOPNOTSUPP:
                raise Unreadable("PSI is switched off", "boot with psi=1") from error
            raise
        return PressureSample(
            entity=f"pressure:{name}", some_us=stall_us(data, b"some"), full_us=stall_us(data, b"full")
        )

    def close(self) -> None:
        self._files.close()
