"""Does the memory of a service's processes grow without end, and when is there none left for it?"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from advisor.gpu.growth import Growth
from advisor.memory_growth import LEAST_BYTES, Grown, grown_of, left_to_grow
from advisor.memory_stretches import LONG_SECONDS, Row, span
from advisor.trend import Stretches
from advisor.view import View

FULL = 0.8
"""A peak above this part of the limit may have ended by being killed, not by giving back."""
MAPPED = frozenset(("gguf", "safetensors"))
"""Formats of which servers map the file, so that their resident memory grows while it is touched for the first time."""


Where = Literal["limit", "node"]
Room = tuple[float, float, Where]
"""Bytes left, at least and likely, and of what."""


class Leak(msgspec.Struct, frozen=True, kw_only=True):
    """`halves`: bytes by which it grew in the first and in the second half; `room`: bytes left, at least (as if nothing were
    given back) and likely; `asked`: whether requests came meanwhile."""

    growth: Growth
    halves: tuple[float, float]
    room: tuple[float, float]
    where: Where
    asked: bool

    @property
    def full_in(self) -> tuple[float, float, float]:
        """Seconds until nothing is left: 10 %, 50 % and 90 % points."""
        least, likely = self.room
        return least / self.growth.high, likely / self.growth.likely, likely / self.growth.low


def leak_of(view: View) -> Leak | None:
    """None where it does not grow steadily, where it only comes back to where it was before, or where no room is known."""
    grown = grown_of(view.trend)
    room = _room(view) if grown else None
    return None if room is None else next((_leak(one, room) for one in grown if _ends_there(view, one, room)), None)


def _ends_there(view: View, one: Grown, room: Room) -> bool:
    """Whether it is drawn out until nothing is left: it neither ends before, nor only comes back to where it was."""
    if span(one.rows) < LONG_SECONDS and _loads(view):
        return False
    return left_to_grow(one.halves, one.growth.seconds / 2) >= room[1] and not _came_before(view, one.rows)


def _leak(one: Grown, room: Room) -> Leak:
    first, second = (slope * one.growth.seconds / 2 for slope, _ in one.halves)
    return Leak(growth=one.growth, halves=(first, second), room=room[:2], where=room[2], asked=one.asked)


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
    return bool(peaks) and now < peak + LEAST_BYTES and (limit is None or peak < FULL * limit)


def _held_before(stretches: Stretches, since: float, generation: float, workers: float) -> list[float]:
    of, count = dict(stretches.points("generation")), dict(stretches.points("workers"))
    before = stretches.points("resident_bytes", until=since)
    return [held for end, held in before if of.get(end) == generation and count.get(end) == workers]


def _limit(view: View) -> int | None:
    return view.cgroup.memory_limit_bytes if view.cgroup else None


def _room(view: View) -> Room | None:
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
