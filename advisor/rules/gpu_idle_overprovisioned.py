"""Is a GPU hardly used, neither its time nor its memory?"""

import msgspec

from advisor.facts import ServiceFacts
from advisor.finding import Conclusion, Evidence, Need, Rejected
from advisor.gpu.amounts import gib
from advisor.gpu.view import GpuView
from advisor.rule import Rule, Settings, Threshold, Verdict, evidence, subject_of
from advisor.view import View

DAY_HOURS = 24.0
SUREST = 0.85
FIRST = 0.15
"""Confidence after the least time, and after a day."""


class GpuIdleOverprovisioned(Rule):
    """A GPU is hardly used: neither its time nor its memory, for hours.

    What it looks for: for each minute of the last day (or as long as it has been watched), in how much of it anything ran on
    the device, and how much of its memory was in use; both were low in 95 of 100 minutes.
    Why it matters: it costs as much idle as busy. What runs on it would do on a smaller card, on an instance of one, or
    beside another service.
    What to do: a smaller card or MIG instance, other services on the same one, or the CPU. Look at the few busy minutes first:
    on a smaller card those take longer.
    When it is wrong: for a device that stands by for another node, waits for training at night, or serves a peak that comes
    once a week. That cannot be told from here. Less than a day says little: it is provisional until then.
    """

    proven = ("recorded", "built")
    of_trend = True
    of_devices = True
    needs_load = False
    minimum_samples = 0
    thresholds = {
        "busy_p95": Threshold(enter=0.1, leave=0.15, unit="ratio", doc="95 % point of its minutes' busy time, below"),
        "memory_p95": Threshold(
            enter=0.3, leave=0.4, unit="ratio", doc="95 % point of its minutes' used memory, below"
        ),
        "hours": Threshold(enter=1.0, unit="hours", doc="for which it has been watched, at least"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        gpu = view.gpus[0].gpu
        memory, busy = gpu.day_memory_p95, gpu.day_busy_p95
        if gpu.unified_memory or gpu.hours < settings.limit("hours"):
            return None
        if memory is None or memory >= settings.limit("memory_p95"):
            return None
        if busy is None:
            unused = f"{memory:.0%} of its memory is used"
            return Need(kind="metrics", text=f"how busy {gpu.subject_name} is, which it does not tell: {unused}")
        if busy >= settings.limit("busy_p95"):
            return None
        return Conclusion(
            subject=subject_of(view),
            title=f"{gpu.subject_name} is hardly used: at most {busy:.0%} of the time and {memory:.0%} of its memory in 95 of "
            f"100 minutes over {gpu.hours:.0f} h",
            summary=f"{_holders(gpu)} {_smaller(gpu, memory)} If a service on it is slow, something else holds that back: see "
            "its own findings first. Whether the device stands by for another node, or waits for work that comes more rarely, "
            f"cannot be told from here.{_provisional(gpu)}",
            confidence=FIRST + (SUREST - FIRST) * min(1.0, gpu.hours / DAY_HOURS),
            evidence=(
                _of_the_day(view, gpu, "gpu_busy_minutes_p95", "ratio", busy, settings.enter("busy_p95")),
                _of_the_day(view, gpu, "gpu_memory_minutes_p95", "ratio", memory, settings.enter("memory_p95")),
                _of_the_day(view, gpu, "gpu_watched_hours", "hours", gpu.hours, settings.enter("hours")),
                *_now(view, gpu),
            ),
            rejected=(
                Rejected("a model kept warm that fills it", f"{memory:.0%} of its memory is in use at most"),
                Rejected("work that comes every few minutes", f"95 of 100 minutes were busy for {busy:.0%} at most"),
            ),
        )  # fmt: skip


def _holders(gpu: GpuView) -> str:
    if not gpu.processes_known:
        return "Which processes have it is not told."
    if not gpu.processes:
        return "No process has it now."
    known = [p.memory_bytes for p in gpu.processes if p.memory_bytes is not None]
    held = "" if len(known) < len(gpu.processes) else f" with {gib(sum(known))}"
    return f"{len(gpu.processes)} process{'es have' if len(gpu.processes) > 1 else ' has'} it now{held}."


def _smaller(gpu: GpuView, memory: float) -> str:
    total = gpu.memory_total_bytes
    enough = "" if total is None else f" {gib(memory * total)} of memory would hold what it holds in those minutes."
    what = "A smaller instance" if gpu.parent is not None else "A smaller card, an instance of one"
    return f"{what}, or another service on it as well, would do.{enough}"


def _provisional(gpu: GpuView) -> str:
    return "" if gpu.hours >= DAY_HOURS else f" Provisional: seen for {gpu.hours:.0f} h of a day."


def _of_the_day(view: View, gpu: GpuView, metric: str, unit: str, value: float, limit: float) -> Evidence:
    found = evidence(view, metric, unit, value, limit)
    return msgspec.structs.replace(found, window_seconds=round(gpu.hours * 3600, 1), samples=round(gpu.hours * 60))


def _now(view: View, gpu: GpuView) -> tuple[Evidence, ...]:
    known = (
        ("gpu_processes", "processes", float(len(gpu.processes)) if gpu.processes_known else None),
        ("gpu_memory_used", "bytes", gpu.memory_used_bytes),
        ("gpu_power", "watts", gpu.power_watts),
    )
    return tuple(evidence(view, name, unit, value) for name, unit, value in known if value is not None)
