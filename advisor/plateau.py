"""What does a service answer while it can do no more?

Saturation needs both: all that it can use is busy, its workers or its cores, and more is asked for, which waits.
"""

from advisor.trend import Stretches
from advisor.view import View

BUSY = 0.9
"""Share of the workers, or of the cores that are left for them."""
WAITING_CORES = 0.3
LEAST_SLICES = 6
"""Half a minute: three windows of two looks at the server's page."""
WITHIN = 0.1
"""The stability rule of load generators: three windows within a tenth."""
_FIELDS = ("requests_per_second", "latency_seconds", "demand", "workers", "cores_used", "accept_queue_peak",
           "waiting_cores")  # fmt: skip


def plateau_of(view: View, cores: float) -> tuple[float, float, float] | None:
    """Least, mean and most requests per second of the newest slices in which it was saturated; None where they are too few
    or differ too much. `cores`: left for the service. Of one on GPUs it is not known when it is."""
    if view.gpus:
        return None
    slices: Stretches = view.trend.slices
    rates = [
        rate
        for rate, latency, demand, workers, used, queue, waiting in slices.table(*_FIELDS, since=slices.present_since())
        if rate and demand is not None and workers
        if demand >= BUSY * workers or (used or 0.0) >= BUSY * cores
        if (queue or 0.0) >= 1 or (waiting or 0.0) >= WAITING_CORES or rate * (latency or 0.0) > 1.2 * workers
    ][-LEAST_SLICES:]
    if len(rates) < LEAST_SLICES:
        return None
    mean = sum(rates) / len(rates)
    if max(abs(rate / mean - 1) for rate in rates) > WITHIN:
        return None
    return min(rates), mean, max(rates)
