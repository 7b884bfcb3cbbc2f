"""Is a service so much as it was when it was judged last that judging it again would say the same?

Most services of a node do for hours what they did a moment ago. Their numbers are compared as they come, without the work of
a view; where one has moved by more than noise, or anything about the service has changed, it is judged anew.
"""

from collections.abc import Hashable, Mapping
from zlib import crc32

import msgspec

from advisor.engine import Judgement
from advisor.serving import STALE_SECONDS
from advisor.serving_rates import NOTHING
from advisor.tracks import Second, ServiceTrack, Tracks, cgroup_of
from advisor.view import View
from advisor.window import chosen_seconds
from collectors.entities import Service
from collectors.reading import Instant

LONGEST_SECONDS = 20.0
"""A judgement is not carried on for longer."""
MOVED_RATIO = 0.04
MOVED_CORES = 0.02
FULL_SAMPLES = 15


class Gist(msgspec.Struct, frozen=True):
    """What a judgement depends on: `numbers` may waver a little, `exact` may not, `same` must be the same objects."""

    numbers: tuple[float, ...]
    exact: tuple[Hashable, ...]
    same: tuple[object, ...]


class _Kept(msgspec.Struct, frozen=True):
    gist: Gist
    at: Instant
    view: View
    judgement: Judgement


class Steady:
    """The last judgement of each service, and when it may be carried on. One thread uses it."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    def carried(self, service: Service, gist: Gist | None, now: Instant) -> tuple[View, Judgement] | None:
        """The last view and judgement, where they still hold."""
        kept = self._kept.get(service.id)
        if kept is None or gist is None or not _alike(kept.gist, gist):
            return None
        # spread over passes, so that not all services are due in the same one
        longest = LONGEST_SECONDS * (0.75 + (crc32(service.id.encode()) & 255) / 1024)
        if not 0 <= (now.mono_ns - kept.at.mono_ns) * 1e-9 < longest:
            return None
        return kept.view, kept.judgement

    def keep(self, service: Service, gist: Gist | None, view: View, judgement: Judgement, now: Instant) -> None:
        if gist is not None:
            self._kept[service.id] = _Kept(gist, now, view, judgement)

    def keep_only(self, services: Mapping[str, object]) -> None:
        for name in self._kept.keys() - services.keys():
            del self._kept[name]


def gist_of(
    tracks: Tracks, service: Service, horizon_seconds: int, exact: tuple[Hashable, ...], same: tuple[object, ...]
) -> Gist | None:
    """`exact` and `same`: what else must be as it was. None where a service is judged each time: on a GPU everything moves."""
    track = tracks.services.get(f"service:{service.id}")
    if track is None or tracks.gpus.works(service, tracks.now) or any(w.devices for w in service.workers):
        return None
    chosen = chosen_seconds(tracks, track, horizon_seconds)
    masks = max(
        (tracks.workers[w.key.entity].mask_tick for w in service.workers if w.key.entity in tracks.workers), default=0
    )
    cgroup = tracks.cgroups.get(cgroup_of(service))
    limits = None if cgroup is None else (cgroup.quota_us, cgroup.cpus, cgroup.memory_limit_bytes)
    looks = [tracks.workers[w.key.entity].memory for w in service.workers if w.key.entity in tracks.workers]
    loaded_now = any(s.loaded for s in list(track.seconds)[-5:])
    looked = sum(one is not None for one in looks)
    seen = (min(FULL_SAMPLES, len(chosen)), loaded_now, masks, limits, len(looks), looked)
    return Gist(_numbers(tracks, track, chosen), (*seen, *exact), same)


def _numbers(tracks: Tracks, track: ServiceTrack, chosen: list[Second]) -> tuple[float, ...]:
    count = max(1, len(chosen))
    moved = [s.cgroup for s in chosen if s.cgroup is not None]
    fresh = track.serving is not None and tracks.now - track.serving[0] <= STALE_SECONDS
    said = track.rates if fresh else NOTHING
    trend = track.trend.slices
    held = trend.last("resident_bytes")
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
        said.requests_per_second or 0.0,
        said.latency_seconds or 0.0,
        said.latency_p99_seconds or 0.0,
        said.in_flight or 0.0,
        said.batch_size or 0.0,
        said.model_evictions_per_second or 0.0,
        (held or 0.0) / (1 << 30),
    )


def _alike(before: Gist, now: Gist) -> bool:
    if before.exact != now.exact or any(a is not b for a, b in zip(before.same, now.same, strict=True)):
        return False
    pairs = zip(before.numbers, now.numbers, strict=True)
    return all(abs(a - b) <= max(MOVED_CORES, MOVED_RATIO * abs(a)) for a, b in pairs)
