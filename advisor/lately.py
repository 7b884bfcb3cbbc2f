"""What did a service do in its last loaded seconds, added up so that it is had without a look at each of them?"""

from collections.abc import Sequence
from itertools import accumulate, islice
from operator import add

from advisor.tracks import KEPT_PARTS, Second, ServiceTrack, Sums

PART_SECONDS = 5
"""Loaded seconds that are added up into one part."""
NUMBERS = ("used", "waiting", "demand", "others", "accept_queue", "established", "limit_hits", "stalled_seconds")
CGROUP = ("oom_kills", "periods", "throttled_periods")
COARSE = ("busiest", "idlest", "switches", "faults")
CONNECTIONS = ("looked_seconds", "opened", "received_segments", "sent_bytes")
_ENDS = [*accumulate(map(len, (NUMBERS, CGROUP, COARSE, CONNECTIONS)))]
SECTIONS = tuple(map(slice, (0, *_ENDS), _ENDS))
WIDTH = _ENDS[-1]


def add_loaded(track: ServiceTrack, second: Second) -> None:
    """Take in one loaded second."""
    if not track.parts or track.parts[-1].count >= PART_SECONDS:
        track.parts.append(Sums(tick=second.tick, count=0, values=(0.0,) * WIDTH))
    part = track.parts[-1]
    part.tick, part.count = second.tick, part.count + 1
    part.values = tuple(map(add, part.values, _row(second)))


def summed(track: ServiceTrack, oldest_tick: int, seconds: int) -> tuple[int, Sequence[float]]:
    """How many loaded seconds the newest parts hold that make up `seconds` of them and end no earlier than the tick, and their
    sums, in the order of the names above."""
    parts = islice(reversed(track.parts), min(KEPT_PARTS, seconds // PART_SECONDS + 1))
    chosen = [part for part in parts if part.tick >= oldest_tick]
    if not chosen:
        return 0, (0.0,) * WIDTH
    return sum(part.count for part in chosen), [*map(sum, zip(*(part.values for part in chosen), strict=True))]


def _row(second: Second) -> tuple[float, ...]:
    cgroup, look = second.cgroup, second.connections
    return (
        second.used,
        second.waiting,
        second.demand,
        second.others,
        second.accept_queue or 0.0,
        second.established or 0.0,
        *((0.0,) * 5 if cgroup is None else (
            cgroup.limit_hits or 0, (cgroup.memory_some_us or 0) * 1e-6, cgroup.oom_kills or 0, cgroup.periods,
            cgroup.throttled_periods,
        )),
        second.busiest,
        second.idlest,
        second.switches,
        second.faults,
        *((0.0,) * 4 if look is None else (
            look.seconds, look.opened or 0, look.received_segments or 0, look.sent_bytes or 0,
        )),
    )  # fmt: skip
