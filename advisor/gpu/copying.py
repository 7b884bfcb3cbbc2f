"""How much is copied between the host and a service's devices, and who spends time on it?"""

from collections.abc import Iterable

import msgspec

from advisor.gpu.use import link_share
from advisor.gpu.view import GpuView, ServiceGpu, link_bytes_per_second
from advisor.profiling.view import ProfileView

FUNCTIONS = ("cuMemcpy", "cudaMemcpy", "hipMemcpy")
"""Beginnings of the names of functions that copy. They are known where the profiler sees who calls the driver."""


class Copying(msgspec.Struct, frozen=True, kw_only=True):
    """Of one device: traffic / link, and of the CPU time of its profiled workers the part in functions that copy (`named`)
    and in all that waits for the device."""

    one: ServiceGpu
    link: float
    named: float | None = None
    waits: float | None = None

    @property
    def slower(self) -> float:
        """The link now / what device and slot can do; 1 where that is not known."""
        gpu = self.one.gpu
        now, best = gpu.pcie_link_bytes_per_second, link_bytes_per_second(gpu.pcie_generation_max, gpu.pcie_width_max)
        return min(1.0, now / best) if now and best else 1.0

    @property
    def seen(self) -> float:
        """The part that a profile shows in copies or in waits that may be for them."""
        return max(self.named or 0.0, self.waits or 0.0)


def most_copying(devices: Iterable[ServiceGpu]) -> Copying | None:
    """The device whose link is used most; None where that is known of none."""
    known = [Copying(one=one, link=share) for one in devices if (share := link_share(one.gpu)) is not None]
    return max(known, key=lambda found: found.link, default=None)


def with_profile(found: Copying, seen: ProfileView) -> Copying:
    own = {p.worker for p in found.one.own}
    workers = tuple(w for w in seen.workers if w.key in own)
    cores = sum(w.cores for w in workers)
    if cores <= 0:
        return found
    named = sum(w.cores * s.share for w in workers for s in w.hot if s.where.startswith(FUNCTIONS)) / cores
    waits = msgspec.structs.replace(seen, workers=workers).share("cuda-sync").value
    return msgspec.structs.replace(found, named=min(1.0, named), waits=waits)


def kept_of_received(gpu: GpuView) -> float | None:
    """Growth of the memory in use / bytes that came in, over the window: near 1 while a model is loaded, near 0 where the
    inputs of requests come. None where nothing came, or growth is not known."""
    points = [used for before, used in gpu.memory_seen if before <= gpu.window_seconds + 10]
    came = (gpu.pcie_rx_bytes_per_second or 0.0) * gpu.window_seconds
    return max(0, points[-1] - points[0]) / came if len(points) > 1 and came > 0 else None
