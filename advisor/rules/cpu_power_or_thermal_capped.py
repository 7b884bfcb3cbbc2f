"""Do the cores run below the clock that they should keep, and does heat, a limit or the governor hold them there?"""

from collections.abc import Sequence

import msgspec

from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Gain, Need, Rejected
from advisor.intervals import gain, latency_p50_of, throughput
from advisor.profiling.limits import busiest
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, if_known, subject_of
from advisor.view import CoreView, View
from collectors.levers import Lever

AT_LIMIT = 0.95
"""A clock within this share of its limit is held there by it."""
GIGA = 1e9


class CpuPowerOrThermalCapped(Rule):
    """Busy cores run slower than the clock that their maker states for any load.

    What it looks for: cores on which the service runs at more than 80 % busy, with a mean clock below 80 % of their base, or
    slowed by heat in the window, while the service has more to do than it gets done; and what holds them: heat, a limit on
    the clock, or the governor.
    Why it matters: every request computes longer by the same factor, on all cores, and the CPU use shows nothing of it.
    What to do: cooling where heat is counted; the limit back to the core's maximum; the governor `performance`.
    When it is wrong: wide vector instructions (AVX-512, AMX) lower the clock by design, and power limits cannot be read
    without rights: a low clock without heat, limit or governor to explain it is told as a question only. Work that waits for
    memory gains nothing from clock. A `powersave` governor of intel_pstate or amd-pstate is no fault while the clock is high.
    Virtual machines have no such counters: nothing is said there.
    """

    proven = ("built",)
    recovers = "work"
    yields_to = ("memory-bandwidth-bound", "cgroup-cpu-throttled")
    hold_seconds = 120.0  # no lever of the service changes when the node is mended
    thresholds = {
        "clock_ratio": Threshold(enter=0.8, leave=0.9, unit="ratio", doc="mean clock / base clock, at most"),
        "governor_ratio": Threshold(
            enter=0.6, leave=0.7, unit="ratio", doc="mean clock / base clock from where down `powersave` is to blame"
        ),
        "core_busy": Threshold(enter=0.8, leave=0.7, unit="ratio", doc="busy share of a core from where on it counts"),
        "process_busy": Threshold(enter=0.9, leave=0.75, unit="ratio", doc="runnable share of the busiest process"),
        "waiting_cores": Threshold(enter=0.3, leave=0.15, unit="cores", doc="or threads that wait for a CPU"),
        "throttle_events": Threshold(enter=1, unit="events", doc="times that heat slowed one of its cores, at least"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        busy = [c for c in view.cores if c.own > 0.1 and c.busy >= settings.limit("core_busy") and c.frequency]
        process, waiting = busiest(view), view.waiting_cores
        if not busy or (process < settings.limit("process_busy") and waiting < settings.limit("waiting_cores")):
            return None
        seen = _clocks(busy)
        slow = seen.ratio is not None and seen.ratio < settings.limit("clock_ratio")
        hot = seen.events >= settings.limit("throttle_events")
        if not slow and not (hot and (seen.ratio is None or seen.ratio < 1)):
            return None
        held = _held(seen, hot, settings.limit("governor_ratio"))
        if held is None:
            return _question(seen)
        why, change = held
        return Conclusion(
            subject=subject_of(view),
            title=_title(seen, why, change),
            summary=f"{len(busy)} busy core{'s' if len(busy) > 1 else ''} of the service ran at {_ghz(seen.hertz)} on average, "
            f"their base clock is {_ghz(seen.base)}: {why}. Each request computes longer by that much.",
            confidence=_sureness(change, slow),
            evidence=(
                *if_known(view, "clock_ratio", "ratio", seen.ratio, settings.enter("clock_ratio")),
                evidence(view, "throttle_events", "events", seen.events, settings.enter("throttle_events")),
                *if_known(view, "clock", "hertz", seen.hertz),
                *if_known(view, "clock_limit", "hertz", seen.limit, seen.base),
                evidence(view, "busy_cores", "cores", len(busy)),
                evidence(view, "busiest_process", "ratio", process, settings.enter("process_busy")),
                evidence(view, "waiting_cores", "cores", waiting, settings.enter("waiting_cores")),
                *asked(view),
            ),
            rejected=(
                Rejected("cgroup-cpu-throttled", f"{_throttled(view):.0%} of periods throttled by the quota"),
                *((Rejected("heat", "no core was slowed by heat in the window"),) if not hot else ()),
            ),
            changes=() if change is None else (change,),
            gains=_gains(seen),
        )  # fmt: skip


class Clocks(msgspec.Struct, frozen=True, kw_only=True):
    """Of the busy cores, weighted by what the service uses of them. Clocks in hertz; None = this host does not tell."""

    hertz: float | None
    base: float | None
    limit: float | None
    maximum: float | None
    events: int
    governor: str | None

    @property
    def ratio(self) -> float | None:
        return self.hertz / self.base if self.hertz is not None and self.base else None


def _clocks(cores: Sequence[CoreView]) -> Clocks:
    seen = [(c.frequency, c.own) for c in cores if c.frequency is not None]

    def mean(values: Sequence[tuple[float | None, float]]) -> float | None:
        known = [(value, weight) for value, weight in values if value is not None]
        return sum(v * w for v, w in known) / sum(w for _, w in known) if known else None

    governors = {f.governor for f, _ in seen}
    return Clocks(
        hertz=mean([(f.hertz, w) for f, w in seen]),
        base=mean([(f.base_hertz, w) for f, w in seen]),
        limit=mean([(f.limit_hertz, w) for f, w in seen]),
        maximum=mean([(f.maximum_hertz, w) for f, w in seen]),
        events=sum(f.throttle_events or 0 for f, _ in seen),
        governor=governors.pop() if len(governors) == 1 else None,
    )


def _held(seen: Clocks, hot: bool, governor_ratio: float) -> tuple[str, Change | None] | None:
    """What holds the clock down, and the change that lets it go; None where nothing that can be read does. What is nearest
    to the hardware comes first: with heat, a higher limit would change nothing. `powersave` is what intel_pstate has by
    default, and then says little; a clock that wide vector instructions alone would not have is its doing."""
    if hot:
        return f"heat slowed them {seen.events} times in the window", None
    limited = seen.limit is not None and seen.base is not None and seen.limit < AT_LIMIT * seen.base
    if limited and seen.hertz is not None and seen.limit is not None and seen.hertz >= AT_LIMIT * seen.limit:
        wanted = max(seen.base or 0.0, seen.maximum or 0.0)
        change = Change(
            lever=Lever.CPU_CLOCK_LIMIT, current=round(seen.limit / 1e3), proposed=round(wanted / 1e3), restart=False
        )
        return f"their clock is limited to {_ghz(seen.limit)}", change
    if seen.governor == "powersave" and seen.ratio is not None and seen.ratio < governor_ratio:
        change = Change(lever=Lever.CPU_GOVERNOR, current="powersave", proposed="performance", restart=False)
        return "the governor is `powersave`, and nothing else holds them down", change
    return None


def _sureness(change: Change | None, slow: bool) -> float:
    if change is not None and change.lever is Lever.CPU_GOVERNOR:
        return 0.5
    return 0.75 if slow else 0.5


def _question(seen: Clocks) -> Need:
    return Need(
        kind="metrics",
        text=f"what holds its busy cores at {_ghz(seen.hertz)} with a base of {_ghz(seen.base)}: neither heat nor a limit does "
        f"(governor {seen.governor or 'not known'}); package power against its limit (turbostat) would tell, or it is AVX-512 "
        "or AMX, which lower the clock by design",
    )


def _title(seen: Clocks, why: str, change: Change | None) -> str:
    what = "cool the node" if change is None else f"set {change.lever.replace('_', ' ')} to {change.proposed}"
    if seen.ratio is None:
        return f"Busy cores are slowed: {why}; {what}"
    return f"Busy cores run at {seen.ratio:.0%} of their base clock, {_ghz(seen.hertz)}: {why}; {what}"


def _gains(seen: Clocks) -> tuple[Gain, ...]:
    """Base / present clock for all that computes: none of it waits for memory at most, all of it at least, half as likely."""
    if seen.ratio is None or seen.ratio >= 1:
        return ()
    ratio = throughput(1.0, 1 / (1 - (1 - seen.ratio) / 2), 1 / seen.ratio)
    return (ratio, latency_p50_of(ratio, slack=0.05), gain("latency_p99_ratio", 0.95 / ratio.p90, 1 / ratio.p50, 1.05))


def _throttled(view: View) -> float:
    return (view.cgroup.throttled_ratio if view.cgroup else None) or 0.0


def _ghz(hertz: float | None) -> str:
    return "an unknown clock" if hertz is None else f"{hertz / GIGA:.2f} GHz"
