"""What does watching cost: CPU and memory of this process and of its sidecar."""

import os
import resource
import time
from collections.abc import Callable, Sequence
from typing import Literal

from advisor.documents import CollectorStatus, NotifyStatus, ProfilingStatus, ReaderStatus, SelfStatus
from agent.sampler import Beat

SidecarState = Literal["running", "off", "restarting", "missing"]
SidecarCost = Callable[[], tuple[SidecarState, float | None, int | None]]
StoreState = Callable[[], tuple[int | None, str | None]]


class SelfCost:
    """Reads the costs when asked. `sidecar` gives state, CPU seconds and resident bytes; `store` bytes and problem."""

    def __init__(self, version: str, sidecar: SidecarCost | None = None, store: StoreState | None = None) -> None:
        self._version = version
        self._started = time.monotonic()
        self._sidecar = sidecar or (lambda: ("off", None, None))
        self._store = store or (lambda: (None, None))
        self.profiling: Callable[[], ProfilingStatus | None] = lambda: None
        self.readers: Callable[[], tuple[ReaderStatus, ...]] = lambda: ()
        self.notify: Callable[[], tuple[NotifyStatus, ...]] = lambda: ()
        self._page = os.sysconf("SC_PAGE_SIZE")

    def status(self, beat: Beat, interval_seconds: float, collectors: Sequence[CollectorStatus]) -> SelfStatus:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        state, cpu, resident = self._sidecar()
        size, problem = self._store()
        return SelfStatus(
            version=self._version,
            uptime_seconds=round(time.monotonic() - self._started, 3),
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            resident_bytes=self._resident(),
            sidecar=state,
            sidecar_cpu_seconds=cpu,
            sidecar_resident_bytes=resident,
            ticks=beat.ticks,
            late_ticks=beat.late_ticks,
            worst_late_seconds=beat.worst_late_ns * 1e-9,
            interval_seconds=interval_seconds,
            collectors=tuple(collectors),
            store_bytes=size,
            store_problem=problem,
            profiling=self.profiling(),
            readers=self.readers(),
            notify=self.notify(),
        )

    def _resident(self) -> int | None:
        """Second field of /proc/self/statm, in pages."""
        try:
            with open("/proc/self/statm", "rb") as file:
                return int(file.read().split()[1]) * self._page
        except (OSError, ValueError, IndexError):
            return None
