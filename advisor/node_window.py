"""How do the node's counters over the chosen seconds become what a rule sees of memory, connections and clocks?"""

from collections.abc import Iterable, Sequence
from itertools import takewhile

from advisor.tracks import CgroupTick, ConnectionTick, NodeTick, Tracks
from advisor.view import ConnectionRates, FrequencyView, MemoryView

PAGE_BYTES = 4096


def memory_view(
    tracks: Tracks, cgroup: Sequence[CgroupTick], lately: Sequence[CgroupTick], ticks: set[int], span: float
) -> MemoryView:
    """Over the ticks, which span `span` seconds; `cgroup`: the growth of the service's cgroup in them; `lately`: in the last
    minute."""
    oldest = min(ticks, default=0)
    newest = takewhile(lambda row: row[0] >= oldest, reversed(tracks.node_ticks))
    seen = [tick for number, tick in newest if number in ticks][::-1]
    if span <= 0:
        return MemoryView(oom_kills=_total(t.oom_kills for t in lately))
    return MemoryView(
        some_ratio=_stalled(seen, "memory", 0, span),
        full_ratio=_stalled(seen, "memory", 1, span),
        io_some_ratio=_stalled(seen, "io", 0, span),
        io_full_ratio=_stalled(seen, "io", 1, span),
        cgroup_some_ratio=_ratio((t.memory_some_us for t in cgroup), 1e-6 / span),
        cgroup_full_ratio=_ratio((t.memory_full_us for t in cgroup), 1e-6 / span),
        limit_hits_per_second=_scaled((t.limit_hits for t in cgroup), 1 / span),
        oom_kills=_total(t.oom_kills for t in lately),
        node_oom_kills=_total(t.oom_kills for t in seen),
        node_major_faults_per_second=_scaled((t.major_faults for t in seen), 1 / span),
        swap_in_bytes_per_second=_scaled((t.swap_in_pages for t in seen), PAGE_BYTES / span),
        swap_out_bytes_per_second=_scaled((t.swap_out_pages for t in seen), PAGE_BYTES / span),
        swap_total_bytes=_kib(tracks.memory.swap_total_kib) if tracks.memory else None,
        swap_free_bytes=_kib(tracks.memory.swap_free_kib) if tracks.memory else None,
    )


def connection_rates(seen: Sequence[ConnectionTick]) -> ConnectionRates:
    """Over the looks at the port that fell into the window."""
    span = sum(look.seconds for look in seen)
    if span <= 0:
        return ConnectionRates()
    return ConnectionRates(
        opened_per_second=_scaled((look.opened for look in seen), 1 / span),
        received_bytes_per_second=_scaled((look.received_bytes for look in seen), 1 / span),
        sent_bytes_per_second=_scaled((look.sent_bytes for look in seen), 1 / span),
        received_segments_per_second=_scaled((look.received_segments for look in seen), 1 / span),
    )


def frequency_view(tracks: Tracks, cpu: int, ticks: set[int]) -> FrequencyView | None:
    track = tracks.frequencies.get(f"core:{cpu}") if tracks.frequencies else None
    if track is None:
        return None
    clocks = [khz for tick, khz, _ in track.recent if tick in ticks and khz is not None]
    told = track.sample.throttle_events is not None
    return FrequencyView(
        hertz=sum(clocks) / len(clocks) * 1e3 if clocks else None,
        base_hertz=_hertz(track.sample.base_khz),
        limit_hertz=_hertz(track.sample.limit_khz),
        maximum_hertz=_hertz(track.sample.maximum_khz),
        throttle_events=sum(n for tick, _, n in track.recent if tick in ticks) if told else None,
        governor=track.sample.governor,
    )


def _stalled(seen: Sequence[NodeTick], resource: str, which: int, span: float) -> float | None:
    found = [tick.stalled[resource][which] for tick in seen if resource in tick.stalled]
    return min(1.0, sum(found) / span) if found else None


def _ratio(growth: Iterable[int | None], scale: float) -> float | None:
    total = _total(growth)
    return None if total is None else min(1.0, total * scale)


def _scaled(growth: Iterable[int | None], scale: float) -> float | None:
    total = _total(growth)
    return None if total is None else total * scale


def _total(growth: Iterable[int | None]) -> int | None:
    known = [one for one in growth if one is not None]
    return sum(known) if known else None


def _hertz(khz: int | None) -> float | None:
    return None if khz is None else khz * 1e3


def _kib(value: int | None) -> int | None:
    return None if value is None else value * 1024
