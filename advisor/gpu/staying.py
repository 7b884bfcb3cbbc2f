"""How many of a service's workers does the work of all of them keep busy?"""

from math import ceil

from advisor.gpu.view import ServiceGpu
from advisor.view import View

FULL = 0.8
"""Of the time of the workers that stay, at most, may be taken by what all do now on the CPU and on the device."""
LEAST_SECONDS = 15


def workers_needed(view: View, one: ServiceGpu) -> int | None:
    """A worker is on the CPU (or waits for it), or on the device, or idle. None before load was seen, where the processes on
    the device are not the workers, and where it is not known what they do there."""
    serving, busy = {w.key for w in view.serving}, one.sm_ratio
    if view.samples < LEAST_SECONDS or busy is None or any(p.worker not in serving for p in one.own):
        return None
    return max(1, ceil((sum(w.runnable for w in view.serving) + busy) / FULL))
