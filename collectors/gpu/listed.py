"""What do the processes that a driver lists say of their device?"""

from collections.abc import Sequence

from collectors.gpu.samples import GpuProcessSample


def of_processes(used: int | None, listed: Sequence[GpuProcessSample] | None) -> dict[str, int | None]:
    """Fields of a GpuSample: how many there are, and how much of what is used belongs to nobody whose memory is known: hidden
    processes, and what the driver itself holds for those that are there. Nothing where none are listed for want of support."""
    if listed is None:
        return {}
    known = sum(one.memory_bytes or 0 for one in listed)
    return {
        "processes": len(listed),
        "unknown_processes": sum(one.worker is None for one in listed),
        "unknown_memory_bytes": None if used is None else max(0, used - known),
    }
