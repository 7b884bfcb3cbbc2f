"""Would a runtime that executes the whole graph of a model answer faster than the framework that calls each part of it?"""

from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Need, Rejected
from advisor.migration.forms import Way
from advisor.migration.here import eager_library, may_be_eager, way_of
from advisor.migration.offload import LEAST_SAMPLES
from advisor.migration.verdict import FIXED_FIRST
from advisor.profiling.asking import profile_of
from advisor.profiling.evidence import seen_in_profile, sureness
from advisor.profiling.limits import PRESSURE, busiest, faster, fullness, limiting, pressed
from advisor.profiling.view import ProfileView
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View
from collectors.levers import Lever

ONE_CALL = ("kernel", "array", "allocation", "trees")
"""Work that a graph runtime would do instead."""


class RuntimeFormatCandidate(Rule):
    """The model runs in a framework that calls each operation, or each tree, by itself; a graph runtime calls once.

    What it looks for: PyTorch or a scikit-learn ensemble on CPUs that are full, of whose time three fifths or more go into
    the model, and what of that time a runtime of graphs leaves: Python between operations, elementwise work that is fused
    with the products before, weights that are packed once instead of at each call, one walk through all trees.
    Why it matters: such a model is exported once, and answers the same numbers but for rounding.
    What to do: export it to ONNX (torch.onnx, skl2onnx), compare its answers, and serve it with ONNX Runtime or OpenVINO;
    set the threads of the runtime as those of the framework were.
    When it is wrong: where the code does more than the graph (loops that depend on data, custom operations), and where
    torch.compile does it already in a way that leaves no name. OpenVINO computes in bfloat16 by itself on CPUs with AMX:
    look at the answers.
    """

    proven = ("built",)
    recovers = "work"
    of_model = True
    yields_to = FIXED_FIRST
    thresholds = {
        "model_share": Threshold(
            enter=0.6, leave=0.5, unit="ratio", doc="time in the model, of the CPU time that is work"
        ),
        "throughput_ratio_p10": Threshold(
            enter=1.1, leave=1.05, unit="ratio", doc="with the runtime / now, in nine of ten draws"
        ),
        **PRESSURE,
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        if view.gpus or not may_be_eager(facts) or not pressed(view, settings):
            return None
        seen = profile_of(facts, "what its CPU time goes into")
        if isinstance(seen, Need):
            return seen
        library, limit = eager_library(facts), limiting(view, seen, settings)
        if (
            library is None
            or limit is None
            or seen.samples < LEAST_SAMPLES
            or _in_the_model(limit) < settings.limit("model_share")
        ):
            return None
        one = way_of(facts, "runtime")
        if isinstance(one, Need):
            return one
        if one is None or one.throughput.p10 < settings.limit("throughput_ratio_p10"):
            return None
        return self._told(view, limit, library, one, settings)

    def _told(self, view: View, limit: ProfileView, library: str, one: Way, settings: Settings) -> Conclusion:
        ratio, within = one.throughput, _in_the_model(limit)
        named = {name: limit.share(name).value for name in ("kernel", "array", "trees")}
        parts = ", ".join(f"{name} {share:.0%}" for name, share in named.items() if share >= 0.01)
        return Conclusion(
            subject=subject_of(view),
            title=f"export the model from {library} to ONNX: ×{ratio.p10:.1f} to ×{ratio.p90:.1f} on the same CPUs",
            summary=f"{within:.0%} of the CPU time that limits the service is in the model ({parts}), which {library} "
            f"calls piece by "
            f"piece. A runtime of graphs would leave {1 / ratio.p90:.0%} to {1 / ratio.p10:.0%} of a request's CPU time, "
            f"as far as "
            "the profile tells what it fuses, packs once and calls no more. Compare its answers before it serves.",
            confidence=sureness(0.6, limit),
            evidence=(
                seen_in_profile(limit, "model_share", "ratio", within, settings.enter("model_share")),
                *(seen_in_profile(limit, f"{name}_share", "ratio", share) for name, share in named.items()),
                evidence(view, "throughput_ratio_p10", "ratio", ratio.p10, settings.enter("throughput_ratio_p10")),
                evidence(view, "cores_full_ratio", "ratio", fullness(view), settings.enter("cores_full")),
                evidence(view, "busiest_process", "ratio", busiest(view, limit), settings.enter("process_busy")),
                *asked(view),
            ),
            rejected=(
                Rejected("time outside the model", f"{1 - within:.0%} of the CPU time"),
                Rejected("a graph runtime that is there", "neither ONNX Runtime, OpenVINO nor TensorFlow is mapped"),
            ),
            changes=(Change(lever=Lever.MODEL_RUNTIME, current=library, proposed="onnxruntime", restart=True),),
            gains=faster(view, limit, ratio.p10, ratio.p50, ratio.p90),
        )  # fmt: skip


def _in_the_model(seen: ProfileView) -> float:
    """Of the CPU time that is work; with Python under the model's calls, as far as the names of functions tell."""
    work = max(1e-6, 1 - seen.share("spin", "lock", "gil-wait").value)
    named = seen.share(*ONE_CALL).value
    predicting = sum(w.cores / seen.cores * w.phases.get("predict", 0.0) for w in seen.workers) if seen.cores else 0.0
    return min(1.0, max(named, min(predicting, named + seen.share("python").value)) / work)
