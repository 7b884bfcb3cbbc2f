"""How do a service's seconds add up to the slices of its trend?"""

from collections.abc import Callable

from advisor.serving import STALE_SECONDS
from advisor.serving_rates import NOTHING
from advisor.tracks import ConnectionTick, Second, ServiceTrack, Slice, Tracks, cgroup_of
from advisor.trend import SLICE_SECONDS
from collectors.cpulist import parse_cpulist
from collectors.entities import Service
from collectors.sources.cgroup import CgroupSample


def add_second(tracks: Tracks, track: ServiceTrack, service: Service, second: Second, wall_seconds: float) -> bool:
    """Take in one second of the service. True where a minute has ended."""
    part, span = track.slice, second.seconds
    part.seconds += span
    part.loaded_seconds += span if second.loaded else 0.0
    part.demand += second.demand * span
    part.demand_peak = max(part.demand_peak, second.demand)
    part.cores_used += second.used * span
    part.waiting_cores += second.waiting * span
    part.others_cores += second.others * span
    if second.accept_queue is not None:
        part.accept_queue_peak = max(part.accept_queue_peak or 0.0, second.accept_queue)
    if second.established is not None:
        part.established += second.established * span
        part.established_seconds += span
    if second.connections is not None:
        part.connections.append(second.connections)
    if part.seconds < SLICE_SECONDS - 0.5:
        return False
    track.slice = Slice()
    return track.trend.add(wall_seconds, _values(tracks, track, service, part))


def _values(tracks: Tracks, track: ServiceTrack, service: Service, part: Slice) -> tuple[float | None, ...]:
    """In the order of `advisor.trend.FIELDS`."""
    held = [tracks.workers[w.key.entity].sample for w in service.workers if w.key.entity in tracks.workers]
    resident = [one.resident_bytes for one in held if one is not None and one.resident_bytes is not None]
    cgroup = tracks.cgroups.get(cgroup_of(service))
    fresh = track.serving is not None and tracks.now - track.serving[0] <= STALE_SECONDS
    said = track.rates if fresh else NOTHING
    return (
        part.seconds,
        part.loaded_seconds,
        part.demand / part.seconds,
        part.demand_peak,
        part.cores_used / part.seconds,
        part.waiting_cores / part.seconds,
        float(len(service.serving)),
        part.accept_queue_peak,
        part.established / part.established_seconds if part.established_seconds else None,
        float(sum(resident)) if resident else None,
        None if cgroup is None else cgroup.memory_current_bytes,
        None if cgroup is None else cgroup.memory_limit_bytes,
        part.others_cores / part.seconds,
        _pool_cores(tracks, cgroup),
        tracks.price_per_hour,
        said.requests_per_second,
        said.latency_seconds,
        said.latency_p50_seconds,
        said.latency_p99_seconds,
        said.tokens_out_per_second,
        _per_second(part, lambda look: look.opened),
        _per_second(part, lambda look: look.sent_bytes),
        _per_second(part, lambda look: look.received_segments),
        _segments_each(part),
        float(track.generation),
    )


def _pool_cores(tracks: Tracks, cgroup: CgroupSample | None) -> float | None:
    """Cores that the service could have: its cpuset, and no more than its quota."""
    cpus = float(len(tracks.cores)) or None
    if cgroup is None or cpus is None:
        return cpus
    if cgroup.cpus:
        cpus = min(cpus, float(len(parse_cpulist(cgroup.cpus))))
    return min(cpus, cgroup.quota_us / cgroup.period_us) if cgroup.quota_us and cgroup.period_us else cpus


def _segments_each(part: Slice) -> float | None:
    young = sum(look.young or 0 for look in part.connections)
    return sum(look.young_segments or 0 for look in part.connections) / young if young else None


def _per_second(part: Slice, growth: Callable[[ConnectionTick], int | None]) -> float | None:
    found = [(n, look.seconds) for look in part.connections if (n := growth(look)) is not None]
    return sum(n for n, _ in found) / sum(seconds for _, seconds in found) if found else None
