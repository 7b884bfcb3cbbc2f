"""How many workers were needed at once, in the busiest second of each stretch of time?

A request needs a worker also while it waits for something else. Where the server's page tells how many are in progress, these
count; else as many as there are connections, which is never too few. Where neither is known, nothing is told.
"""

from collections.abc import Sequence

import msgspec

from advisor.past import of_present
from advisor.trend import Stretches
from advisor.view import View, quantile

FEW_MINUTES = 20
"""With fewer, slices of five seconds tell more."""
_FIELDS = ("seconds", "loaded_seconds", "demand", "demand_peak", "cores_used", "accept_queue_peak", "requests_per_second",
           "latency_seconds", "established")  # fmt: skip


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Stretches of the present configuration. `needed`: workers, in the busiest second of each."""

    count: int
    seconds: float
    loaded_seconds: float
    needed_p99: float
    needed_most: float
    busy_mean: float
    busy_p95: float
    cores_mean: float
    cores_p90: float
    queue_p99: float
    by_page: bool
    """Whether all requests were counted by the server's page."""

    @property
    def cores_each(self) -> float:
        """That a busy worker uses."""
        return self.cores_mean / self.busy_mean if self.busy_mean > 0 else 0.0


def seen_of(view: View) -> tuple[Seen, float, float] | None:
    """The last day, the hours for which it was watched, and the most workers that were needed in all of them (as far as
    eight days back); None where that is not known."""
    workers, trend = len(view.serving), view.trend
    slices, minutes, hourly = (_seen(one, workers) for one in (trend.slices, trend.minutes, trend.hourly))
    fine = minutes if minutes is not None and minutes.count >= FEW_MINUTES else slices
    if fine is None:
        return None
    known = [one for one in (slices, minutes, hourly) if one is not None]
    hours = max([fine.seconds / 3600, *(one.seconds / 3600 for one in known)])
    return fine, hours, max(one.needed_most for one in known)


def _seen(stretches: Stretches, workers: int) -> Seen | None:
    return stretches.once(("needed", workers), lambda: _worked_out(of_present(stretches, workers, *_FIELDS)))


def _worked_out(rows: Sequence[tuple[float | None, ...]]) -> Seen | None:
    """None of nothing, and where requests in progress are not known in more than a tenth of them."""
    needed = [(max(row[3] or 0.0, held[0]), held[1]) for row in rows if (held := _held(*row[6:])) is not None]
    if not needed or len(needed) < 0.9 * len(rows):
        return None
    seconds, loaded, busy, _, cores, queue = (
        [value or 0.0 for value in column] for column in list(zip(*rows, strict=True))[:6]
    )
    most = [workers for workers, _ in needed]
    return Seen(
        count=len(rows),
        seconds=sum(seconds),
        loaded_seconds=sum(loaded),
        needed_p99=quantile(most, 0.99) or 0.0,
        needed_most=max(most),
        busy_mean=sum(busy) / len(busy),
        busy_p95=quantile(busy, 0.95) or 0.0,
        cores_mean=sum(cores) / len(cores),
        cores_p90=quantile(cores, 0.9) or 0.0,
        queue_p99=quantile(queue, 0.99) or 0.0,
        by_page=all(by_page for _, by_page in needed),
    )


def _held(rate: float | None, latency: float | None, established: float | None) -> tuple[float, bool] | None:
    """Requests in progress, or at most so many, and whether the page told it (by Little's law)."""
    if rate == 0.0:
        return 0.0, True
    if rate is not None and latency is not None:
        return rate * latency, True
    return None if established is None else (established, False)
