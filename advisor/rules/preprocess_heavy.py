"""Does preparing the inputs (decoding, tokenising, features) take more CPU time than the model is worth?"""

from collections.abc import Mapping

from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Gain, Need, Rejected
from advisor.profiling.asking import profile_of
from advisor.profiling.evidence import seen_in_profile, share_evidence, sureness, told
from advisor.profiling.limits import PRESSURE, busiest, faster, fullness, limiting, part_of, pressed, speedup
from advisor.profiling.stages import (
    CLASSES,
    COMPILED,
    NAMES,
    hottest,
    kind_of,
    largest,
    stages_of,
    stages_told,
    together,
)
from advisor.profiling.view import ProfileView, Share
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View
from collectors.code_levers import stage_advice
from collectors.levers import Lever

LEFT: Mapping[str, tuple[float, float]] = {"decode": (0.8, 0.35), "tokenise": (1.0, 0.6), "features": (1.0, 0.6)}
"""Stage -> what is assumed to be left of its time, at worst and likely. Decoding at half the size leaves a third or less of
what follows the entropy decoder; a tokeniser that is compiled already leaves nothing to win, hence 1."""
LEFT_OF_COMPILED = 0.9
"""What is likely left of the time of a tokeniser that is compiled already: only shorter or repeated texts save some."""
ACCELERATED = 0.05
"""Share of CPU time in calls of CUDA from which the service is one that feeds a GPU: another cause, other numbers."""


class PreprocessHeavy(Rule):
    """Preparing the inputs takes as much CPU time as the model, or more.

    What it looks for: decoding, resizing, tokenising and feature functions at two fifths or more of the CPU time of the
    processes that limit a CPU service under load.
    Why it matters: a faster model, more threads for it or a GPU would leave all of that time as it is.
    What to do: decode at the size that the model needs, take smaller inputs from the clients, use a compiled tokeniser that
    truncates, or give the stage processes of its own.
    When it is wrong: where those frames take payloads apart (serialisation), or where a GPU waits for them.
    """

    proven = ("built",)
    recovers = "work"
    yields_to = ("cgroup-cpu-throttled", "gpu-starved-by-preprocess")
    thresholds = {
        "preprocess_share": Threshold(
            enter=0.4, leave=0.3, unit="ratio", doc="preparing inputs, share of the limiting processes' CPU time"
        ),
        **PRESSURE,
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        if not pressed(view, settings):
            return None
        seen = profile_of(facts, "how much of its CPU time goes into preparing inputs")
        if isinstance(seen, Need):
            return seen
        limit = limiting(view, seen, settings)
        if limit is None or limit.share("cuda-launch", "cuda-sync").value >= ACCELERATED:
            return None
        stages, serialise = stages_of(limit), limit.share("serialise")
        whole = together(stages)
        if whole.value - whole.error < settings.limit("preprocess_share") or serialise.value >= whole.value:
            return None
        first = largest(stages)
        return Conclusion(
            subject=subject_of(view),
            title=f"Preparing inputs takes {whole.value:.0%} of the CPU time, most of it in {NAMES[first]}",
            summary=f"{stages_told(stages)} took {told(whole)} of the CPU time that limits the service{hottest(limit)}; the "
            f"model's own work was {limit.share('kernel', 'array', 'trees').value:.0%}. At best, with that time gone, the "
            f"service is {speedup(whole.value, 0.0):.1f} times as fast; a faster model changes the rest only.",
            confidence=sureness(0.85, limit),
            evidence=(
                *share_evidence(limit, "preprocess", whole, settings.enter("preprocess_share")),
                *(seen_in_profile(limit, f"{name}_share", "ratio", s.value) for name, s in stages.items()),
                seen_in_profile(limit, "unknown_share", "ratio", limit.share("unknown").value),
                evidence(view, "cores_full_ratio", "ratio", fullness(view), settings.enter("cores_full")),
                evidence(view, "busiest_process", "ratio", busiest(view, limit), settings.enter("process_busy")),
                *asked(view),
            ),
            rejected=(
                Rejected("serialisation-heavy", f"(de)serialising took {told(serialise)}"),
                Rejected("gpu-starved-by-preprocess", f"calls of CUDA took {told(limit.share('cuda-launch', 'cuda-sync'))}"),
                Rejected("cpu-oversubscribed-openmp", f"spinning took {told(limit.share('spin'))}"),
            ),
            changes=(Change(lever=Lever.PREPROCESSING, current=NAMES[first], proposed=stage_advice(kind_of(first, limit))),),
            gains=self._gains(view, limit, stages),
        )  # fmt: skip

    @staticmethod
    def _gains(view: View, limit: ProfileView, stages: Mapping[str, Share]) -> tuple[Gain, ...]:
        """By stage: the least and the likely saving of each; at most all of them vanish, with all that is unknown."""
        least = sum(max(0.0, s.value - s.error) * (1 - LEFT[name][0]) for name, s in stages.items())
        left = {name: LEFT_OF_COMPILED if kind_of(name, limit) == COMPILED else LEFT[name][1] for name in stages}
        likely = sum(s.value * (1 - left[name]) for name, s in stages.items())
        part = part_of(limit, *CLASSES)
        unknown, features = limit.share("unknown").value, stages["features"].value + stages["features"].error
        most = min(MOST, part.most + max(0.0, features - unknown))  # features may be what is of no known class
        return faster(view, limit, speedup(least, 0.0), speedup(likely, 0.0), speedup(most, 0.0))


MOST = 0.98
"""However much seems to go into inputs, something is left."""
