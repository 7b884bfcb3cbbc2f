"""Built GPUs for the rules: devices whose numbers are chosen, put beside a built service.

The defaults are a H100 as recorded (tests/fixtures/gpu): 80 GB, no other process, nothing held down.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from advisor.gpu.devices import device_views
from advisor.gpu.view import GpuProcessView, GpuView, ServiceGpu
from advisor.view import View, WorkerView
from collectors.entities import WorkerKey

GIB = 1 << 30
TOTAL = 85_520_809_984
RESERVED = 503_316_480


def process(
    worker: WorkerView | int,
    memory: int | None = 2 * GIB,
    sm: float | None = 0.5,
    contexts: Sequence[str] = ("compute",),
) -> GpuProcessView:
    """The process of a worker, or one of nobody we know."""
    key = WorkerKey(worker, 1000 + worker) if isinstance(worker, int) else worker.key
    return GpuProcessView(pid=key.pid, worker=key, contexts=tuple(contexts), memory_bytes=memory, sm_ratio=sm)


def hidden(pid: int, memory: int | None = None) -> GpuProcessView:
    """A process of another PID namespace."""
    return GpuProcessView(pid=pid, worker=None, contexts=("compute",), memory_bytes=memory, sm_ratio=None)


def gpu(processes: Sequence[GpuProcessView] = (), *, used: int | None = None, **known: Any) -> GpuView:
    """A device with these processes. `used`: bytes in use; without it, what the processes hold."""
    held = sum(p.memory_bytes or 0 for p in processes)
    use = held if used is None else used
    fields: dict[str, Any] = {
        "uuid": "GPU-7b1c",
        "name": "NVIDIA H100 80GB HBM3",
        "index": 0,
        "vendor": "nvidia",
        "architecture": "hopper",
        "state": "ok",
        "samples": 15,
        "window_seconds": 15.0,
        "memory_total_bytes": TOTAL,
        "memory_reserved_bytes": RESERVED,
        "memory_used_bytes": use,
        "memory_free_bytes": TOTAL - RESERVED - use,
        "memory_used_max_bytes": use,
        "unknown_memory_bytes": max(0, use - held),
        "processes": tuple(processes),
        "processes_known": True,
        "sm_clock_hertz": 1980e6,
        "sm_clock_max_hertz": 1980e6,
        "memory_clock_hertz": 2619e6,
        "power_watts": 300.0,
        "power_limit_watts": 700.0,
        "power_limit_default_watts": 700.0,
        "temperature_celsius": 50.0,
        "power_cap_ratio": 0.0,
        "software_thermal_ratio": 0.0,
        "hardware_thermal_ratio": 0.0,
        "power_brake_ratio": 0.0,
        "pcie_generation": 5,
        "pcie_width": 16,
        "pcie_generation_max": 5,
        "pcie_width_max": 16,
        "mps": False,
        "compute_mode": "default",
    }
    return GpuView(**{**fields, **known})


def on_gpus(seen: View, *gpus: GpuView) -> View:
    """The view of a service with these devices of the node; its own are those with a process of its workers."""
    keys = {w.key for w in seen.workers}
    own = (ServiceGpu(gpu=one, own=tuple(p for p in one.processes if p.worker in keys)) for one in gpus if not one.mig)
    return msgspec.structs.replace(seen, gpus=tuple(one for one in own if one.own), node_gpus=tuple(gpus))


def alone(one: GpuView) -> View:
    """The view on which rules judge a device."""
    (view,) = device_views([one], 60.0)
    return view


A5000 = gpu(
    name="NVIDIA RTX A5000", compute_capability=8.6, cuda_cores=8192, sm_clock_max_hertz=2100e6, memory_bus_bits=384,
    memory_clock_max_hertz=8001e6, memory_total_bytes=24 * GIB, memory_free_bytes=23 * GIB,
)  # fmt: skip
"""One that the catalogue of devices does not have, and of which its driver tells all."""
