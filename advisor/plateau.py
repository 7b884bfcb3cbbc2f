"""What does a service answer while it can do no more?

Saturation needs both: all that it can use is busy, its workers or the cores that others leave, and more is asked for, which
waits.
"""

from advisor.busy_shares import present_shares
from advisor.trend import Stretches
from advisor.view import View

BUSY = 0.9
WAITING_CORES = 0.3
LEAST_SLICES = 6
"""Half a minute: three windows of two looks at the server's page."""
WITHIN = 0.1
"""The stability rule of load generators: three windows within a tenth."""
_FIELDS = ("requests_per_second", "latency_seconds", "accept_queue_peak", "waiting_cores", "workers")


def plateau_of(view: View) -> tuple[float, float, float] | None:
    """Least, mean and most requests per second of the newest slices in which it was saturated; None where they are too few
    or differ too much. Of a service on GPUs it is not known when it is."""
    slices = view.trend.slices
    return None if view.gpus else slices.once("plateau", lambda: _plateau(slices))


def _plateau(slices: Stretches) -> tuple[float, float, float] | None:
    shares = present_shares(slices)
    full = [place for place, share in enumerate(shares) if share is not None and share >= BUSY]
    if len(full) < LEAST_SLICES:
        return None
    rates, rows = [], slices.table(*_FIELDS, since=slices.present_since())
    for rate, latency, queue, waiting, workers in (rows[place] for place in full):
        if not rate or not workers:
            continue
        if (queue or 0.0) >= 1 or (waiting or 0.0) >= WAITING_CORES or rate * (latency or 0.0) > 1.2 * workers:
            rates.append(rate)
    newest = rates[-LEAST_SLICES:]
    if len(newest) < LEAST_SLICES:
        return None
    mean = sum(newest) / len(newest)
    if max(abs(rate / mean - 1) for rate in newest) > WITHIN:
        return None
    return min(newest), mean, max(newest)
