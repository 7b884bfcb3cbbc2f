"""How do the remembered readings of GPUs become views: of all devices, and of what a service has over its loaded seconds?"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from advisor.gpu.tracks import POINT_SECONDS, DeviceTrack, GpuTracks, ProcessTrack, Seen
from advisor.gpu.view import GpuProcessView, GpuView, ServiceGpu
from advisor.gpu.windowed import windowed
from collectors.cpulist import parse_cpulist
from collectors.entities import Service, Worker, WorkerKey
from collectors.gpu.samples import GpuHealthSample, GpuProcessSample, GpuSample

DRIVERS = {"nvidia": "cuda", "amd": "rocm"}
"""Vendor -> kind of driver without which a process has no context there."""
OPENED_BY_ITS_USER_ALONE = frozenset(("google",))
"""Vendors of whose devices one process at a time has the file open. CUDA and ROCm open the files of all devices that they may
use, whichever they do use."""
HORIZON_SECONDS = 60.0
ERRORS_SECONDS = 300.0
_CAPABILITY = re.compile(r"[0-9]{1,3}\.[0-9]{1,2}")
FRESH_SECONDS = 6.0
"""A device that was not read for longer is not there now."""


def gpu_views(tracks: GpuTracks, now: float, horizon_seconds: float = HORIZON_SECONDS) -> Mapping[str, GpuView]:
    """Every device by `gpu:UUID`, over its last seconds."""
    return _seen(tracks, now, horizon_seconds).views


def service_gpus(
    tracks: GpuTracks, now: float, service: Service, ticks: Collection[int]
) -> tuple[tuple[ServiceGpu, ...], tuple[GpuView, ...]]:
    """The devices on which a process of the service is, over the ticks `ticks`, with those processes; and all devices of the
    node, the others over their last seconds. One that is divided is nobody's: its instances are devices too."""
    seen = _seen(tracks, now, HORIZON_SECONDS)
    keys = {w.key for w in service.workers}
    places = {entity for key in keys for entity in seen.places.get(key, ())}
    if not places:
        return (), tuple(seen.views.values())
    own: list[ServiceGpu] = []
    every: list[GpuView] = []
    for entity, view in seen.views.items():
        if entity in places:
            view = _over_ticks(tracks.devices[entity], view, keys, ticks)
            own.append(ServiceGpu(gpu=view, own=tuple(p for p in view.processes if p.worker in keys)))
        every.append(view)
    return tuple(own), tuple(every)


def _seen(tracks: GpuTracks, now: float, horizon: float) -> Seen:
    """The views of this moment; worked out once, however many services ask."""
    key = (tracks.version, now)
    known = tracks.seen.get(horizon)
    if known is not None and known.key == key:
        return known
    views = {
        entity: _device_view(entity, track, tracks.workers, horizon)
        for entity, track in tracks.devices.items()
        if track.recent and now - track.recent[-1][1] <= FRESH_SECONDS
    }
    places: dict[WorkerKey, set[str]] = {}
    for entity, view in views.items():
        for process in () if view.mig else view.processes:
            if process.worker is not None:
                places.setdefault(process.worker, set()).add(entity)
    seen = tracks.seen[horizon] = Seen(key, views, {worker: frozenset(found) for worker, found in places.items()})
    return seen


def _over_ticks(track: DeviceTrack, view: GpuView, keys: Collection[WorkerKey], ticks: Collection[int]) -> GpuView:
    """The view with what is of a window over these ticks, and the shares of these workers over them."""
    oldest = min(ticks, default=0)
    chosen: list[tuple[float, GpuSample]] = []
    for tick, at, sample in reversed(track.recent):
        if tick < oldest:
            break
        if tick in ticks:
            chosen.append((at, sample))
    chosen.reverse()
    processes = tuple(
        msgspec.structs.replace(p, sm_ratio=_share(track.processes.get(_entity(view, p)), ticks))
        if p.worker in keys
        else p
        for p in view.processes
    )
    return msgspec.structs.replace(view, processes=processes, **windowed(chosen, track))


def _entity(view: GpuView, process: GpuProcessView) -> str:
    return f"gpu-process:{view.uuid}/{process.pid}"


def _share(track: ProcessTrack | None, ticks: Collection[int]) -> float | None:
    known = [share for tick, share in track.shares if tick in ticks and share is not None] if track is not None else []
    return sum(known) / len(known) * 1e-6 if known else None


def _device_view(entity: str, track: DeviceTrack, workers: Mapping[str, Worker], horizon: float) -> GpuView:
    _, now, last = track.recent[-1]
    chosen = [(at, sample) for _, at, sample in track.recent if at > now - horizon]
    since = next(tick for tick, at, _ in track.recent if at > now - horizon)
    info, health, day = track.info, track.health[-1] if track.health else None, track.day.told
    vendor = (info.vendor if info else None) or "nvidia"
    # what is read of a device and of its processes is read in one go: a process that is not in the newest reading is gone
    listed = [_process(n, one, since, vendor, workers) for n, one in sorted(track.processes.items()) if one.at == now]
    alone = info.device_file if info and vendor in OPENED_BY_ITS_USER_ALONE else None
    return GpuView(
        uuid=entity.partition(":")[2],
        name=(info.name if info else None) or "GPU",
        index=info.index if info else None,
        vendor=vendor,
        architecture=info.architecture if info else None,
        compute_capability=_number(info.compute_capability if info else None),
        cuda_cores=info.cuda_cores if info else None,
        multiprocessors=info.multiprocessors if info else None,
        memory_bus_bits=info.memory_bus_bits if info else None,
        memory_clock_max_hertz=_scaled(info.memory_clock_max_mhz if info else None, 1e6),
        state=last.state or "ok",
        **windowed(chosen, track),
        memory_total_bytes=last.memory_total_bytes,
        memory_reserved_bytes=last.memory_reserved_bytes,
        memory_used_bytes=last.memory_used_bytes,
        memory_free_bytes=last.memory_free_bytes,
        memory_seen=_memory_seen(track),
        unknown_memory_bytes=last.unknown_memory_bytes,
        processes=(*listed, *_holders(alone, listed, workers)),
        processes_known=last.processes is not None,
        sm_clock_max_hertz=_scaled(info.sm_clock_max_mhz if info else None, 1e6),
        power_limit_watts=_scaled(health.power_limit_mw if health else None, 1e-3),
        power_limit_default_watts=_scaled(info.power_limit_default_mw if info else None, 1e-3),
        xid_events=_errors(track, now),
        last_xid=track.last_error,
        **_links(track),
        **_health(health),
        numa_node=info.numa_node if info else None,
        cpus=parse_cpulist(info.cpus) if info and info.cpus else None,
        compute_mode=info.compute_mode if info else None,
        mps=None if info is None or info.mps is None else bool(info.mps),
        mig=bool(last.divided),
        parent=last.parent,
        unified_memory=bool(info and info.unified_memory),
        other_readers=tuple((info.other_readers or "").split()) if info else (),
        hours=track.day.hours,
        day_busy_p95=day.busy_p95,
        day_memory_p95=day.memory_p95,
        day_busy_mean=day.busy_mean,
        day_busiest_ratio=day.busiest,
        week_hours=track.day.week_hours,
        week_busy_p95=day.week_busy_p95,
        week_busiest_ratio=day.week_busiest,
    )


def _errors(track: DeviceTrack, now: float) -> int | None:
    if not track.errors:
        return None
    return sum(grown for at, grown in track.errors if at > now - ERRORS_SECONDS)


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


def _process(name: str, track: ProcessTrack, since: int, vendor: str, workers: Mapping[str, Worker]) -> GpuProcessView:
    """`since`: the tick from which on its share of time counts, as the numbers of its device do."""
    shares = [share for tick, share in track.shares if tick >= since and share is not None]
    return GpuProcessView(
        pid=int(name.rpartition("/")[2]),
        worker=_worker(track.last, vendor, workers),
        contexts=tuple(part for part in (track.last.context or "").split("+") if part),
        memory_bytes=track.last.memory_bytes,
        sm_ratio=sum(shares) / len(shares) * 1e-6 if shares else None,
        memory_seen=tuple((track.at - at, held) for at, held in track.memory),
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
    """The process that is meant. Where the driver may have given a number of another PID namespace, it counts only for one of
    ours that has the driver mapped."""
    if sample.worker is None:
        return None
    pid, _, started = sample.worker.removeprefix("worker:").partition(":")
    key = WorkerKey(int(pid), int(started))
    if not sample.doubtful:
        return key
    known = workers.get(sample.worker)
    return key if known is not None and DRIVERS.get(vendor) in (known.drivers or ()) else None


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else value * scale


def _number(text: str | None) -> float | None:
    """Of `9.0`; None of what is no such number."""
    return None if text is None or not _CAPABILITY.fullmatch(text) else float(text)
