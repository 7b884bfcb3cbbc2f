"""Over which stretches of time may the growth of a service's memory be judged?

Since the first request, or since it began to grow. What grew as fast or faster just before is one warm-up, of which an end by
itself looks even.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median

from advisor.trend import SLICE_SECONDS, Stretches, Trend

LONG_SECONDS = 1800.0
"""From so much on minutes are judged, and slices of five seconds before."""
KEPT_SECONDS = 21600.0
"""No growth is looked at for longer."""
SHORTEST_SECONDS = 45.0
FALL, FALL_BYTES = 0.95, 16 << 20
"""What falls by more was given back: a worker that was replaced, a cache that was emptied. It begins anew then."""
SHORTER = 1.2
"""By which factor each end of the time that is judged is shorter than the one before."""
PARTS_BEFORE, LEAST_PARTS_BEFORE, LESS = 9, 3, 0.5
"""Parts in which the time before is looked at, and what share of the growth they may show where it is said to begin."""

Row = tuple[float, float, bool]
"""When it ended (Unix seconds), resident bytes of all its processes then, whether anything was asked of it."""


def stretches_of(trend: Trend) -> Iterator[Sequence[Row]]:
    """All that is unbroken since the first request, then each shorter end of it before which it did not grow like that: the
    longest first. What grew as fast or faster before is one warm-up, of which an end by itself looks steady."""
    minutes, slices = _unbroken(trend.minutes, 60.0), _unbroken(trend.slices, SLICE_SECONDS)
    whole = minutes if span(minutes) >= LONG_SECONDS else slices
    whole = whole[next((place for place, row in enumerate(whole) if row[2]), 0) :]
    yield whole
    if len(whole) < 2:
        return
    older = [row for row in minutes if not slices or row[0] < slices[0][0]]
    known, length = [*older, *slices], span(whole) / SHORTER
    while length >= SHORTEST_SECONDS:
        rows = _newest(minutes if length >= LONG_SECONDS else slices, length)
        if _begins(known, rows):
            yield rows
        length /= SHORTER


def _newest(rows: Sequence[Row], seconds: float) -> Sequence[Row]:
    return rows[bisect_left(rows, rows[-1][0] - seconds - 0.1, key=lambda row: row[0]) :] if rows else ()


def _begins(known: Sequence[Row], rows: Sequence[Row]) -> bool:
    """Whether growth like that of `rows` begins with them: over as much time before, as far as it is known, most parts grew
    by less than half of it. A step, as of a model that is loaded, is one or two of the parts."""
    if len(rows) < 2:
        return False
    start, seconds = rows[0][0], span(rows)
    before = min(seconds, start - known[0][0])
    parts = min(PARTS_BEFORE, int(before / SLICE_SECONDS))
    if parts < LEAST_PARTS_BEFORE:
        return False
    held = [_held_at(known, start - before * (parts - part) / parts) for part in range(parts + 1)]
    typical = median(later - earlier for earlier, later in pairwise(held)) / (before / parts)
    return typical < LESS * (rows[-1][1] - rows[0][1]) / seconds


def _held_at(known: Sequence[Row], at: float) -> float:
    place = bisect_left(known, at, key=lambda row: row[0])
    return min(known[max(0, place - 1) : place + 1], key=lambda row: abs(row[0] - at))[1]


def span(rows: Sequence[Row]) -> float:
    return rows[-1][0] - rows[0][0] if rows else 0.0


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
