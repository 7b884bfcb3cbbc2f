"""How do the remembered readings of GPUs become views: of a device over a window, and of what a service has there?"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from advisor.gpu.tracks import DeviceTrack, GpuTracks, ProcessTrack
from advisor.gpu.view import GpuProcessView, GpuView, ServiceGpu
from collectors.cpulist import parse_cpulist
from collectors.entities import Service, Worker, WorkerKey
from collectors.gpu.samples import GpuHealthSample, GpuProcessSample, GpuSample

DRIVERS = {"nvidia": "cuda"}
"""Vendor -> kind of mapped library without which a process has no context there."""
OPENED_BY_ITS_USER_ALONE = frozenset(("google",))
"""Vendors of whose devices one process at a time has the file open. CUDA and ROCm open the files of all devices that they may
use, whichever they do use."""
POINT_SECONDS = 10.0
_FRESH_TICKS = 5
"""A process or device that was not read for longer is not there now."""

Value = Callable[[GpuSample], int | None]


def gpu_views(
    tracks: GpuTracks, tick: int, services: Sequence[Service], ticks: Collection[int] | None = None, horizon: int = 60
) -> dict[str, GpuView]:
    """By `gpu:UUID`: each device over the seconds `ticks`, or over the last `horizon` ones. `services`: whose workers may be
    meant by the processes."""
    workers = {w.key.entity: w for service in services for w in service.workers}
    return {
        entity: device_view(entity, track, tick, workers, ticks, horizon)
        for entity, track in tracks.devices.items()
        if track.recent and track.recent[-1][0] >= tick - _FRESH_TICKS
    }


def service_gpus(views: Iterable[GpuView], service: Service) -> tuple[ServiceGpu, ...]:
    """The devices on which a process of the service is, with those processes. A device that is divided is left out: its
    instances are devices too."""
    keys = {w.key for w in service.workers}
    found = (
        ServiceGpu(gpu=view, own=tuple(p for p in view.processes if p.worker in keys)) for view in views if not view.mig
    )
    return tuple(one for one in found if one.own)


def device_view(
    entity: str,
    track: DeviceTrack,
    tick: int,
    workers: dict[str, Worker],
    ticks: Collection[int] | None,
    horizon: int,
) -> GpuView:
    chosen = [
        (at, sample)
        for number, at, sample in track.recent
        if (number in ticks if ticks is not None else number > tick - horizon)
    ]
    samples = [sample for _, sample in chosen]
    last, info = track.recent[-1][2], track.info
    seconds = chosen[-1][0] - chosen[0][0] if len(chosen) > 1 else 0.0
    vendor = (info.vendor if info else None) or "nvidia"
    listed = [
        _process(name, one, vendor, workers, ticks, tick - horizon)
        for name, one in sorted(track.processes.items())
        if one.recent[-1][0] >= track.recent[-1][0] - 1
    ]
    alone = info.device_file if info and vendor in OPENED_BY_ITS_USER_ALONE else None
    processes = (*listed, *_holders(alone, listed, workers))
    known_day = [busy for busy, _ in track.day if busy is not None]
    known_memory = [used for _, used in track.day if used is not None]
    return GpuView(
        uuid=entity.partition(":")[2],
        name=(info.name if info else None) or "GPU",
        index=info.index if info else None,
        vendor=vendor,
        architecture=info.architecture if info else None,
        state=last.state or "ok",
        samples=len(samples),
        window_seconds=seconds,
        **_activity(samples, track),
        memory_total_bytes=last.memory_total_bytes,
        memory_reserved_bytes=last.memory_reserved_bytes,
        memory_used_bytes=last.memory_used_bytes,
        memory_free_bytes=last.memory_free_bytes,
        memory_used_max_bytes=max(
            (s.memory_used_bytes for s in samples if s.memory_used_bytes is not None), default=None
        ),
        memory_seen=_memory_seen(track),
        unknown_memory_bytes=last.unknown_memory_bytes,
        processes=processes,
        processes_known=last.processes is not None,
        **_clocks(samples, track),
        **_held_down(chosen),
        xid_events=_xids(track),
        last_xid=last.last_xid,
        **_links(track),
        **_health(track.health[-1] if track.health else None),
        numa_node=info.numa_node if info else None,
        cpus=parse_cpulist(info.cpus) if info and info.cpus else None,
        compute_mode=info.compute_mode if info else None,
        mps=None if info is None or info.mps is None else bool(info.mps),
        mig=bool(info and info.mig),
        parent=info.parent if info else None,
        unified_memory=bool(info and info.unified_memory),
        other_readers=tuple((info.other_readers or "").split()) if info else (),
        hours=len(track.day) / 60,
        day_busy_p95=_p95(known_day),
        day_memory_p95=_p95(known_memory),
    )


def _activity(samples: Sequence[GpuSample], track: DeviceTrack) -> dict[str, Any]:
    sent = _mean(samples, lambda s: s.pcie_tx_bytes_per_second)
    received = _mean(samples, lambda s: s.pcie_rx_bytes_per_second)
    sampled = sent is None and received is None and bool(track.health)
    if sampled:
        sent = _of(track.health, lambda h: h.pcie_sampled_tx_bytes_per_second)
        received = _of(track.health, lambda h: h.pcie_sampled_rx_bytes_per_second)
    return {
        "busy_ratio": _ratio(samples, lambda s: s.busy_ppm),
        "busy_p95": _ratio_p95(samples, lambda s: s.busy_ppm),
        "memory_busy_ratio": _ratio(samples, lambda s: s.memory_busy_ppm),
        "sm_active_ratio": _ratio(samples, lambda s: s.sm_active_ppm),
        "sm_active_p95": _ratio_p95(samples, lambda s: s.sm_active_ppm),
        "sm_occupancy_ratio": _ratio(samples, lambda s: s.sm_occupancy_ppm),
        "tensor_active_ratio": _ratio(samples, lambda s: s.tensor_active_ppm),
        "dram_active_ratio": _ratio(samples, lambda s: s.dram_active_ppm),
        "dram_active_p95": _ratio_p95(samples, lambda s: s.dram_active_ppm),
        "pcie_tx_bytes_per_second": sent,
        "pcie_rx_bytes_per_second": received,
        "pcie_sampled": sampled and (sent is not None or received is not None),
    }


def _clocks(samples: Sequence[GpuSample], track: DeviceTrack) -> dict[str, Any]:
    info, health = track.info, track.health[-1] if track.health else None
    return {
        "sm_clock_hertz": _scaled(_mean(samples, lambda s: s.sm_clock_mhz), 1e6),
        "memory_clock_hertz": _scaled(_mean(samples, lambda s: s.memory_clock_mhz), 1e6),
        "sm_clock_max_hertz": _scaled(info.sm_clock_max_mhz if info else None, 1e6),
        "power_watts": _scaled(_mean(samples, lambda s: s.power_mw), 1e-3),
        "power_limit_watts": _scaled(health.power_limit_mw if health else None, 1e-3),
        "power_limit_default_watts": _scaled(info.power_limit_default_mw if info else None, 1e-3),
        "temperature_celsius": _mean(samples, lambda s: s.temperature_celsius),
    }


def _held_down(chosen: Sequence[tuple[float, GpuSample]]) -> dict[str, Any]:
    """Growth of the counters between neighbouring readings of the window, over the time between those."""
    return {
        "power_cap_ratio": _growth(chosen, lambda s: s.power_cap_ns),
        "software_thermal_ratio": _growth(chosen, lambda s: s.software_thermal_ns),
        "hardware_thermal_ratio": _growth(chosen, lambda s: s.hardware_thermal_ns),
        "power_brake_ratio": _growth(chosen, lambda s: s.power_brake_ns),
    }


def _growth(chosen: Sequence[tuple[float, GpuSample]], value: Value) -> float | None:
    grown = seconds = 0.0
    for (before_at, before), (at, now) in pairwise(chosen):
        first, second = value(before), value(now)
        if first is None or second is None or second < first or not 0 < at - before_at < POINT_SECONDS:
            continue
        grown += (second - first) * 1e-9
        seconds += at - before_at
    return min(1.0, grown / seconds) if seconds > 0 else None


def _xids(track: DeviceTrack) -> int | None:
    known = [s.xid_events for _, _, s in track.recent if s.xid_events is not None]
    return max(0, known[-1] - known[0]) if known else None


def _memory_seen(track: DeviceTrack) -> tuple[tuple[float, int], ...]:
    """Thinned from the newest back."""
    found: list[tuple[float, int]] = []
    newest = track.recent[-1][1]
    for _, at, sample in reversed(track.recent):
        if sample.memory_used_bytes is not None and (not found or newest - at >= found[-1][0] + POINT_SECONDS - 0.5):
            found.append((newest - at, sample.memory_used_bytes))
    return tuple(reversed(found))


def _links(track: DeviceTrack) -> dict[str, Any]:
    info = track.info
    return {
        "pcie_generation": max(
            (h.pcie_generation for h in track.health if h.pcie_generation is not None), default=None
        ),
        "pcie_width": max((h.pcie_width for h in track.health if h.pcie_width is not None), default=None),
        "pcie_generation_max": info.pcie_generation_max if info else None,
        "pcie_width_max": info.pcie_width_max if info else None,
    }


def _health(health: GpuHealthSample | None) -> dict[str, Any]:
    if health is None:
        return {}
    return {
        "ecc_uncorrected": health.ecc_uncorrected,
        "remap_pending": None if health.remap_pending is None else bool(health.remap_pending),
        "remap_failed": None if health.remap_failed is None else bool(health.remap_failed),
    }


def _process(
    name: str, track: ProcessTrack, vendor: str, workers: dict[str, Worker], ticks: Collection[int] | None, oldest: int
) -> GpuProcessView:
    chosen = [s for t, s in track.recent if (t in ticks if ticks is not None else t > oldest)]
    last = track.recent[-1][1]
    shares = [s.sm_ppm for s in chosen if s.sm_ppm is not None]
    return GpuProcessView(
        pid=int(name.rpartition("/")[2]),
        worker=_worker(last, vendor, workers),
        contexts=tuple(part for part in (last.context or "").split("+") if part),
        memory_bytes=last.memory_bytes,
        sm_ratio=sum(shares) / len(shares) * 1e-6 if shares else None,
        memory_seen=tuple((float(track.recent[-1][0] - t), held) for t, held in track.memory),
    )


def _holders(
    device_file: str | None, listed: Sequence[GpuProcessView], workers: Mapping[str, Worker]
) -> Iterator[GpuProcessView]:
    """Workers that have the device open and that its reader does not name. What they have there is not known."""
    if device_file is None:
        return
    named = {p.worker for p in listed}
    for worker in workers.values():
        if device_file in worker.devices and worker.key not in named:
            yield GpuProcessView(
                pid=worker.pid, worker=worker.key, contexts=("open",), memory_bytes=None, sm_ratio=None
            )


def _worker(sample: GpuProcessSample, vendor: str, workers: Mapping[str, Worker]) -> WorkerKey | None:
    """The process that is meant. Where the driver may have given a number of another PID namespace, one of ours whose
    libraries are known and that has no driver mapped is not the one."""
    if sample.worker is None:
        return None
    known, driver = workers.get(sample.worker), DRIVERS.get(vendor)
    libraries = known.compute_libraries if known is not None else None
    if sample.doubtful and driver is not None and libraries is not None and driver not in libraries:
        return None
    pid, _, started = sample.worker.removeprefix("worker:").partition(":")
    return WorkerKey(int(pid), int(started))


def _mean(samples: Sequence[GpuSample], value: Value) -> float | None:
    known = [v for s in samples if (v := value(s)) is not None]
    return sum(known) / len(known) if known else None


def _of(health: Iterable[GpuHealthSample], value: Callable[[GpuHealthSample], int | None]) -> float | None:
    known = [v for h in health if (v := value(h)) is not None]
    return sum(known) / len(known) if known else None


def _ratio(samples: Sequence[GpuSample], value: Value) -> float | None:
    return _scaled(_mean(samples, value), 1e-6)


def _ratio_p95(samples: Sequence[GpuSample], value: Value) -> float | None:
    return _scaled(_p95([v for s in samples if (v := value(s)) is not None]), 1e-6)


def _p95(values: Sequence[float]) -> float | None:
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else value * scale
