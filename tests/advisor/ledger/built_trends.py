"""Trends whose numbers are chosen."""

from collections.abc import Mapping

from advisor.trend import FIELDS, SLICE_SECONDS, Trend

MINUTE_START = 1_700_000_040.0

USUAL: Mapping[str, float | None] = {
    "seconds": SLICE_SECONDS,
    "loaded_seconds": SLICE_SECONDS,
    "demand": 2.0,
    "demand_peak": 2.0,
    "cores_used": 2.0,
    "workers": 2.0,
    "pool_cores": 2.0,
    "others_cores": 0.0,
    "established": 8.0,
    "resident_bytes": 400e6,
}


def wobble(position: int) -> float:
    """A few percent up and down, the same each time."""
    return 1 + 0.02 * ((position * 7) % 5 - 2) / 2


def add(trend: Trend, count: int, *, start: float, **fields: float | None) -> float:
    """Add slices one after the other; rates and latencies wobble a little. When the last one ended."""
    end = start
    for position in range(count):
        end += SLICE_SECONDS
        values = {**USUAL, **fields}
        row = []
        for name in FIELDS:
            value = values.get(name)
            moves = value is not None and name.startswith(("requests", "latency", "opened", "sent", "received"))
            row.append(value * wobble(position) if moves and value is not None else value)
        trend.add(end, row)
    return end
