"""Is there room on a service's devices for one more copy of what its processes hold there, and what could it get done?"""

from advisor.gpu.use import use_of
from advisor.gpu.view import GpuView, ServiceGpu
from advisor.view import View

KEPT_FREE = 0.1
"""Part of the free memory that is left alone: requests of other sizes, fragments."""
NO_LIMIT = 1 << 10
_STEPS = 50


def copy_bytes(one: ServiceGpu) -> int | None:
    """What one more process would hold: as much as the largest does, its context with it. None if the driver hides it."""
    known = [p.memory_bytes for p in one.own]
    return None if not known or None in known else max(m for m in known if m is not None)


def free_bytes(gpu: GpuView) -> int | None:
    """What was free all through the window."""
    usable, most = gpu.memory_usable_bytes, gpu.memory_used_max_bytes
    at_most_use = None if usable is None or most is None else usable - most
    known = [b for b in (gpu.memory_free_bytes, at_most_use) if b is not None]
    return max(0, min(known)) if known else None


def copies_on(one: ServiceGpu) -> int | None:
    """How many more fit; None where it is not known what one takes, or what is free."""
    each, free = copy_bytes(one), free_bytes(one.gpu)
    return None if not each or free is None else int((1 - KEPT_FREE) * free // each)


def admits(gpu: GpuView) -> bool:
    """Whether the driver lets another process in. Of an exclusive device MPS, which has it, shares it."""
    return gpu.compute_mode in (None, "default") or (gpu.compute_mode == "exclusive-process" and bool(gpu.mps))


def is_starting(view: View) -> bool:
    """Whether the workers may be on a device later: they have a driver mapped, the node has devices, and they are on none."""
    return not view.gpus and bool(view.node_gpus) and any(worker.drivers for worker in view.service.serving)


def copies_on_gpus(view: View, *, inside: bool = False) -> int:
    """How many more copies of what a process of the service holds fit on each of its devices: in processes of their own, or
    `inside` those that are there. None is sure to fit where it is not known."""
    if is_starting(view):
        return 0
    each = (copies_on(one) or 0 if inside or admits(one.gpu) else 0 for one in view.gpus)
    return min(each, default=NO_LIMIT)


def left_on_gpus(view: View) -> float:
    """By how much the service's work can grow before something runs on one of its devices all the time: processes take turns
    there. 1 where that is not known."""
    return min((1 / max(0.01, _busy(one.gpu)) for one in view.gpus), default=float(NO_LIMIT))


def _busy(gpu: GpuView) -> float:
    use = use_of(gpu)
    if use is None:
        return 1.0
    return use.mean if gpu.busy_ratio is None else gpu.busy_ratio


def with_more(count: int, busy: float, more: int = 1) -> float:
    """Throughput with so many more of `count` processes that take turns on a device / now, if they keep it busy `busy` of the
    time: what one does beside the device it does while others have it (mean value analysis of a closed network)."""
    if count < 1 or not 0 < busy < 1:
        return 1.0
    low, high = 0.0, count / busy
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _rate(count, middle) > busy else (low, middle)
    return _rate(count + more, low) / busy


def _rate(count: int, beside: float) -> float:
    """Visits to the device per unit of its own time, which is also how busy it is. `beside`: time between two visits."""
    queue = rate = 0.0
    for number in range(1, count + 1):
        stay = 1 + queue
        rate = number / (beside + stay)
        queue = rate * stay
    return rate
