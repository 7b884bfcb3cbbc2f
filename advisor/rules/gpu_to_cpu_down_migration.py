"""Would the CPUs of this node do what a service leaves a hardly used GPU to do?"""

from collections.abc import Mapping

import msgspec

from advisor.facts import ServiceFacts
from advisor.finding import Conclusion, Evidence, Gain, Need, Rejected
from advisor.gpu.view import GpuView
from advisor.intervals import gain
from advisor.migration.cpu import HostCpu, host_cpu
from advisor.migration.generation import ONE_PASS, generation_of
from advisor.migration.of_device import BURST, Latency, Leaving, leaving
from advisor.migration.on_host import OnHost, on_host
from advisor.migration.saving import Saving, saving_of
from advisor.migration.verdict import FIXED_FIRST
from advisor.rule import Rule, Settings, Threshold, Verdict, evidence, if_known, subject_of
from advisor.view import CoreView, View

WEEK_HOURS = 168.0
FIRST, PROVISIONAL, SUREST = 0.1, 0.25, 0.5
"""Confidence after the least time, just before a week, and after it: nothing of it was measured on these CPUs."""
ROOM = 1.2
"""Of the weights: with what a pass needs beside them."""
_BESIDES: Mapping[Latency, str] = {
    "99 of 100": "latency_p99_now", "mean": "mean_latency_now", "not known": "cpu_seconds_per_request",
}  # fmt: skip


class GpuToCpuDownMigration(Rule):
    """A service alone on a hardly used GPU asks so little of it that the CPUs of this node would do, for less.

    What it looks for: a device that was hardly busy for a week, with one service on it, whose model answers in one pass and
    states in its header what it computes; no less than 5 % of the device's 32-bit peak would in the time for which it is busy.
    What a request of it would take on the cores that are left here (roofline, drawn a thousand times), with the wait at the
    most requests that are remembered, stays within 0.8 of the objective; and the node without the device
    (`hourly_without_device` in `[prices]`) costs no more than 0.7 of one with it, where both prices are known.
    Why it matters: a device costs as much idle as busy, and a light load pays for it by the hour.
    What to do: run a copy on the CPUs beside it and send it a copy of the traffic, through a cold start and the peak hour; give
    the device up when the latency holds. Less than a week of it is provisional, and no more than worth knowing.
    When it is wrong: it is an estimate and was not measured; kernels that CPUs run badly (depthwise convolutions) take longer.
    Requests are remembered as means of minutes: twice that is assumed for their busiest seconds, more where its workers' CPU
    time shows it. A peak that comes more rarely than once a week, and a device that stands by for another, cannot be seen.
    Where the price without the device is not stated, that of this node is taken for it if it is the lower one. Models that
    generate token by token are left out: on a device that is hardly busy, memory bandwidth binds them, of which CPUs have a
    twentieth.
    """

    proven = ("built",)
    of_trend = True
    needs_load = False
    minimum_samples = 0
    of_model = True
    yields_to = ("gpu-starved-by-preprocess", "gpu-wait-workers", "pcie-bound", *FIXED_FIRST)
    thresholds = {
        "busy_p95": Threshold(enter=0.1, leave=0.15, unit="ratio", doc="95 % point of the device's busy time, below"),
        "busiest_minute": Threshold(
            enter=0.8,
            leave=0.9,
            unit="ratio",
            doc="busy time of its busiest minute of the week, below: no job fills it",
        ),
        "memory_p95": Threshold(enter=0.3, leave=0.4, unit="ratio", doc="95 % point of its used memory, below"),
        "hours": Threshold(enter=1.0, unit="hours", doc="for which device and service have been watched, at least"),
        "cores_busy": Threshold(
            enter=0.7, leave=0.85, unit="ratio", doc="90 % point of the cores' busy time at the most requests, at most"
        ),
        "slo_share": Threshold(
            enter=0.8, leave=0.9, unit="ratio", doc="90 % point of the latency on CPUs / objective, at most"
        ),
        "cost_ratio": Threshold(
            enter=0.7, leave=0.8, unit="ratio", doc="price of the node / of one with the device, at most"
        ),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        gpu = _idle_alone(view, settings)
        if gpu is None or not view.cores or generation_of(view) != ONE_PASS:
            return None
        asked = leaving(view, gpu, facts.stated_devices)
        if not isinstance(asked, Leaving):
            return asked
        host = host_cpu(_at_usual_clocks(view), facts.cpu, facts.memory_bandwidth_bytes_per_second)
        if host is None:
            return Need(kind="kernel", text="what its CPUs compute: the flags of /proc/cpuinfo")
        hours = min(gpu.week_hours, asked.hours)
        found = _on_host(view, asked, host)
        if found is None or hours < settings.limit("hours") or asked.asked.weights * ROOM > _free_bytes(view):
            return None
        if found.seconds.p10 <= asked.device_seconds:
            return None  # CPUs are no faster than the device: it does more than the headers tell
        wanted, saving = facts.slo_p99_seconds, saving_of(gpu, facts)
        ratio = None if saving is None else saving.ratio
        if found.busy.p90 > settings.limit("cores_busy"):
            return None
        if wanted is not None and found.p99.p90 > settings.limit("slo_share") * wanted:
            return None
        if ratio is not None and ratio > settings.limit("cost_ratio"):
            return None
        return _told(view, facts, gpu, asked, found, hours, saving, settings)


def _idle_alone(view: View, settings: Settings) -> GpuView | None:
    """The service's one device, where it tells that it is hardly used and nobody else is on it."""
    one = view.gpus[0] if len(view.gpus) == 1 else None
    if one is None or not one.alone or one.gpu.unified_memory:
        return None
    if one.gpu.mig or one.gpu.parent is not None:
        return None  # nobody saves a card by giving a part of it back
    gpu, limit = one.gpu, settings.limit("busy_p95")
    used = (gpu.day_busy_p95, gpu.week_busy_p95)
    if any(share is None or share >= limit for share in used) or gpu.week_hours < settings.limit("hours"):
        return None
    if gpu.week_busiest_ratio is None or gpu.week_busiest_ratio >= settings.limit("busiest_minute"):
        return None
    if gpu.day_memory_p95 is None or gpu.day_memory_p95 >= settings.limit("memory_p95"):
        return None
    return gpu


def _at_usual_clocks(view: View) -> tuple[CoreView, ...]:
    """Without the clocks of this moment: those of idle cores are low, and not what they would compute at."""
    return tuple(msgspec.structs.replace(core, frequency=None) for core in view.cores)


def _on_host(view: View, asked: Leaving, host: HostCpu) -> OnHost | None:
    """On whole cores; worked out once a minute while what it rests on stays about the same."""
    cores = int(asked.cores)
    key = ("on host", asked.asked, cores, f"{host.flops.mode:.1e} {host.bytes_per_core.mode:.1e}")
    return view.trend.minutes.once(key, lambda: on_host(asked.asked, host, cores, view.service.id))


def _free_bytes(view: View) -> float:
    """Memory of the node, and of the service's limit, that a copy of the model may take."""
    cgroup = view.cgroup
    known = [float(view.memory_available_bytes)] if view.memory_available_bytes is not None else []
    if cgroup is not None and cgroup.memory_limit_bytes is not None:
        known.append(float(cgroup.memory_limit_bytes - (cgroup.memory_current_bytes or 0)))
    return min(known, default=float("inf"))


def _told(
    view: View, facts: ServiceFacts, gpu: GpuView, asked: Leaving, found: OnHost, hours: float, saving: Saving | None,
    settings: Settings,
) -> Conclusion:  # fmt: skip
    wanted, ratio = facts.slo_p99_seconds, None if saving is None else saving.ratio
    cores, most = int(asked.cores), asked.asked.per_second
    within = f"{found.p99.p10 * 1e3:.3g} to {found.p99.p90 * 1e3:.3g} ms"
    can = "could take its load" if wanted is None else "would do"
    aim = _now(asked) if wanted is None else f"{wanted * 1e3:.3g} ms are wanted"
    together = "" if asked.rows <= 1 else f", {asked.rows:.3g} of which are computed together"
    return Conclusion(
        subject=subject_of(view),
        title=f"{gpu.subject_name} is hardly used, and {cores} cores of this node {can}: 99 of 100 requests within "
        f"{within}, {aim}",
        summary=f"Over {_span(hours)} it was busy for at most {gpu.week_busy_p95 or 0.0:.1%} of the time in 95 of 100 minutes. "
        f"A request is {asked.told}{together}: {found.seconds.p10 * 1e3:.3g} to {found.seconds.p90 * 1e3:.3g} ms on {cores} "
        f"cores that are left ({found.binding} binds), after {asked.device_seconds * 1e3:.3g} ms of the device. At the most "
        f"requests, {most:.3g} a second ({_peak(asked)}), they keep {found.busy.p90:.0%} of these busy. {_beside(asked)}"
        f"{_worth(wanted, saving)} Try it first: a copy of it on the CPUs that gets a copy of the traffic, through a "
        f"cold start and the peak hour. It is an estimate, not measured on these CPUs.{_provisional(hours)}",
        confidence=_confidence(hours, wanted, ratio),
        evidence=(
            _over(view, hours, "gpu_busy_p95", "ratio", gpu.week_busy_p95 or 0.0, settings.enter("busy_p95")),
            _over(view, hours, "gpu_busiest_minute", "ratio", gpu.week_busiest_ratio or 0.0, settings.enter("busiest_minute")),
            _over(view, min(hours, 24.0), "gpu_memory_p95", "ratio", gpu.day_memory_p95 or 0.0, settings.enter("memory_p95")),
            _over(view, hours, "watched_hours", "hours", hours, settings.enter("hours")),
            _over(view, hours, "most_requests_per_second", "1/s", most),
            evidence(view, "cores_busy_p90", "ratio", found.busy.p90, settings.enter("cores_busy")),
            evidence(view, "cores_left", "cores", float(cores)),
            evidence(view, "latency_p99_on_cpus", "seconds", found.p99.p90,
                     None if wanted is None else settings.enter("slo_share") * wanted),
            _over(view, hours, _BESIDES[asked.latency], "seconds", asked.asked.besides),
            _over(view, min(hours, 24.0), "gpu_seconds_per_pass", "seconds", asked.device_seconds),
            *if_known(view, "cost_ratio", "ratio", ratio, settings.enter("cost_ratio")),
        ),
        rejected=(
            Rejected("other services on the device", f"its {len(gpu.processes)} processes are all of this one"),
            Rejected("a peak that CPUs cannot take", f"{most:.3g} requests/s keep {found.busy.p90:.0%} of {cores} cores busy"),
            Rejected("decoding that memory bandwidth binds", "it answers in one pass and generates nothing"),
        ),
        gains=_gains(hours, wanted, ratio),
        spares=True,
    )  # fmt: skip


def _now(asked: Leaving) -> str:
    if asked.latency == "not known":
        return "what they take now is not known"
    return f"{asked.asked.besides * 1e3:.3g} ms now" + (" on average" if asked.latency == "mean" else "")


def _beside(asked: Leaving) -> str:
    """What of today's latency the estimate has in it."""
    if asked.latency == "99 of 100":
        return ""
    known = "the CPU time of a request" if asked.latency == "not known" else "the mean"
    return f"Of what requests take now, {known} is all that is known, and counts. "


def _peak(asked: Leaving) -> str:
    if asked.burst > BURST * (1 + 1e-6):
        return f"its busiest minute ×{asked.burst:.3g} for the busiest second of it, by its workers' CPU time"
    return f"its busiest minute ×{BURST:.3g}, assumed for the seconds within it"


def _worth(wanted: float | None, saving: Saving | None) -> str:
    cost = "What the node costs without the device is not known."
    if saving is not None:
        hour = f"{saving.without:.3g} {saving.currency} an hour"
        cost = f"It would cost ×{saving.ratio:.2f}, if {hour}, as stated for this node, is without the device."
        if saving.stated:
            cost = f"It would cost ×{saving.ratio:.2f}: {hour} without the device, {saving.with_it:.3g} with it, as stated."
    return cost if wanted is not None else f"{cost} No objective says whether that is soon enough."


def _gains(hours: float, wanted: float | None, ratio: float | None) -> tuple[Gain, ...]:
    """The saving, where it is known and nothing else is in doubt but the estimate."""
    if ratio is None or wanted is None or hours < WEEK_HOURS:
        return ()
    return (gain("cost_ratio", ratio, ratio, ratio),)


def _confidence(hours: float, wanted: float | None, ratio: float | None) -> float:
    if hours >= WEEK_HOURS:
        return SUREST if wanted is not None and ratio is not None else PROVISIONAL
    return round(FIRST + (PROVISIONAL - FIRST) * hours / WEEK_HOURS, 3)


def _provisional(hours: float) -> str:
    return "" if hours >= WEEK_HOURS else f" Provisional: watched for {_span(hours)} of a week."


def _span(hours: float) -> str:
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.1f} days"


def _over(view: View, hours: float, metric: str, unit: str, value: float, limit: float | None = None) -> Evidence:
    found = evidence(view, metric, unit, value, limit)
    return msgspec.structs.replace(found, window_seconds=round(hours * 3600, 1), samples=round(hours * 60))
