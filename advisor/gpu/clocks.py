"""What would a device get done with its clocks at their highest, and how are clocks and power told?"""

from advisor.finding import Gain
from advisor.gpu.view import GpuView
from advisor.intervals import gain, throughput

MHZ = 1e6
BUSY = 0.8
"""Below it the mean clock is also that of pauses: it bounds that of the work, and no more."""
AT_LIMIT = 0.97
"""Of the power limit: without the heat, that would hold the clocks down next."""
COMPUTES, STREAMS = 0.6, 0.6
"""Shares of time of the multiprocessors and of the memory from which the one or the other bounds the work."""
FULL_POWER = 0.98
"""Of the power limit as shipped: below it somebody has lowered the limit."""


def gains_of(gpu: GpuView, busy: float, held: float) -> tuple[Gain, ...]:
    """Highest / present clock on the part that computes, next to nothing where memory bounds the work. `held`: share of the
    window in which heat or brake held the clocks. Where the power limit did so too, only their part of the loss counts; where
    it is reached, it may take over. Only the time in which the device works gets shorter."""
    now, most = gpu.sm_clock_hertz, gpu.sm_clock_max_hertz
    if not now or not most or now >= most:
        return ()
    if busy < BUSY:
        return _with_pauses(gpu, busy, held, now / most)
    faster, dram, computing = most / now, gpu.dram_active_ratio, gpu.sm_active_ratio
    capped = gpu.power_cap_ratio or 0.0
    own = 1 + (faster - 1) * held / (held + capped)
    if dram is not None and dram >= STREAMS:
        bounds = (1.0, 1.0, 1 + (faster - 1) * (1 - dram))
    elif dram is None or computing is None or computing < COMPUTES:
        bounds = (1.0, (1 + own) / 2, faster)
    else:
        bounds = (1.0 if capped > held or _at_limit(gpu) else (1 + own) / 2, 1 + (own - 1) * computing, faster)
    return (throughput(*(1 / (1 - busy + busy / each) for each in bounds)),)


def _with_pauses(gpu: GpuView, busy: float, held: float, now: float) -> tuple[Gain, ...]:
    """`now`: mean clock / the highest. The work ran at no more than all of that in its part of the time, and likely at no less
    than the mean, as pauses have lower clocks. Each kernel takes as much longer; how much of a request kernels are is not
    known, at least the busy share where requests come one after another. Requests are not held up by a device that
    pauses, so that throughput may gain nothing."""
    dram, capped = gpu.dram_active_ratio, gpu.power_cap_ratio or 0.0
    part = held / (held + capped)
    least, most = (1 + (1 / clock - 1) * part for clock in (min(1.0, now / busy), now))
    if dram is not None and dram >= STREAMS * busy:
        least, likely = 1.0, 1.0
    else:
        least = least if dram is not None else 1.0
        likely = (least + most) / 2
    longer = gain("latency_p50_ratio", 1 / most, _less(busy, likely), _less(busy, least))
    return (longer, throughput(1.0, (1 + 1 / _less(busy, likely)) / 2, 1 / _less(busy, most)))


def _less(busy: float, faster: float) -> float:
    """Time after / before, if only the busy part gets shorter."""
    return 1 - busy + busy / faster


def _at_limit(gpu: GpuView) -> bool:
    return bool(gpu.power_limit_watts and (gpu.power_watts or 0.0) >= AT_LIMIT * gpu.power_limit_watts)


def lowered(gpu: GpuView) -> bool:
    limit, shipped = gpu.power_limit_watts, gpu.power_limit_default_watts
    return limit is not None and shipped is not None and limit < FULL_POWER * shipped


def bound(gpu: GpuView) -> str:
    dram, computing = gpu.dram_active_ratio, gpu.sm_active_ratio
    if dram is None or computing is None:
        return "Whether its work waits for clocks or for memory is not counted on it."
    what = f"its multiprocessors worked {computing:.0%} of the time, its memory {dram:.0%}"
    if dram >= STREAMS:
        return f"Higher clocks would hardly help: {what}."
    return f"Its work waits for clocks: {what}." if computing >= COMPUTES else f"Of its use is known: {what}."


def clocks(gpu: GpuView) -> str:
    if gpu.sm_clock_hertz is None:
        return " at clocks that are not told"
    most = "" if gpu.sm_clock_max_hertz is None else f" of {gpu.sm_clock_max_hertz / MHZ:.0f}"
    return f" at {gpu.sm_clock_hertz / MHZ:.0f}{most} MHz"


def power(gpu: GpuView) -> str:
    if gpu.power_watts is None or gpu.power_limit_watts is None:
        return "power that is not told"
    held = "" if gpu.power_cap_ratio is None else f", the limit held the clocks {gpu.power_cap_ratio:.0%} of the time"
    return f"{gpu.power_watts:.0f} of {gpu.power_limit_watts:.0f} W{held}"
