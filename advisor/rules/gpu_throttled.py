"""Do heat or the power supply hold a GPU's clocks down while it works?"""

from advisor.facts import ServiceFacts
from advisor.finding import Conclusion, Evidence, Need, Rejected
from advisor.gpu.clocks import bound, clocks, gains_of, lowered, power
from advisor.gpu.view import GpuView
from advisor.rule import Rule, Settings, Threshold, Verdict, evidence, subject_of
from advisor.view import View

NEAR = 0.9
"""Clocks above this part of the highest are not held down, whoever would say why."""
REASONS = {
    "software_thermal_ratio": "heat, by the driver",
    "hardware_thermal_ratio": "heat, by the hardware, which halves them",
    "power_brake_ratio": "the power supply's brake signal, which halves them",
}


class GpuThrottled(Rule):
    """Heat or the power supply's brake hold the clocks of a GPU down while it works.

    What it looks for: the driver's own counters of why clocks are held down: heat (by the driver or by the hardware) and the
    brake of the power supply, for at least a twentieth of the time in which the GPU works.
    Why it matters: work that computes gets slower as the clocks do, however busy the GPU looks; hardware that slows itself
    for heat is close to switching itself off.
    What to do: cooling (fans, dust, the air in the rack, its place in the machine), the power supply, or less work on that
    card until then. No setting of a server helps.
    When it is wrong: work that waits for memory hardly gets faster with higher clocks. The power limit alone is no fault: a
    large card reaches it at full load, a small one of 72 W all the time; it is told as a matter of course. Where the card
    or its driver tells no reasons nothing is known: that is not the same as all right.
    """

    proven = ("recorded", "built")
    recovers = "device"
    of_devices = True
    thresholds = {
        "held_ratio": Threshold(
            enter=0.05, leave=0.02, unit="ratio", doc="clocks held down by heat or brake / busy time"
        ),
        "busy_ratio": Threshold(enter=0.2, leave=0.1, unit="ratio", doc="share of time in which it works, at least"),
        "power_ratio": Threshold(enter=0.5, leave=0.3, unit="ratio", doc="held down by the power limit / busy time"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        gpu = view.gpus[0].gpu
        busy = gpu.busy_ratio if gpu.busy_ratio is not None else gpu.sm_active_ratio
        if busy is None or busy < settings.limit("busy_ratio"):
            return None
        known = {name: ratio for name in REASONS if (ratio := getattr(gpu, name)) is not None}
        if not known:
            return _unknown(gpu)
        worst = max(known, key=lambda name: known[name])
        held = min(1.0, known[worst] / busy)
        if held >= settings.limit("held_ratio"):
            return self._held(view, gpu, settings, worst, held, busy)
        capped = min(1.0, (gpu.power_cap_ratio or 0.0) / busy)
        return self._capped(view, gpu, settings, capped) if capped >= settings.limit("power_ratio") else None

    @staticmethod
    def _held(view: View, gpu: GpuView, settings: Settings, worst: str, held: float, busy: float) -> Conclusion:
        warm = "" if gpu.temperature_celsius is None else f" at {gpu.temperature_celsius:.0f} °C"
        return Conclusion(
            subject=subject_of(view),
            title=f"{gpu.subject_name} is held down for {held:.0%} of its busy time by {REASONS[worst]}",
            summary=f"It ran{clocks(gpu)}{warm}, busy {busy:.0%} of the time. {bound(gpu)} Look at fans, dust, the air "
            "around it and the power supply; no setting of a server changes it.",
            confidence=0.9 if gpu.dram_active_ratio is not None else 0.7,
            evidence=(
                evidence(view, "gpu_held_down_of_busy_time", "ratio", held, settings.enter("held_ratio")),
                *_shares(view, gpu),
            ),
            rejected=(
                Rejected("the power limit", power(gpu)),
                Rejected("an idle GPU, whose clocks fall by themselves", f"it was busy {busy:.0%} of the time"),
            ),
            gains=gains_of(gpu, busy, held * busy),
        )

    @staticmethod
    def _capped(view: View, gpu: GpuView, settings: Settings, capped: float) -> Conclusion:
        lower = lowered(gpu)
        why = (
            f"The limit is set to {gpu.power_limit_watts:.0f} W, shipped were {gpu.power_limit_default_watts:.0f} W: "
            "somebody has lowered it, and `nvidia-smi -pl` as root raises it again."
            if lower
            else "That is as designed, and no fault: at full load a card runs as fast as its power limit lets it."
        )
        return Conclusion(
            subject=subject_of(view),
            title=f"the power limit holds the clocks of {gpu.subject_name} down for {capped:.0%} of its busy time"
            + ("" if lower else ", as is normal at full load"),
            summary=f"It ran{clocks(gpu)} and drew {power(gpu)}. {why}",
            confidence=0.9,
            evidence=(
                evidence(view, "gpu_power_capped_of_busy_time", "ratio", capped, settings.enter("power_ratio")),
                *_shares(view, gpu),
            ),
            rejected=tuple(
                Rejected(text, f"{ratio:.0%} of the time")
                for name, text in REASONS.items()
                if (ratio := getattr(gpu, name)) is not None
            ),
        )


def _unknown(gpu: GpuView) -> Need | None:
    """No reasons are told. Clocks near the highest need none."""
    now, most = gpu.sm_clock_hertz, gpu.sm_clock_max_hertz
    if now is not None and most and now >= NEAR * most:
        return None
    seen = f" and runs{clocks(gpu)}" if now is not None and most else ""
    text = f"{gpu.subject_name} works{seen}, but tells no reasons for its clocks: whether heat holds them down is not known"
    return Need(kind="metrics", text=text)


def _shares(view: View, gpu: GpuView) -> tuple[Evidence, ...]:
    known = (
        *((f"gpu_{name}", "ratio", getattr(gpu, name)) for name in REASONS),
        ("gpu_power_cap_ratio", "ratio", gpu.power_cap_ratio),
        ("gpu_sm_clock", "hertz", gpu.sm_clock_hertz),
        ("gpu_sm_clock_max", "hertz", gpu.sm_clock_max_hertz),
        ("gpu_power", "watts", gpu.power_watts),
        ("gpu_power_limit", "watts", gpu.power_limit_watts),
        ("gpu_temperature", "celsius", gpu.temperature_celsius),
        ("gpu_sm_active", "ratio", gpu.sm_active_ratio),
        ("gpu_dram_active", "ratio", gpu.dram_active_ratio),
    )
    return tuple(evidence(view, name, unit, value) for name, unit, value in known if value is not None)
