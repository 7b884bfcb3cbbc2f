"""How do the remembered ticks become the view of one service: its last loaded seconds, as rates?"""

from collections.abc import Sequence
from itertools import islice

import msgspec

from advisor.gpu.window import service_gpus
from advisor.node_window import connection_rates, frequency_view, memory_view
from advisor.serving import STALE_SECONDS, load_of
from advisor.serving_rates import NOTHING, ServingRates
from advisor.tracks import (
    CgroupTick,
    Second,
    ServiceTrack,
    Spans,
    ThreadTrack,
    Tracks,
    WorkerTrack,
    cgroup_of,
    spans_of,
)
from advisor.view import CgroupView, CoreView, NeighbourView, PageView, StageView, ThreadView, View, WorkerView
from collectors.cpulist import parse_cpulist
from collectors.entities import Service, Worker

OLDEST_FACTOR = 3
"""Loaded seconds older than this many horizons do not count as the present."""
PAGES_SECONDS = 300.0
LATELY = 60
"""Seconds in which what happens once, as a process that is killed, is still news."""


def view_of(tracks: Tracks, service: Service, horizon_seconds: int) -> View:
    """The last `horizon_seconds` loaded seconds of a service (fewer where there were fewer)."""
    track = tracks.services.get(f"service:{service.id}") or ServiceTrack()
    chosen = chosen_seconds(tracks, track, horizon_seconds)
    ticks, spans = {s.tick for s in chosen}, spans_of(s.tick for s in chosen)
    span = sum(s.seconds for s in chosen)
    workers = tuple(_worker_view(tracks, w, ticks, spans, span) for w in service.workers)
    gpus, node_gpus = service_gpus(tracks.gpus, tracks.now, service, ticks)
    age = None if track.serving is None else max(0.0, tracks.now - track.serving[0])
    return View(
        service=service,
        horizon_seconds=float(horizon_seconds),
        window_seconds=span,
        samples=len(chosen),
        loaded_now=bool(track.seconds) and any(s.loaded for s in islice(reversed(track.seconds), 5)),
        workers=workers,
        cores=_core_views(tracks, workers, ticks, spans, span),
        cgroup=_cgroup_view(tracks, service, chosen),
        memory=memory_view(
            tracks, _cgroup_ticks(chosen), _cgroup_ticks([*islice(reversed(track.seconds), LATELY)]), ticks, span
        ),
        connections=connection_rates([s.connections for s in chosen if s.connections is not None]),
        stages=tuple(
            StageView(name=name, rates=said)
            for name, (at, _, said) in track.models.items()
            if tracks.now - at <= STALE_SECONDS
        ),
        neighbours=() if service.serving else _neighbours(tracks, service, horizon_seconds),
        trend=track.trend,
        demand=tuple(s.demand for s in chosen),
        accept_queue=tuple(s.accept_queue for s in chosen if s.accept_queue is not None),
        established=_mean([s.established for s in chosen if s.established is not None]),
        memory_available_bytes=_kib(tracks.memory.available_kib) if tracks.memory else None,
        memory_total_bytes=_kib(tracks.memory.total_kib) if tracks.memory else None,
        established_now=track.seconds[-1].established if track.seconds else None,
        delay_readable=all(
            tracks.workers[w.key.entity].delay_readable for w in service.workers if w.key.entity in tracks.workers
        ),
        metrics_age_seconds=age,
        loads=tuple(track.loads),
        pages=_page_views(track, tracks.now),
        gpus=gpus,
        node_gpus=node_gpus,
        **msgspec.structs.asdict(NOTHING if age is None or age > STALE_SECONDS else track.rates),
    )


def chosen_seconds(tracks: Tracks, track: ServiceTrack, horizon_seconds: int) -> list[Second]:
    """The last loaded seconds that count as the present, oldest first."""
    oldest = tracks.tick - OLDEST_FACTOR * horizon_seconds
    found: list[Second] = []
    for second in reversed(track.seconds):
        if second.tick < oldest or len(found) == horizon_seconds:
            break
        if second.loaded:
            found.append(second)
    return found[::-1]


def _neighbours(tracks: Tracks, own: Service, horizon_seconds: int) -> tuple[NeighbourView, ...]:
    found = []
    for service in tracks.present:
        track = tracks.services.get(f"service:{service.id}")
        if service.id == own.id or track is None:
            continue
        demand = [second.demand for second in list(track.seconds)[-horizon_seconds:]]
        fresh = track.serving is not None and tracks.now - track.serving[0] <= STALE_SECONDS
        load = load_of(track.rates) if fresh else None
        found.append(
            NeighbourView(
                name=service.name,
                framework=service.framework,
                processes=len(service.serving),
                busy=_mean(demand) or 0.0,
                on_gpu=tracks.gpus.works(service, tracks.now),
                in_progress=None if load is None else load.in_progress,
            )
        )
    return tuple(found)


def _page_views(track: ServiceTrack, now: float) -> tuple[PageView, ...]:
    """A page of which no rate is known, as after a gap, tells its levels only."""
    return tuple(
        PageView(
            age_seconds=max(0.0, now - at),
            seconds=seconds,
            preempted=_counted(said.preemptions_per_second, seconds),
            answered=_counted(said.requests_per_second, seconds),
            tokens_in=_counted(said.tokens_in_per_second, seconds),
            tokens_out=_counted(said.tokens_out_per_second, seconds),
            kv_cache_ratio=said.kv_cache_ratio,
            loaded=_counted(said.model_loads_per_second, seconds),
            evicted=_counted(said.model_evictions_per_second, seconds),
            batch_size=said.batch_size,
            work_seconds=_worked(said),
        )
        for at, seconds, said in track.pages
        if now - at <= PAGES_SECONDS
    )


def _worked(said: ServingRates) -> float | None:
    if said.latency_seconds is None or said.queue_seconds is None:
        return None
    return max(0.0, said.latency_seconds - said.queue_seconds)


def _counted(per_second: float | None, seconds: float) -> float | None:
    return None if per_second is None else per_second * seconds


def _worker_view(tracks: Tracks, member: Worker, ticks: set[int], spans: Spans, span: float) -> WorkerView:
    worker = tracks.workers.get(member.key.entity) or WorkerTrack()
    span = span or 1.0
    did = worker.did(spans)
    sample, oldest = worker.sample, min(ticks, default=0)
    counted = did.user + did.system
    threads = (_thread_view(tracks.threads[e], ticks, oldest, span) for e in worker.threads if e in tracks.threads)
    return WorkerView(
        key=member.key,
        role=member.role,
        slot=member.slot,
        cores_used=did.run / span,
        waiting_cores=did.delay / span if worker.delay_readable else None,
        resident_bytes=sample.resident_bytes if sample else None,
        thread_count=sample.threads if sample else None,
        switches_per_second=did.switches / span,
        major_faults_per_second=did.faults / span,
        threads=tuple(sorted(threads, key=lambda t: (-t.cores_used, t.tid))),
        system_cores=did.run / span * did.system / counted if counted else None,
        proportional_bytes=worker.memory.proportional_bytes if worker.memory else None,
        private_bytes=worker.memory.private_bytes if worker.memory else None,
        private_dirty_bytes=worker.memory.private_dirty_bytes if worker.memory else None,
        swapped_bytes=worker.memory.swapped_bytes if worker.memory else None,
    )


def _thread_view(track: ThreadTrack, ticks: set[int], oldest: int, span: float) -> ThreadView:
    run = delay = 0.0
    slices = 0
    seen: dict[int, float] = {}
    for tick, ran, waited, cpu, times in reversed(track.recent):
        if tick < oldest:
            break
        if tick in ticks:
            run += ran
            delay += waited
            slices += times
            if cpu >= 0:
                seen[cpu] = seen.get(cpu, 0.0) + ran
    sample = track.sample
    return ThreadView(
        tid=track.tid,
        name=sample.name or "",
        thread_class=sample.thread_class or "python",
        state=sample.state or "?",
        cores_used=run / span,
        waiting_cores=delay / span,
        allowed=parse_cpulist(sample.allowed_cpus) if sample.allowed_cpus else None,
        cpus_seen={cpu: ran / run for cpu, ran in seen.items()} if run > 0 else {},
        last_cpu=sample.last_cpu,
        slices_per_second=None if sample.timeslices is None else slices / span,
    )


def _core_views(
    tracks: Tracks, workers: Sequence[WorkerView], ticks: set[int], spans: Spans, span: float
) -> tuple[CoreView, ...]:
    own: dict[int, float] = {}
    for worker in workers:
        for thread in worker.threads:
            for cpu, share in thread.cpus_seen.items():
                own[cpu] = own.get(cpu, 0.0) + share * thread.cores_used
    totals = _core_totals(tracks, spans)
    span = span or 1.0
    return tuple(
        CoreView(
            cpu=cpu,
            busy=min(1.0, busy / span),
            own=min(1.0, own.get(cpu, 0.0)),
            steal=min(1.0, steal / span),
            node=tracks.cpus.get(cpu, (None,))[0],
            siblings=tracks.cpus[cpu][1] if cpu in tracks.cpus else frozenset(),
            frequency=frequency_view(tracks, cpu, ticks),
        )
        for cpu, (busy, steal) in totals
    )


def _core_totals(tracks: Tracks, spans: Spans) -> Sequence[tuple[int, tuple[float, float]]]:
    """Busy and stolen seconds of each CPU in the ticks."""
    totals = {int(entity.partition(":")[2]): (0.0, 0.0) for entity in tracks.cores}
    for before, last in spans:
        then = tracks.core_ticks.get(before, {})
        for cpu, (busy, steal) in tracks.core_ticks.get(last, {}).items():
            known, old = totals.get(cpu, (0.0, 0.0)), then.get(cpu, (0.0, 0.0))
            totals[cpu] = (known[0] + busy - old[0], known[1] + steal - old[1])
    return sorted(totals.items())


def _cgroup_ticks(seconds: Sequence[Second]) -> list[CgroupTick]:
    return [second.cgroup for second in seconds if second.cgroup is not None]


def _cgroup_view(tracks: Tracks, service: Service, chosen: Sequence[Second]) -> CgroupView | None:
    sample = tracks.cgroups.get(cgroup_of(service))
    if sample is None:
        return None
    moved = [s.cgroup for s in chosen if s.cgroup is not None]
    limited = sample.quota_us is not None and sample.period_us
    return CgroupView(
        quota_cores=sample.quota_us / sample.period_us if limited and sample.quota_us and sample.period_us else None,
        period_seconds=sample.period_us * 1e-6 if sample.period_us else None,
        weight=sample.weight,
        periods=sum(m.periods for m in moved),
        throttled_periods=sum(m.throttled_periods for m in moved),
        throttled_seconds=sum(m.throttled_us for m in moved) * 1e-6,
        cpus=parse_cpulist(sample.cpus) if sample.cpus else None,
        memory_limit_bytes=sample.memory_limit_bytes,
        memory_current_bytes=sample.memory_current_bytes,
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _kib(value: int | None) -> int | None:
    return None if value is None else value * 1024
