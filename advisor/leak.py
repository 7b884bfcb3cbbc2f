"""Does the memory of a service's processes grow without end, and when is there none left for it?"""

from collections.abc import Sequence
from math import ceil
from typing import Literal

import msgspec

from advisor.gpu.growth import DECAY, Growth, Seen, growth_of
from advisor.trend import SLICE_SECONDS, Stretches
from advisor.view import View

POINTS = 60
"""The slopes of all pairs are taken: so many points are enough."""
LONG_SECONDS = 1800.0
"""From so much on minutes are judged, and slices of five seconds before."""
KEPT_SECONDS = 21600.0
"""No growth is looked at for longer."""
YOUNG_SECONDS = 300.0
YOUNG_DECAY = 0.75
"""Of a growth seen for less than that, the second half has to be nearly as much as the first: most warm-ups are over soon."""
LEAST_SECONDS, LEAST_POINTS = 45.0, 9
IDLE_SECONDS = 600.0
"""Growth without any request: a model that is loaded before the first one takes less long."""
LEAST_BYTES = 8 << 20
FALL, FALL_BYTES = 0.95, 16 << 20
"""What falls by more was given back: a worker that was replaced, a cache that was emptied. It begins anew then."""
FULL = 0.8
"""A peak above this part of the limit may have ended by being killed, not by giving back."""
MAPPED = frozenset(("gguf", "safetensors"))
"""Formats of which servers map the file, so that their resident memory grows while it is touched for the first time."""


class Leak(msgspec.Struct, frozen=True, kw_only=True):
    """`halves`: bytes by which it grew in the first and in the second half; `room`: bytes left, at least (as if nothing were
    given back) and likely; `asked`: whether requests came meanwhile."""

    growth: Growth
    halves: tuple[float, float]
    room: tuple[float, float]
    where: Literal["limit", "node"]
    asked: bool

    @property
    def full_in(self) -> tuple[float, float, float]:
        """Seconds until nothing is left: 10 %, 50 % and 90 % points."""
        least, likely = self.room
        return least / self.growth.high, likely / self.growth.likely, likely / self.growth.low


def leak_of(view: View) -> Leak | None:
    """None where it does not grow steadily, where it only comes back to where it was before, or where no room is known."""
    if not _grew(view.trend.minutes) and not _grew(view.trend.slices):
        return None
    rows = _unbroken(view.trend.minutes, 60.0)
    if not rows or rows[-1][0] - rows[0][0] < LONG_SECONDS:
        rows = _unbroken(view.trend.slices, SLICE_SECONDS)
    asked = any(row[2] for row in rows)
    rows = rows[next((place for place, row in enumerate(rows) if row[2]), 0) :]
    room = _room(view)
    if len(rows) < 2 or room is None or (rows[-1][0] - rows[0][0] < LONG_SECONDS and _loads(view)):
        return None
    seen = _thinned(rows)
    seconds = seen[0][0]
    decay = YOUNG_DECAY if seconds < YOUNG_SECONDS else DECAY
    growth = growth_of(seen, LEAST_SECONDS if asked else IDLE_SECONDS, decay, LEAST_POINTS)
    if growth is None or rows[-1][1] - rows[0][1] < LEAST_BYTES or _came_before(view, rows):
        return None
    middle = min(seen, key=lambda one: abs(one[0] - seconds / 2))[1]
    halves = (float(middle - seen[0][1]), float(seen[-1][1] - middle))
    return Leak(growth=growth, halves=halves, room=room[:2], where=room[2], asked=asked)


def _grew(stretches: Stretches) -> bool:
    """Whether it holds more than it ever held least: else nothing else has to be looked at, which is the usual case."""
    since = stretches.ends[-1] - KEPT_SECONDS if len(stretches) else 0.0
    held = stretches.values("resident_bytes", since)
    return bool(held) and held[-1] - min(held) >= LEAST_BYTES


Row = tuple[float, float, bool]
"""When it ended (Unix seconds), resident bytes of all its processes then, whether anything was asked of it."""
_ASKED = (
    "requests_per_second",
    "opened_per_second",
    "received_segments_per_second",
    "established",
    "accept_queue_peak",
)


def _unbroken(stretches: Stretches, step_seconds: float) -> list[Row]:
    """The newest stretches under one configuration, with one number of workers, without a gap and without a fall."""
    if not len(stretches):
        return []
    rows = stretches.table(
        "resident_bytes", "workers", "generation", "loaded_seconds", *_ASKED, since=stretches.ends[-1] - KEPT_SECONDS
    )
    kept: list[Row] = []
    before: tuple[float | None, ...] = ()
    for end, (held, workers, generation, *load) in zip(reversed(stretches.ends), reversed(rows), strict=False):
        if held is None:
            continue
        if kept:
            after, later, _ = kept[-1]
            fell = later < FALL * held and held - later > FALL_BYTES
            if before != (workers, generation) or after - end > 3 * step_seconds or fell:
                break
        before = (workers, generation)
        kept.append((end, held, _asked(load)))
    kept.reverse()
    return kept


def _asked(load: Sequence[float | None]) -> bool:
    """Whether requests came: a model that is loaded uses the CPU without any. Where none can be counted, that has to do."""
    busy, *signs = load
    return any(signs) or (all(sign is None for sign in signs[:3]) and bool(busy))


def _thinned(rows: Sequence[Row]) -> Seen:
    step = ceil(len(rows) / POINTS)
    newest = rows[-1][0]
    return [(newest - end, int(held)) for end, held, _ in reversed(rows[::-1][::step])]


def _came_before(view: View, rows: Sequence[Row]) -> bool:
    """Whether under this configuration it held as much before, and gave it back: it goes up and down."""
    now, since = rows[-1][1], rows[0][0]
    generation, workers = view.trend.slices.points("generation"), view.trend.slices.points("workers")
    if not generation or not workers:
        return False
    peaks = [
        held
        for stretches in (view.trend.slices, view.trend.minutes)
        for held in _held_before(stretches, since, generation[-1][1], workers[-1][1])
    ]
    limit = _limit(view) or view.memory_total_bytes
    peak = max(peaks, default=0.0)
    return now < peak and (limit is None or peak < FULL * limit)


def _held_before(stretches: Stretches, since: float, generation: float, workers: float) -> list[float]:
    of, count = dict(stretches.points("generation")), dict(stretches.points("workers"))
    before = stretches.points("resident_bytes", until=since)
    return [held for end, held in before if of.get(end) == generation and count.get(end) == workers]


def _limit(view: View) -> int | None:
    return view.cgroup.memory_limit_bytes if view.cgroup else None


def _room(view: View) -> tuple[float, float, Literal["limit", "node"]] | None:
    """Bytes left, at least and likely: page cache is given back, the memory of processes is not."""
    limit, current = _limit(view), view.cgroup.memory_current_bytes if view.cgroup else None
    free, resident = view.memory_available_bytes, view.resident_bytes
    charged = [one for one in (current, resident) if one is not None]
    if limit is not None and charged:
        likely = max(0, limit - min(charged))
        least = max(0, limit - (current if current is not None else charged[0]))
        if free is None or likely <= free:
            return min(least, likely), likely, "limit"
    return None if free is None else (free, free, "node")


def _loads(view: View) -> bool:
    """Whether its models may still come in: its processes hold less than their files, or one maps files that it has not
    touched in full."""
    files = [f for m in view.service.models for f in m.files]
    stored, mapped = sum(f.size_bytes for f in files), sum(f.size_bytes for f in files if f.format in MAPPED)
    held = [w.resident_bytes for w in view.serving if w.resident_bytes is not None]
    return bool(held) and (sum(held) < stored or min(held) < mapped)


def requests_per_second(view: View) -> float | None:
    """What the server counts; else at least as many as connections are opened, or as half of the segments that come in, where
    a request fits into one."""
    if view.requests_per_second is not None:
        return view.requests_per_second or None
    seen = view.connections
    segments, came = seen.received_segments_per_second, seen.received_bytes_per_second
    short = segments is not None and came is not None and came <= ONE_SEGMENT * segments
    return max(seen.opened_per_second or 0.0, (segments or 0.0) / 2 if short else 0.0) or None


ONE_SEGMENT = 1200
"""Bytes of a request, on average, that fit into one TCP segment of an Ethernet."""
