"""Are there more workers than ever are busy at once?"""

from math import ceil

import msgspec

from advisor.copies import memory_with
from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Evidence, Gain, Rejected
from advisor.intervals import gain
from advisor.needed_workers import Seen, seen_of
from advisor.queueing import wait_of_many
from advisor.rule import Rule, Settings, Threshold, Verdict, evidence, subject_of
from advisor.service_demand import most_busy
from advisor.view import View
from advisor.workers import change_to, count_told, processes_after

SPARE_PEAK = 1.2
"""What is left can do this many times the busiest second that was seen."""
DAY_HOURS, SUREST_HOURS = 24.0, 192.0
FIRST, DAY, SUREST = 0.1, 0.2, 0.7
"""Confidence at first, after a day, and after eight days, with every hour of a week in it."""
REQUEST_SPARE = 1.15
"""A CPU request of the 90 % point and 15 % more, as vertical autoscalers ask for."""


class WorkersIdleRightsizing(Rule):
    """Most workers are never needed: fewer would serve the same load with less memory.

    What it looks for: for each minute that was seen (up to a day of them, and eight days of hours), the second in which most
    workers were busy; the 99 % point of these is at most half of the workers, utilisation is below a half, and nobody waits.
    A request counts for a worker also while it waits for something else: as the server's page counts them, else as many as
    there are connections.
    Why it matters: each worker holds a copy of the model, whether it works or not.
    What to do: one worker more than the 99 % point, and no fewer than 1.2 times the busiest second needs.
    When it is wrong: for a service that stands by for another, and for a peak that was not seen yet. It is provisional until
    every hour of a week has been seen, and then still cannot know of a yearly one. Spare workers that bridge the reload of a
    slow model are kept on purpose.
    """

    proven = ("built",)
    of_trend = True
    recovers = "memory"
    needs_load = False
    minimum_samples = 0
    yields_to = (
        "workers-exceed-cores",
        "workers-below-cores-saturated",
        "accept-imbalance",
        "gil-bound-worker",
        "gil-convoy",
        "ipc-dominates-light-model",
        "scaling-knee-passed",
        "io-bound-workers",
        "event-loop-blocked",
        "gpu-wait-workers",
        "cgroup-cpu-throttled",
        "memory-pressure",
        "swap-or-major-faults",
        "headroom-too-thin",
    )
    thresholds = {
        "busy_share": Threshold(enter=0.5, leave=0.6, unit="ratio", doc="99 % point of busy workers / workers, at most"),
        "utilisation": Threshold(enter=0.5, leave=0.6, unit="ratio", doc="95 % point of utilisation, below"),
        "minutes": Threshold(enter=10.0, unit="minutes", doc="for which it has been watched, at least"),
        "loaded_seconds": Threshold(enter=60.0, unit="seconds", doc="in which it worked, at least"),
        "accept_queue": Threshold(
            enter=1.5, unit="connections", doc="99 % point of connections waiting to be accepted, at most"
        ),
    }  # fmt: skip

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        count = len(view.serving)
        if count < 3 or view.gpus or not view.cores:
            return None
        known = seen_of(view)
        if known is None or known[1] * 60 < settings.limit("minutes"):
            return None
        seen, hours, peak = known
        used = seen.busy_p95 / most_busy(view, seen.cores_each)
        if seen.loaded_seconds < settings.limit("loaded_seconds") or seen.queue_p99 > settings.limit("accept_queue"):
            return None
        if seen.needed_p99 > settings.limit("busy_share") * count or used >= settings.limit("utilisation"):
            return None
        wanted = max(ceil(seen.needed_p99 - 1e-6) + 1, ceil(SPARE_PEAK * peak - 1e-6))
        change = change_to(view, facts, wanted) if wanted < count else None
        if change is None:
            return None
        left = processes_after(view, change)
        how = "as its page counts requests" if seen.by_page else "each open connection counted as a request"
        return Conclusion(
            subject=subject_of(view),
            title=f"at most {seen.needed_p99:.1f} of {count} workers are needed at once: "
            f"{count_told(facts, change)} serve the same load",
            summary=f"In 99 of 100 stretches over {_span(hours)} no second needed more than {seen.needed_p99:.2f} workers, the "
            f"busiest of all {peak:.2f} ({how}). {left} worker{'s' if left > 1 else ''} can do "
            f"{left / max(peak, 0.01):.1f} times that."
            f"{_cpu_request(view, seen)}{_provisional(hours)}",
            confidence=_confidence(hours),
            evidence=(
                _over(view, seen, "needed_workers_p99", "workers", seen.needed_p99, settings.enter("busy_share") * count),
                _over(view, seen, "needed_workers_most", "workers", peak, left / SPARE_PEAK),
                _over(view, seen, "utilisation_p95", "ratio", used, settings.enter("utilisation")),
                _over(view, seen, "accept_queue_p99", "connections", seen.queue_p99, settings.enter("accept_queue")),
                _over(view, seen, "watched_minutes", "minutes", hours * 60, settings.enter("minutes")),
                _over(view, seen, "loaded_seconds", "seconds", seen.loaded_seconds, settings.enter("loaded_seconds")),
                _over(view, seen, "cores_used_p90", "cores", seen.cores_p90),
                evidence(view, "workers", "workers", count, left),
            ),
            rejected=(
                Rejected("workers that wait for something else", f"{how}: {peak:.2f} at once at most"),
                Rejected("a burst shorter than a minute", f"the busiest second of each stretch counts: {peak:.2f} workers"),
                Rejected("workers-below-cores-saturated", f"utilisation is {used:.0%} at its 95 % point"),
            ),
            changes=(change,),
            gains=_gains(view, seen, change),
            spares=True,
        )  # fmt: skip


def _confidence(hours: float) -> float:
    """Grows through the first day to low, and through a week to what can be known."""
    if hours < DAY_HOURS:
        return round(FIRST + (DAY - FIRST) * hours / DAY_HOURS, 3)
    return round(DAY + (SUREST - DAY) * min(1.0, (hours - DAY_HOURS) / (SUREST_HOURS - DAY_HOURS)), 3)


def _gains(view: View, seen: Seen, change: Change) -> tuple[Gain, ...]:
    """Memory of the workers that go; and by Erlang's formula the longer wait for one that is free, at the mean load and at
    the 99 % point."""
    count, left = len(view.serving), processes_after(view, change)

    def slower(busy: float) -> float:
        return max(1.0, (1 + wait_of_many(left, busy)) / (1 + wait_of_many(count, busy)))

    tail = gain("latency_p99_ratio", 1.0, slower(seen.busy_mean), slower(seen.needed_p99))
    held = _memory(view, count - left) or memory_with(view, left)
    return (held, tail) if held else (tail,)


def _memory(view: View, fewer: int) -> Gain | None:
    """What nobody else has mapped is what a worker gives back; None where nobody could look inside all of them."""
    private = [w.private_bytes for w in view.serving if w.private_bytes is not None]
    whole = [w.proportional_bytes or w.resident_bytes for w in view.workers]
    known = [size for size in whole if size]
    if len(private) < len(view.serving) or len(known) < len(view.workers) or fewer * max(private) >= sum(known):
        return None
    ordered = sorted(
        1 - fewer * size / sum(known) for size in (max(private), sum(private) / len(private), min(private))
    )
    return gain("memory_ratio", *ordered)


def _cpu_request(view: View, seen: Seen) -> str:
    if view.service.manager != "kubernetes":
        return ""
    return f" A CPU request of {REQUEST_SPARE * seen.cores_p90:.2f} cores would hold its 90 % point and 15 % more."


def _span(hours: float) -> str:
    return (
        f"{hours * 60:.0f} min"
        if hours < 2
        else f"{hours:.0f} h"
        if hours < 2 * DAY_HOURS
        else f"{hours / 24:.0f} days"
    )


def _provisional(hours: float) -> str:
    if hours >= SUREST_HOURS:
        return ""
    return f" Provisional: seen for {_span(hours)}; a peak that comes once a week may not be in it."


def _over(view: View, seen: Seen, metric: str, unit: str, value: float, limit: float | None = None) -> Evidence:
    found = evidence(view, metric, unit, value, limit)
    return msgspec.structs.replace(found, window_seconds=round(seen.seconds, 1), samples=seen.count)
