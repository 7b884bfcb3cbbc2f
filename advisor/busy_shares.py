"""How much of what could be busy was busy: the workers, or those of them that the cores left by others could run?"""

from collections.abc import Sequence

import msgspec

from advisor.past import of_present
from advisor.trend import Stretches
from advisor.view import quantile

LEAST_CORES = 0.1
NEWEST = 3
"""Slices that tell of now."""
FIELDS = ("demand", "cores_used", "others_cores", "pool_cores", "workers")


class Shares(msgspec.Struct, frozen=True):
    """Ratios 0..1: mean over the newest three stretches, and the 95 % point of all."""

    now: float
    p95: float


def busy_share(
    busy: float | None, used: float | None, others: float | None, pool: float | None, workers: float | None
) -> float | None:
    """Of one stretch: busy workers / those that could have been."""
    if busy is None or not workers:
        return None
    most = workers
    if used and pool is not None and others is not None and busy > 0:
        most = min(workers, max(LEAST_CORES, pool - others) * busy / used)
    return min(1.0, busy / most)


def busy_shares(slices: Stretches) -> Shares | None:
    """Of the slices of the present configuration; None of none."""
    return slices.once("busy shares", lambda: _shares(present_shares(slices)))


def present_shares(slices: Stretches) -> list[float | None]:
    """`busy_share` of each of them, oldest first."""
    return slices.each("busy share", FIELDS, busy_share, slices.present_since())


def day_busy_p95(minutes: Stretches, workers: int) -> float | None:
    """95 % point over the day's minutes of the present configuration."""

    def work() -> float | None:
        found = _shares([busy_share(*row) for row in of_present(minutes, workers, *FIELDS)])
        return None if found is None else found.p95

    return minutes.once(("busy p95", workers), work)


def _shares(shares: Sequence[float | None]) -> Shares | None:
    found = [share for share in shares if share is not None]
    most = quantile(found, 0.95)
    return None if most is None else Shares(sum(found[-NEWEST:]) / len(found[-NEWEST:]), most)
