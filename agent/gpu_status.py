"""Builds what the documents say of GPUs: each device, and what services and workers have on them."""

from collections.abc import Mapping, Sequence
from typing import Any

from advisor.documents import GpuProcessStatus, GpuStatus
from advisor.gpu.view import GpuProcessView, GpuView, ServiceGpu
from collectors.cpulist import format_cpulist
from collectors.entities import Service, Worker, WorkerKey
from collectors.gpu.samples import GpuInfoSample
from collectors.sample import Sample

_SAME = (
    "uuid", "index", "name", "vendor", "architecture", "numa_node", "state", "mig", "mps", "unified_memory", "compute_mode",
    "memory_total_bytes", "memory_reserved_bytes", "memory_used_bytes", "memory_free_bytes", "pcie_sampled",
    "pcie_generation", "pcie_generation_max", "pcie_width", "pcie_width_max", "xid_events", "last_xid", "ecc_uncorrected",
    "remap_pending", "remap_failed", "other_readers",
)  # fmt: skip
_ROUNDED = (
    "busy_ratio", "memory_busy_ratio", "sm_active_ratio", "sm_occupancy_ratio", "tensor_active_ratio", "dram_active_ratio",
    "pcie_tx_bytes_per_second", "pcie_rx_bytes_per_second", "sm_clock_hertz", "sm_clock_max_hertz", "power_watts",
    "power_limit_watts", "temperature_celsius", "power_cap_ratio", "software_thermal_ratio", "hardware_thermal_ratio",
    "power_brake_ratio",
)  # fmt: skip


def gpu_statuses(
    views: Sequence[GpuView], infos: Mapping[str, Sample], services: Sequence[Service]
) -> tuple[GpuStatus, ...]:
    """Every device, in the order of its number. `infos`: the newest GpuInfoSample by entity."""
    workers = {w.key: w for s in services for w in s.workers}
    ordered = sorted(views, key=lambda v: (v.vendor, v.index is None, v.index or 0, v.parent is not None, v.uuid))
    return tuple(_status(view, infos.get(f"gpu:{view.uuid}"), workers) for view in ordered)


def _status(view: GpuView, sample: Sample | None, workers: Mapping[WorkerKey, Worker]) -> GpuStatus:
    info = sample if isinstance(sample, GpuInfoSample) else None
    same: dict[str, Any] = {name: getattr(view, name) for name in _SAME}
    rounded: dict[str, Any] = {name: _round(getattr(view, name)) for name in _ROUNDED}
    return GpuStatus(
        **same,
        **rounded,
        compute_capability=info.compute_capability if info else None,
        driver=info.driver if info else None,
        cuda=info.cuda if info else None,
        pci=info.pci if info else None,
        cpus=format_cpulist(view.cpus) if view.cpus else None,
        parent=view.parent.partition(":")[2] if view.parent else None,
        memory_unknown_bytes=view.unknown_memory_bytes,
        unknown_processes=sum(p.worker is None for p in view.processes) if view.processes_known else None,
        processes=tuple(_process(p, workers) for p in view.processes),
        unsupported=tuple((info.unsupported or "").split()) if info else (),
    )


def _process(process: GpuProcessView, workers: Mapping[WorkerKey, Worker]) -> GpuProcessStatus:
    worker = workers.get(process.worker) if process.worker is not None else None
    return GpuProcessStatus(
        pid=process.pid,
        service=worker.service if worker else None,
        slot=worker.slot if worker else None,
        contexts=process.contexts,
        memory_bytes=process.memory_bytes,
        sm_ratio=_round(process.sm_ratio),
        joined=process.worker is not None,
    )


def of_service(gpus: Sequence[ServiceGpu]) -> dict[str, Any]:
    """The fields of a ServiceStatus on GPUs."""
    if not gpus:
        return {}
    memory, shares = [g.memory_bytes for g in gpus], [g.sm_ratio for g in gpus]
    return {
        "gpus": tuple(g.gpu.uuid for g in gpus),
        "gpu_memory_bytes": None if None in memory else sum(m for m in memory if m is not None),
        "gpu_sm_ratio": None if None in shares else _round(sum(s for s in shares if s is not None)),
        "gpu_contexts": sum(len(g.own) for g in gpus),
    }


def of_worker(gpus: Sequence[ServiceGpu], worker: Worker) -> dict[str, Any]:
    """The fields of a WorkerStatus on GPUs."""
    own = [p for g in gpus for p in g.own if p.worker == worker.key]
    if not own:
        return {}
    memory, shares = [p.memory_bytes for p in own], [p.sm_ratio for p in own]
    return {
        "gpu_memory_bytes": None if None in memory else sum(m for m in memory if m is not None),
        "gpu_sm_ratio": None if None in shares else _round(sum(s for s in shares if s is not None)),
    }


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
