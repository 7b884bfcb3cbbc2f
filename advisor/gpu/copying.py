"""How much is copied between the host and a service's devices, and who spends time on it?"""

from collections.abc import Iterable

import msgspec

from advisor.facts import ServiceFacts
from advisor.gpu.use import link_share
from advisor.gpu.view import GpuView, ServiceGpu, link_bytes_per_second
from advisor.profiling.view import ProfileView, sampling_error
from advisor.view import View
from collectors.levers import Lever

FUNCTIONS = ("cuMemcpy", "cudaMemcpy", "hipMemcpy")
"""Beginnings of the names of functions that copy. They are known where the profiler sees who calls the driver."""
TO_DEVICE, FROM_DEVICE = "HtoD", "DtoH"
"""What tells in such a name that the host is one end of the copy, and which."""
BOTH_WAYS = 0.8
"""Traffic to the device / traffic from it, from which on the first way may be the one that takes the time."""


class Copying(msgspec.Struct, frozen=True, kw_only=True):
    """Of one device: traffic / link, and of the CPU time of its profiled workers the part in functions that copy (`named`),
    in those of them that copy between host and device the way of most of the traffic (`hosts`), and in all that waits for
    the device. `error`: of such a part."""

    one: ServiceGpu
    link: float
    named: float | None = None
    hosts: float | None = None
    waits: float | None = None
    error: float = 0.0
    copying_cores: float = 0.0
    """Of the service's processes on the device, in functions that copy."""

    @property
    def slower(self) -> float:
        """The link now / what device and slot can do; 1 where that is not known."""
        gpu = self.one.gpu
        now, best = gpu.pcie_link_bytes_per_second, link_bytes_per_second(gpu.pcie_generation_max, gpu.pcie_width_max)
        return min(1.0, now / best) if now and best else 1.0

    @property
    def traffic(self) -> float:
        """Bytes a second, of the busier direction."""
        return max(self.one.gpu.pcie_tx_bytes_per_second or 0.0, self.one.gpu.pcie_rx_bytes_per_second or 0.0)

    @property
    def copied_per_second(self) -> float:
        """Bytes for each second that is spent in functions that copy: few where they wait for kernels."""
        return self.traffic / self.copying_cores if self.copying_cores > 0 else 0.0

    @property
    def seen(self) -> float:
        """The part that a profile shows in copies or in waits that may be for them."""
        return max(self.named or 0.0, self.waits or 0.0)


def most_copying(devices: Iterable[ServiceGpu]) -> Copying | None:
    """The device whose link is used most; None where that is known of none."""
    known = [Copying(one=one, link=share) for one in devices if (share := link_share(one.gpu)) is not None]
    return max(known, key=lambda found: found.link, default=None)


def with_profile(found: Copying, view: View, seen: ProfileView) -> Copying:
    own = {p.worker for p in found.one.own}
    workers = tuple(w for w in seen.workers if w.key in own)
    cores = sum(w.cores for w in workers)
    if cores <= 0:
        return found
    copies = [(w.cores * s.share / cores, s.where) for w in workers for s in w.hot if s.where.startswith(FUNCTIONS)]
    named, way = sum(part for part, _ in copies), _way(found.one.gpu)
    hosts = sum(part for part, where in copies if way in where)
    busy = sum(w.cores_used for w in view.workers if w.key in own)
    looks = sum(w.samples for w in workers)
    waits = msgspec.structs.replace(seen, workers=workers).share("cuda-sync").value
    return msgspec.structs.replace(
        found, named=min(1.0, named), hosts=min(1.0, hosts), waits=waits, error=sampling_error(named, looks),
        copying_cores=named * busy,
    )  # fmt: skip


def _way(gpu: GpuView) -> str:
    """Of traffic both ways, that to the device: a copy from it also waits for the kernels before it."""
    came, went = gpu.pcie_rx_bytes_per_second or 0.0, gpu.pcie_tx_bytes_per_second or 0.0
    return TO_DEVICE if came >= BOTH_WAYS * went else FROM_DEVICE


def kept_of_received(gpu: GpuView) -> float | None:
    """Growth of the memory in use / bytes that came in, over the window: near 1 while a model is loaded, near 0 where the
    inputs of requests come, and 0 where nothing comes. None where either is not known."""
    if gpu.pcie_rx_bytes_per_second is None:
        return None
    points = [used for before, used in gpu.memory_seen if before <= gpu.window_seconds + 10]
    came = gpu.pcie_rx_bytes_per_second * gpu.window_seconds
    if came <= 0:
        return 0.0
    return max(0, points[-1] - points[0]) / came if len(points) > 1 else None


def may_exchange(view: View, facts: ServiceFacts) -> bool:
    """Whether the service's devices may send to each other, which counts as traffic too where no other link joins them: the
    parts of one model do, and one process with several devices may."""
    if len(view.gpus) < 2:
        return False
    workers = [p.worker for one in view.gpus for p in one.own]
    split = [facts.setting(lever) for lever in (Lever.TENSOR_PARALLEL, Lever.PIPELINE_PARALLEL, Lever.DATA_PARALLEL)]
    return len(set(workers)) < len(workers) or any(one is not None and one.value != 1 for one in split)
