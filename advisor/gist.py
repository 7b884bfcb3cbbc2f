"""What does a judgement of a service depend on, in numbers that are had without the work of a view?

Not among them: how busy each single core is, and what single threads do. Where these alone change, the judgement before holds
until it is too old.
"""

from collections.abc import Hashable, Sequence
from itertools import islice

import msgspec

from advisor.lately import SECTIONS, summed
from advisor.node_sums import node_sums
from advisor.serving import STALE_SECONDS
from advisor.serving_rates import NOTHING
from advisor.tracks import ServiceTrack, Tracks, WorkerTrack, cgroup_of
from advisor.window import OLDEST_FACTOR
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
    oldest = tracks.tick - OLDEST_FACTOR * horizon_seconds
    count, sums = summed(track, oldest, horizon_seconds)
    now, (killed, periods, throttled), coarse, (looked, *moved) = (sums[part] for part in SECTIONS)
    seconds = max(1, count)
    workers = [found for w in service.workers if (found := tracks.workers.get(w.key.entity)) is not None]
    cgroup, node = tracks.cgroups.get(cgroup_of(service)), node_sums(tracks)
    seen = (
        min(FULL_SAMPLES, count),
        any(s.loaded for s in islice(reversed(track.seconds), 5)),
        max((w.mask_tick for w in workers), default=0),
        _limits(cgroup),
        len(workers),
        sum(w.memory is not None for w in workers),
        all(w.delay_readable for w in workers),
        node.oom_kills,
        killed,
        len(track.models),
    )
    return Gist(
        (
            *(v / seconds for v in now),
            throttled / (periods or 1.0),
            *_of_pages(tracks, track),
            *_of_memory(track, workers, cgroup),
            *node.shares,
        ),
        (*seen, *exact),
        same,
        (
            *(v / seconds for v in coarse),
            *(v / (looked or 1.0) for v in moved),
            _threads(workers),
            *_of_models(track),
            *node.counts,
        ),
    )


def _limits(cgroup: CgroupSample | None) -> Hashable:
    if cgroup is None:
        return None
    return cgroup.quota_us, cgroup.period_us, cgroup.cpus, cgroup.weight, cgroup.memory_limit_bytes


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


def _threads(workers: Sequence[WorkerTrack]) -> float:
    return float(sum(w.sample.threads or 0 for w in workers if w.sample is not None))


def _of_models(track: ServiceTrack) -> tuple[float, ...]:
    """What the busiest pages say, model by model."""
    said = [rates for _, _, rates in list(track.models.values())[:MOST_MODELS]]
    return tuple(v or 0.0 for one in said for v in (one.requests_per_second, one.latency_seconds, one.batch_size))
