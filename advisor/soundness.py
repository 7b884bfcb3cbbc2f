"""Does the load show what a service can do, or only what its clients let it do?

A closed-loop client asks again when it has its answer: with it the rate is what the service gives, and demand beyond that
does not show. Work per request that changes from minute to minute makes one capacity of several.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from advisor.queued import in_progress
from advisor.rate import shown
from advisor.trend import SLICE_SECONDS, Stretches
from advisor.view import View

LOOKS = 12
"""Slices over which connections must have stood still: a minute, in which they are counted six times."""
PAGES = 6
MOST_CONNECTIONS = 64
"""More that stand still may be a full accept queue: the smallest limits in use are 100 and more."""
WINDOW_SLICES = 6
WINDOWS = 3
LEAST_REQUESTS = 100
"""In each window: fewer scatter by more than a tenth by themselves."""
LEAST_BUSY = 0.3
"""Busy workers in each window below which their share is not known to a tenth."""

Kind = Literal["closed-loop", "connections-stand-still", "unstable"]


class Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """Why capacity figures are lower bounds: what was seen, and the limit that it was compared with."""

    kind: Kind
    metric: str
    unit: str
    observed: float
    limit: float
    in_flight: float | None
    because: str


def doubt_of(view: View, *, spread: float = 0.1, moved: float = 1.25, unstable: float = 0.1) -> Doubt | None:
    """The first that holds. `spread`: of what stands still, relative; `moved`: largest / smallest latency; `unstable`:
    deviation of a window from the mean."""
    return _closed_by_pages(view, spread, moved) or _closed_by_connections(view, spread) or _unstable(view, unstable)


def _closed_by_pages(view: View, spread: float, moved: float) -> Doubt | None:
    """Requests in flight stay the same while their latency moves: each answer lets one more in."""
    pages = view.loads[-PAGES:]
    if len(pages) < PAGES or view.requests_per_second is None:
        return None
    flying = [page.in_progress for page in pages]
    mean = sum(flying) / len(flying)
    latencies = [page.in_progress / page.per_second for page in pages]
    factor = max(latencies) / min(latencies) if min(latencies) > 0 else 0.0
    if mean < 0.5 or _spread(flying) > spread or factor < moved:
        return None
    because = f"{mean:.1f} requests are in flight however long they take: latency moved by a factor of {factor:.2f}"
    return Doubt(kind="closed-loop", metric="requests_in_flight_spread", unit="ratio", observed=_spread(flying),
                 limit=spread, in_flight=mean, because=because)  # fmt: skip


def _closed_by_connections(view: View, spread: float) -> Doubt | None:
    """Connections stand still, and each has a request in flight. Independent clients would come and go: their number would
    vary by about its root."""
    slices = view.trend.slices
    seen = slices.present("established")[-LOOKS:]
    if len(seen) < LOOKS or not view.demand:
        return None
    mean = sum(seen) / len(seen)
    variance = sum((each - mean) ** 2 for each in seen) / len(seen)
    flying = _flying(view)
    if not 1 <= mean <= MOST_CONNECTIONS or variance > spread * mean or flying is None:
        return None
    if abs(flying - mean) > max(spread * mean, 0.25):
        return None
    because = f"{mean:.0f} connections stand still, and {flying:.1f} requests are in flight on them"
    return Doubt(kind="connections-stand-still", metric="connections_variance_ratio", unit="ratio",
                 observed=variance / mean, limit=spread, in_flight=flying, because=because)  # fmt: skip


def _flying(view: View) -> float | None:
    """Requests in the server, and those that wait to be accepted. Without its page they are told only where every worker
    has one at a time: then all that is not in the accept queue keeps a worker busy."""
    queue = sum(view.accept_queue) / len(view.accept_queue) if view.accept_queue else None
    inside = in_progress(view)
    if inside is not None:
        return inside + (queue or 0.0)
    if queue is None or any(w.request_threads != 1 for w in view.service.serving):
        return None
    return queue + sum(view.demand) / len(view.demand)


def _unstable(view: View, most: float) -> Doubt | None:
    """Requests per busy worker, in three windows."""
    found = windows(view)
    if found is None:
        return None
    mean = sum(found) / len(found)
    off = max(abs(each / mean - 1) for each in found)
    if off <= most:
        return None
    told = ", ".join(shown(each) for each in found)
    seconds = WINDOW_SLICES * SLICE_SECONDS
    because = f"a busy worker answered {told} requests/s in three windows of {seconds:.0f} s"
    return Doubt(kind="unstable", metric="one_worker_rate_deviation", unit="ratio", observed=off, limit=most,
                 in_flight=in_progress(view), because=because)  # fmt: skip


def windows(view: View) -> tuple[float, ...] | None:
    """Requests per second and busy worker in the last three windows of the present configuration, oldest first; None where
    one of them has too few requests, or hardly any work, to tell."""
    slices = view.trend.slices
    return slices.once("windows", lambda: _windows(slices))


def _windows(slices: Stretches) -> tuple[float, ...] | None:
    count = WINDOW_SLICES * WINDOWS
    rows = slices.table("requests_per_second", "demand", since=slices.present_since())[-count:]
    if len(rows) < count:
        return None
    found = []
    for start in range(0, count, WINDOW_SLICES):
        part = rows[start : start + WINDOW_SLICES]
        rates = [rate for rate, _ in part if rate is not None]
        busy = sum(demand or 0.0 for _, demand in part) / len(part)
        if len(rates) < len(part) or sum(rates) * SLICE_SECONDS < LEAST_REQUESTS or busy < LEAST_BUSY:
            return None
        found.append(sum(rates) / len(rates) / busy)
    return tuple(found)


def _spread(values: Sequence[float]) -> float:
    """Standard deviation / mean."""
    mean = sum(values) / len(values)
    return (sum((each - mean) ** 2 for each in values) / len(values)) ** 0.5 / mean if mean > 0 else 0.0
