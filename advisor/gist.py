"""What does a judgement of a service depend on, in numbers that are had without the work of a view?

Not among them: how busy each single core is, and what single threads do. Where these alone change, the judgement before holds
until it is too old.
"""

from collections.abc import Hashable, Iterator, Sequence
from itertools import islice

import msgspec

from advisor.node_sums import node_sums
from advisor.serving import STALE_SECONDS
from advisor.serving_rates import NOTHING
from advisor.tracks import Second, ServiceTrack, Tracks, WorkerTrack, cgroup_of
from advisor.window import chosen_seconds
from collectors.entities import Service
from collectors.sources.cgroup import CgroupSample

FULL_SAMPLES = 15
MOST_MODELS = 50
_GIB = 1 << 30


class Gist(msgspec.Struct, frozen=True):
    """What a judgement depends on: `numbers` may waver a little, `coarse` more, `exact` may not, `same` must be the same
    objects."""

    numbers: tuple[float, ...]
    exact: tuple[Hashable, ...]
    same: tuple[object, ...]
    coarse: tuple[float, ...] = ()


def gist_of(
    tracks: Tracks, service: Service, horizon_seconds: int, exact: tuple[Hashable, ...], same: tuple[object, ...]
) -> Gist | None:
    """`exact` and `same`: what else must be as it was. None where a service is judged each time: on a GPU everything moves,
    and one that runs no model is judged by its neighbours."""
    track = tracks.services.get(f"service:{service.id}")
    if track is None or tracks.gpus.works(service, tracks.now) or any(w.devices for w in service.workers):
        return None
    if not service.serving:
        return None
    chosen = chosen_seconds(tracks, track, horizon_seconds)
    workers = [found for w in service.workers if (found := tracks.workers.get(w.key.entity)) is not None]
    cgroup, node = tracks.cgroups.get(cgroup_of(service)), node_sums(tracks)
    loaded_now = any(s.loaded for s in list(track.seconds)[-5:])
    seen = (
        min(FULL_SAMPLES, len(chosen)),
        loaded_now,
        max((w.mask_tick for w in workers), default=0),
        _limits(cgroup),
        len(workers),
        sum(w.memory is not None for w in workers),
        all(w.delay_readable for w in workers),
        node.oom_kills,
        len(track.models),
    )
    numbers = (*_of_seconds(chosen), *_of_pages(tracks, track), *_of_memory(track, workers, cgroup), *node.shares)
    coarse = (*_of_workers(workers, chosen), *_of_connections(chosen), *_of_models(track), *node.counts)
    return Gist(numbers, (*seen, *exact), same, coarse)


def _limits(cgroup: CgroupSample | None) -> Hashable:
    if cgroup is None:
        return None
    return cgroup.quota_us, cgroup.period_us, cgroup.cpus, cgroup.weight, cgroup.memory_limit_bytes


def _of_seconds(chosen: Sequence[Second]) -> tuple[float, ...]:
    count = max(1, len(chosen))
    moved = [s.cgroup for s in chosen if s.cgroup is not None]
    return (
        sum(s.used for s in chosen) / count,
        sum(s.waiting for s in chosen) / count,
        sum(s.demand for s in chosen) / count,
        sum(s.others for s in chosen) / count,
        sum(s.accept_queue or 0.0 for s in chosen) / count,
        sum(s.established or 0.0 for s in chosen) / count,
        sum(m.throttled_periods for m in moved) / max(1, sum(m.periods for m in moved)),
        sum(m.limit_hits or 0 for m in moved) / count,
        sum((m.memory_some_us or 0) * 1e-6 for m in moved) / count,
        sum(m.oom_kills or 0 for m in moved),
    )


def _of_pages(tracks: Tracks, track: ServiceTrack) -> tuple[float, ...]:
    fresh = track.serving is not None and tracks.now - track.serving[0] <= STALE_SECONDS
    said = track.rates if fresh else NOTHING
    told = (
        said.requests_per_second,
        said.errors_per_second,
        said.latency_seconds,
        said.latency_p50_seconds,
        said.latency_p99_seconds,
        said.in_flight,
        said.server_queue,
        said.batch_size,
        said.tokens_out_per_second,
        said.first_token_seconds,
        said.inter_token_seconds,
        said.kv_cache_ratio,
        said.preemptions_per_second,
        said.model_loads_per_second,
        said.model_evictions_per_second,
    )
    return tuple(value or 0.0 for value in told)


def _of_memory(track: ServiceTrack, workers: Sequence[WorkerTrack], cgroup: CgroupSample | None) -> tuple[float, ...]:
    held = track.trend.slices.last("resident_bytes")
    charged = None if cgroup is None else cgroup.memory_current_bytes
    shares = sum(w.memory.proportional_bytes or 0 for w in workers if w.memory is not None)
    swapped = sum(w.memory.swapped_bytes or 0 for w in workers if w.memory is not None)
    return ((held or 0.0) / _GIB, (charged or 0) / _GIB, shares / _GIB, swapped / _GIB)


def _of_workers(workers: Sequence[WorkerTrack], chosen: Sequence[Second]) -> tuple[float, ...]:
    """Cores of the busiest and of the idlest, switches and faults a second, threads."""
    ticks, oldest = [s.tick for s in chosen], chosen[0].tick if chosen else 0
    ran = [sum(w.ticks[t][0] for t in ticks if t in w.ticks) for w in workers]
    count = max(1, len(chosen))
    return (
        max(ran, default=0.0) / count,
        min(ran, default=0.0) / count,
        sum(n for w in workers for t, n in _lately(w.switches, count) if t >= oldest) / count,
        sum(n for w in workers for t, n in _lately(w.faults, count) if t >= oldest) / count,
        float(sum(w.sample.threads or 0 for w in workers if w.sample is not None)),
    )


def _of_connections(chosen: Sequence[Second]) -> tuple[float, ...]:
    looks = [s.connections for s in chosen if s.connections is not None]
    span = sum(look.seconds for look in looks) or 1.0
    return (
        sum(look.opened or 0 for look in looks) / span,
        sum(look.received_segments or 0 for look in looks) / span,
        sum(look.sent_bytes or 0 for look in looks) / span,
    )


def _of_models(track: ServiceTrack) -> tuple[float, ...]:
    """What the busiest pages say, model by model."""
    said = [rates for _, _, rates in list(track.models.values())[:MOST_MODELS]]
    return tuple(v or 0.0 for one in said for v in (one.requests_per_second, one.latency_seconds, one.batch_size))


def _lately(rows: Sequence[tuple[int, int]], count: int) -> Iterator[tuple[int, int]]:
    """The newest rows: where all of its seconds are loaded, those of the window."""
    return islice(reversed(rows), count)
