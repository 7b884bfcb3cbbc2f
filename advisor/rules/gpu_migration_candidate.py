"""Would the service be so much faster, or cheaper, on a device that moving it is worth a thought?"""

from advisor.facts import ServiceFacts
from advisor.finding import Conclusion, Evidence, Gain, Rejected
from advisor.intervals import gain
from advisor.migration.result import DeviceEstimate, Situation
from advisor.migration.simulate import Simulated
from advisor.migration.spread import Percentiles
from advisor.migration.verdict import FIXED_FIRST
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View

HYPOTHETICAL = 0.4
"""Confidence in a device that is not here; twice as much in one that is, with sizes from headers."""
PRESENT = 0.7


class GpuMigrationCandidate(Rule):
    """The model's work would be much faster on a device, it fits there, and the service's objective or its cost asks for it.

    What it looks for: the part of the CPU time that matrix products and the like take (profiles), what they come to on the
    devices of the node and of the configuration (roofline, launches, transfer, what stays on the host), drawn a thousand times
    from what is not known; against these CPUs set right, not as they are set now.
    Why it matters: a device is dear and pays from some load on only; a large model on CPUs can miss its latency at any price.
    What to do: `nodewright migrate SERVICE` shows interval, binding term, memory and break-even load; try it with a copy of the
    traffic before moving.
    When it is wrong: it is an estimate from a model of devices, not a measurement: kernels that a device runs badly, a server
    that does not batch, and other precision than 16 bits make it slower. Without objective and prices it is no more than worth
    knowing. Faults of threads, masks and workers are mended first.
    """

    proven = ("built",)
    recovers = "work"
    of_model = True
    yields_to = FIXED_FIRST
    hold_seconds = 120.0
    thresholds = {
        "throughput_ratio_p10": Threshold(
            enter=1.5, unit="ratio", doc="throughput on the device / on these CPUs set right"
        ),
        "movable_share": Threshold(enter=0.6, unit="ratio", doc="of the CPU time that could move"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        known = facts.migration
        now = known.situation if known is not None else None
        if known is None or now is None:
            return None
        chosen = [
            one for one in known.devices if one.verdict in ("candidate", "possible") and _enough(one, now, settings)
        ]
        best = min(chosen, key=lambda one: (one.verdict != "candidate", not one.present, _cost(one)), default=None)
        if best is None or best.simulated is None:
            return None
        where = "of this node" if best.present else "that is not in this node"
        worth = best.verdict == "candidate"
        return Conclusion(
            subject=subject_of(view),
            title=f"{'move its model to' if worth else 'its model would be faster on'} {best.device}: "
            f"throughput ×{best.simulated.throughput.p10:.1f} to ×{best.simulated.throughput.p90:.1f}",
            summary=f"On a {best.device} {where}: {'; '.join(best.reasons)}. What binds there: {best.simulated.binding}; at "
            f"best ×{best.ceiling:.1f}, as the rest stays on the host. It would change with {'; '.join(best.flips)}. "
            f"{best.note}.",
            confidence=PRESENT if best.grade == "B" else HYPOTHETICAL,
            evidence=(
                evidence(view, "throughput_ratio_p10", "ratio", best.simulated.throughput.p10,
                         settings.enter("throughput_ratio_p10")),
                evidence(view, "movable_share", "ratio", now.work.part.share.mode, settings.enter("movable_share")),
                evidence(view, "amdahl_ceiling", "ratio", best.ceiling),
                evidence(view, "cpu_seconds_per_request", "seconds", now.work.cpu_seconds),
                *_money(view, best),
                *asked(view),
            ),
            rejected=(
                Rejected("time that threads wait for each other", f"{now.work.part.needless:.0%} of its CPU time, not counted"),
                Rejected("gpu-migration-not-worth", best.reasons[0]),
            ),
            gains=_gains(best, now.work.wall_seconds) if worth else (),
            told_after_seconds=10.0,
            hypothetical=best.grade == "C",
        )  # fmt: skip


def _enough(one: DeviceEstimate, now: Situation, settings: Settings) -> bool:
    seen = one.simulated
    return (
        seen is not None
        and seen.throughput.p10 >= settings.limit("throughput_ratio_p10")
        and now.work.part.share.mode >= settings.limit("movable_share")
    )


def _cost(one: DeviceEstimate) -> float:
    return one.costs.ratio.p50 if one.costs is not None else float("inf")


def _money(view: View, one: DeviceEstimate) -> tuple[Evidence, ...]:
    if one.costs is None:
        return ()
    even = one.costs.break_even_per_second
    found = [evidence(view, "cost_ratio", "ratio", one.costs.ratio.p50)]
    return (*found, evidence(view, "break_even_per_second", "1/s", even.p50)) if even is not None else tuple(found)


def _latency(seen: Simulated, alone_now: float) -> Percentiles:
    """With the waits that there would be, against a request that does not wait here: no more is promised than that."""
    if seen.at_load is None:
        return seen.latency
    there = seen.at_load.seconds
    return Percentiles(there.p10 / alone_now, there.p50 / alone_now, there.p90 / alone_now)


def _gains(one: DeviceEstimate, alone_now: float) -> tuple[Gain, ...]:
    """`alone_now`: seconds of a request that does not queue on these CPUs."""
    seen = one.simulated
    assert seen is not None
    faster, latency = seen.throughput, _latency(seen, alone_now)
    found = [
        gain("throughput_ratio", faster.p10, faster.p50, faster.p90),
        gain("latency_p50_ratio", latency.p10, latency.p50, latency.p90),
    ]
    if one.costs is not None:
        cost = one.costs.ratio
        found.append(gain("cost_ratio", cost.p10, cost.p50, cost.p90))
    return tuple(found)
