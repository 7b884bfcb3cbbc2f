"""Is the work better left on the CPUs?"""

from advisor.facts import ServiceFacts
from advisor.finding import Conclusion, Rejected
from advisor.migration.result import DeviceEstimate
from advisor.migration.verdict import FIXED_FIRST
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View


class GpuMigrationNotWorth(Rule):
    """A device would not pay for this service: the honest answer is to leave it on the CPUs.

    What it looks for: decision trees, linear models and tiny networks, too small a part of the CPU time that could move, a load
    below the one from which on a device is cheaper, a model that does not fit.
    Why it matters: a GPU that idles costs many times what the CPUs do, and a request that mostly is parsing gets no faster.
    What to do: nothing about devices. The reason says what would change the answer; `nodewright migrate` shows the numbers.
    When it is wrong: for forests that are asked for thousands of rows at once, which devices do well, and where the load is
    about to grow beyond the break-even.
    """

    proven = ("built",)
    recovers = "nothing"
    of_model = True
    yields_to = ("gpu-migration-candidate", *FIXED_FIRST)
    hold_seconds = 120.0
    thresholds = {
        "movable_share": Threshold(
            enter=0.6, unit="ratio", doc="of the CPU time that could move, for a device to be of use"
        ),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        known = facts.migration
        now = known.situation if known is not None else None
        if known is None or now is None or not known.devices:
            return None
        against = [one for one in known.devices if one.verdict in ("not worth it", "does not fit")]
        if len(against) < len(known.devices):
            return None
        first = min(against, key=lambda one: (not one.present, one.device))
        return Conclusion(
            subject=subject_of(view),
            title=f"leave it on the CPUs: {first.reasons[0]}",
            summary=f"On {_names(against)}: {'; '.join(first.reasons)}. It would change with {_flips(first)}. {first.note}.",
            confidence=0.8 if now.work.family in ("trees", "linear") else 0.6,
            evidence=(
                evidence(view, "movable_share", "ratio", now.work.part.share.mode, settings.enter("movable_share")),
                evidence(view, "trees_share", "ratio", now.work.part.trees),
                evidence(view, "amdahl_ceiling", "ratio", first.ceiling),
                evidence(view, "cpu_seconds_per_request", "seconds", now.work.cpu_seconds),
                *asked(view),
            ),
            rejected=(Rejected("gpu-migration-candidate", first.reasons[0]),),
            spares=True,
            told_after_seconds=10.0,
        )


def _names(devices: list[DeviceEstimate]) -> str:
    return ", ".join(one.device for one in devices)


def _flips(one: DeviceEstimate) -> str:
    return "; ".join(one.flips) or "another model"
