"""What did the whole node do lately, in a few numbers that are the same for all of its services?"""

from itertools import islice

from advisor.tracks import NodeSums, Tracks

LATELY = 15
"""Ticks."""


def node_sums(tracks: Tracks) -> NodeSums:
    """Worked out once a tick."""
    if tracks.node_sums is None or tracks.node_sums.tick != tracks.tick:
        tracks.node_sums = _summed(tracks)
    return tracks.node_sums


def _summed(tracks: Tracks) -> NodeSums:
    lately = [tick for _, tick in islice(reversed(tracks.node_ticks), LATELY)]
    count = max(1, len(lately))
    stalled = [
        sum(tick.stalled[name][which] for tick in lately if name in tick.stalled) / count
        for name in ("memory", "io")
        for which in (0, 1)
    ]
    memory, cores = tracks.memory, max(1, len(tracks.cores))
    free = 0.0 if memory is None else (memory.available_kib or 0) / max(1, memory.total_kib or 1)
    swap = 0.0 if memory is None else (memory.swap_free_kib or 0) / max(1, memory.swap_total_kib or 1)
    newest, oldest = (tracks.core_ticks.get(tracks.tick - back, {}) for back in (1, 1 + LATELY))
    gone = sum(steal for _, steal in newest.values()) - sum(steal for _, steal in oldest.values())
    stolen = gone / min(LATELY, max(1, len(tracks.core_ticks))) / cores
    clocks = [one.sample.current_khz for one in tracks.frequencies.values()]
    known = [khz for khz in clocks if khz is not None]
    return NodeSums(
        tracks.tick,
        (*stalled, free, swap, stolen),
        (
            sum(tick.major_faults or 0 for tick in lately) / count,
            sum(tick.swap_in_pages or 0 for tick in lately) / count,
            sum(tick.swap_out_pages or 0 for tick in lately) / count,
            sum(known) / len(known) * 1e-6 if known else 0.0,
        ),
        sum(tick.oom_kills or 0 for tick in lately),
    )
