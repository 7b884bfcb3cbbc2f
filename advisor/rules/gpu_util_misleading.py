"""Does a GPU that is reported as fully busy do next to nothing?"""

from advisor.facts import ServiceFacts
from advisor.finding import Conclusion, Need, Rejected
from advisor.gpu.use import all_known, counters, link_share, power_share, seen_on_gpu
from advisor.gpu.view import GpuView
from advisor.rule import Rule, Settings, Threshold, Verdict, subject_of
from advisor.view import View

LINK_FULL = 0.6
"""Share of the PCIe link from which on copies are what keeps the device busy."""


class GpuUtilMisleading(Rule):
    """A GPU is busy nearly all of the time, and hardly any of it works.

    What it looks for: "GPU utilisation" of nine tenths or more, with little power drawn and multiprocessors, tensor cores and
    memory that are hardly used.
    Why it matters: that number is the share of time in which anything ran, a copy or one small kernel as well as a full
    device. Who reads it as fullness buys a second GPU, or scales out, for nothing.
    What to do: judge the device by its activity (SM, tensor, DRAM) and its power. It needs no change by itself: what keeps it
    busy is a finding of the service that uses it.
    When it is wrong: never about the number; it says nothing about whether more work could be brought to the device.
    """

    proven = ("recorded", "built")
    needs_load = False
    of_devices = True
    thresholds = {
        "gpu_busy": Threshold(enter=0.9, leave=0.8, unit="ratio", doc="share of time in which anything ran"),
        "power_share": Threshold(enter=0.5, leave=0.6, unit="ratio", doc="power drawn / power limit, at most"),
        "sm_active": Threshold(enter=0.3, leave=0.4, unit="ratio", doc="share of the multiprocessors' time, at most"),
        "dram_active": Threshold(enter=0.3, leave=0.4, unit="ratio", doc="share of the memory's bandwidth, at most"),
        "tensor_active": Threshold(enter=0.1, leave=0.15, unit="ratio", doc="share of the tensor cores' time, at most"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        gpu = view.gpus[0].gpu
        busy, power, sm = gpu.busy_ratio, power_share(gpu), gpu.sm_active_ratio
        if busy is None or busy < settings.limit("gpu_busy"):
            return None
        if power is not None and power >= settings.limit("power_share"):
            return None
        others = (("dram_active", gpu.dram_active_ratio), ("tensor_active", gpu.tensor_active_ratio))
        if any(value is not None and value >= settings.limit(name) for name, value in others):
            return None
        if sm is None:
            return None if power is None else _need(gpu, busy, power)
        if sm >= settings.limit("sm_active"):
            return None
        drawn = "" if power is None else f", and it drew {power:.0%} of its power limit"
        return Conclusion(
            subject=subject_of(view),
            title=f"{gpu.subject_name} is busy {busy:.0%} of the time, but its multiprocessors work {sm:.1%} of it",
            summary=f"Something ran {busy:.0%} of the time; its multiprocessors worked {sm:.1%} of the time{drawn}. The first "
            f"number is no measure of how full it is. {_what(gpu)}",
            confidence=0.95 if power is not None else 0.8,
            evidence=(
                seen_on_gpu(gpu, "gpu_busy", "ratio", busy, settings.enter("gpu_busy")),
                seen_on_gpu(gpu, "gpu_sm_active", "ratio", sm, settings.enter("sm_active")),
                *(
                    seen_on_gpu(gpu, f"gpu_{name}", "ratio", value, settings.enter(name))
                    for name, value in (*others, ("power_share", power))
                    if value is not None
                ),
                *all_known(
                    gpu,
                    ("gpu_power", "watts", gpu.power_watts),
                    ("gpu_sm_occupancy", "ratio", gpu.sm_occupancy_ratio),
                    ("gpu_link_share", "ratio", link_share(gpu)),
                ),
            ),
            rejected=(Rejected("gpu-full", f"its multiprocessors worked {sm:.1%} of the time"), *_throttled(gpu)),
        )


def _need(gpu: GpuView, busy: float, power: float) -> Need:
    """Power alone does not tell: memory-bound work draws little, too."""
    return Need(
        kind="metrics",
        text=f"{gpu.subject_name} is busy {busy:.0%} of the time at {power:.0%} of its power limit; how much of it works is "
        f"told by {counters(gpu)}",
    )


def _what(gpu: GpuView) -> str:
    link = link_share(gpu)
    if link is not None and link >= LINK_FULL:
        return f"Copies keep it busy: PCIe carries {link:.0%} of what the link can."
    return "Small kernels one after the other, copies or calls for memory look like that."


def _throttled(gpu: GpuView) -> tuple[Rejected, ...]:
    known = [r for r in (gpu.power_cap_ratio, gpu.software_thermal_ratio, gpu.hardware_thermal_ratio) if r is not None]
    return (Rejected("gpu-throttled", f"its clocks were held down {max(known):.0%} of the time"),) if known else ()
