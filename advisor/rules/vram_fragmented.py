"""May PyTorch's allocator be out of memory in pieces, while enough is free in all?"""

from collections.abc import Sequence
from itertools import pairwise

from advisor.facts import ServiceFacts
from advisor.finding import Need
from advisor.gpu.filling import Filling, filling_of
from advisor.gpu.pool import AT_START, pool_of
from advisor.gpu.use import link_share
from advisor.gpu.view import GpuView
from advisor.rule import Rule, Settings, Threshold, Verdict
from advisor.view import View

TOOTH = 0.05
"""Part of the device by which its use has to fall for it to count: an allocator that gives back all that it kept."""
TEETH = 2
BUSY, MEMORY, WORKING, LINK = 0.5, 0.01, 0.01, 0.2
"""A device that is busy, and its memory with it, for more than the first two, while multiprocessors and link do less than the
others, allocates and frees: what is handed out is cleared. Launches alone keep it busy too, but not its memory."""
EXPANDABLE = "expandable_segments:true"


class VramFragmented(Rule):
    """PyTorch's allocator may find no piece that is large enough, though enough memory is free in all.

    What it looks for: a PyTorch service on a device that is nearly full, with a sign that its allocator struggles: its use
    falls and rises again and again, the device is busy with allocating rather than with work, or requests fail. It never
    concludes: what the allocator does is only known inside the process.
    Why it matters: before it gives up, the allocator frees all that it kept and asks the driver again, which takes
    milliseconds each time; then it raises an out-of-memory error with memory left.
    What to do: look at torch.cuda.memory_stats(): retries above 0 and much reserved that is not allocated mean pieces. Then
    set PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True, and use few fixed shapes.
    When it is wrong: a device that is simply full shows the same signs from outside, and needs less on it, not other pieces.
    """

    needs_load = False
    minimum_samples = 0
    recovers = "memory"
    thresholds = {
        "used_ratio": Threshold(enter=0.9, leave=0.8, unit="ratio", doc="used / usable device memory"),
        "errors_per_second": Threshold(enter=0.01, unit="1/s", doc="requests that fail, as a sign"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        if "torch" not in (facts.compute_libraries or ()) or facts.service.framework in AT_START:
            return None
        said = f"{facts.environ('PYTORCH_CUDA_ALLOC_CONF') or ''},{facts.environ('PYTORCH_ALLOC_CONF') or ''}".lower()
        if pool_of(facts) is not None or EXPANDABLE in said.replace(" ", ""):
            return None
        for one in view.gpus:
            found = filling_of(one, view, facts)
            if found is None or _highest(found) < settings.limit("used_ratio"):
                continue
            sign = _sign(view, found, settings.limit("errors_per_second"))
            if sign is not None:
                return Need(kind="metrics", text=_question(found, sign))
        return None


def _highest(found: Filling) -> float:
    return max([found.used, *(held for _, held in found.one.gpu.memory_seen)]) / found.usable


def _sign(view: View, found: Filling, errors: float) -> str | None:
    """Why there is reason to ask; None where there is none."""
    gpu = found.one.gpu
    teeth = _teeth([held for _, held in gpu.memory_seen], TOOTH * found.usable)
    if teeth >= TEETH:
        return f"its use fell by a twentieth or more {teeth} times in five minutes and rose again"
    if found.one.alone and _allocates(gpu):
        return (
            f"it was busy {gpu.busy_ratio or 0:.0%} of the time with clearing memory that is handed out, not with work"
        )
    if view.errors_per_second is not None and view.errors_per_second >= errors:
        return f"{view.errors_per_second:.2f} requests a second fail"
    return None


def _allocates(gpu: GpuView) -> bool:
    busy, memory, working, link = gpu.busy_ratio, gpu.dram_active_ratio, gpu.sm_active_ratio, link_share(gpu)
    if busy is None or memory is None or working is None or link is None:
        return False
    return busy >= BUSY and memory >= MEMORY and working <= WORKING and link < LINK


def _teeth(held: Sequence[int], least: float) -> int:
    """How often it fell by so much and rose again after it."""
    falls = [number for number, (before, after) in enumerate(pairwise(held), 1) if before - after >= least]
    return sum(1 for place in falls if any(later >= held[place] + least for later in held[place + 1 :]))


def _question(found: Filling, sign: str) -> str:
    return (
        f"what PyTorch's allocator does, which only the process knows: {found.one.gpu.subject_name} is up to "
        f"{_highest(found):.0%} full, and {sign}. In torch.cuda.memory_stats() of a worker, num_alloc_retries above 0 with "
        "reserved less allocated above a fifth of the device mean memory in pieces "
        "(PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True); else it is simply full"
    )
