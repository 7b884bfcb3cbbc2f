"""Would weights of fewer bits make the model faster, where reading or multiplying them is what limits the service?"""

from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Need, Rejected
from advisor.intervals import gain
from advisor.migration.decoding import Narrower, narrower
from advisor.migration.forms import Way
from advisor.migration.here import LEAST_KERNELS, could_be_int8, way_of
from advisor.migration.offload import LEAST_SAMPLES
from advisor.migration.verdict import FIXED_FIRST
from advisor.profiling.asking import profile_of
from advisor.profiling.evidence import seen_in_profile, sureness
from advisor.profiling.limits import PRESSURE, busiest, faster, fullness, limiting, pressed
from advisor.profiling.view import ProfileView
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View
from collectors.levers import Lever

ON_DEVICE = 0.4
"""Confidence: the device's bandwidth is computed, and what reads it is not seen."""


class QuantisationCandidate(Rule):
    """Weights of 32 or 16 bits are what the service reads or multiplies most of the time; of fewer bits they would take less.

    What it looks for: on CPUs, a model stored in 32 bits whose matrix products take most of a full service's CPU time, and
    instructions that multiply 8 bits (VNNI, AMX, dot products of ARM); on GPUs, a model of language whose tokens are made
    at half or more of the speed at which the device can read its weights.
    Why it matters: half the bits are half the bytes to read, and two to four times the products of one instruction.
    What to do: quantise a copy of the model, evaluate its accuracy on your own data, and only then let it serve: dynamic
    INT8 for transformers and dense layers on CPUs, calibrated INT8 for convolutions, FP8 for language models on
    GPUs that have it.
    When it is wrong: where answers get worse by more than you can bear, which only an evaluation tells; where the time goes
    into launches of kernels or into preparing inputs, which no type of number changes.
    """

    proven = ("built",)
    recovers = "work"
    of_model = True
    after = ("runtime-format-candidate",)
    yields_to = ("gpu-launch-bound", "gpu-starved-by-preprocess", *FIXED_FIRST)
    thresholds = {
        "kernel_share": Threshold(enter=0.5, leave=0.4, unit="ratio", doc="matrix products, of the limiting CPU time"),
        "throughput_ratio_p10": Threshold(
            enter=1.2, leave=1.1, unit="ratio", doc="with fewer bits / now, in nine of ten draws"
        ),
        "bandwidth_share": Threshold(
            enter=0.5, leave=0.4, unit="ratio", doc="bytes of weights read / what the device can read"
        ),
        **PRESSURE,
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        if view.gpus:
            found = narrower(view, facts, settings.limit("bandwidth_share"))
            return _on_device(view, found, settings) if isinstance(found, Narrower) else found
        if not could_be_int8(facts) or not pressed(view, settings):
            return None
        seen = profile_of(facts, "how much of its CPU time matrix products take")
        if isinstance(seen, Need):
            return seen
        limit = limiting(view, seen, settings)
        if limit is None or seen.samples < LEAST_SAMPLES:
            return None
        if limit.share("kernel").value < max(LEAST_KERNELS, settings.limit("kernel_share")):
            return None
        one = way_of(facts, "int8")
        if isinstance(one, Need):
            return one
        if one is None or one.throughput.p10 < settings.limit("throughput_ratio_p10"):
            return None
        return _on_cpus(view, limit, one, settings)


def _on_cpus(view: View, limit: ProfileView, one: Way, settings: Settings) -> Conclusion:
    ratio, kernel = one.throughput, limit.share("kernel")
    calibrated = "calibrated" in one.what
    return Conclusion(
        subject=subject_of(view),
        title=f"evaluate the model with weights of 8 bits: ×{ratio.p10:.1f} to ×{ratio.p90:.1f} on the same CPUs",
        summary=f"Matrix products take {kernel.value:.0%} of the CPU time that limits the service, on weights of 32 bits. "
        "These CPUs multiply 8 bits faster, and a quarter of the bytes is read: "
        f"{1 / ratio.p90:.0%} to {1 / ratio.p10:.0%} of a request's CPU time would be left. "
        f"{'Convolutions need calibration with real inputs. ' if calibrated else ''}What it does to the answers only an "
        "evaluation on your own data tells: do that first.",
        confidence=sureness(0.5, limit),
        evidence=(
            seen_in_profile(limit, "kernel_share", "ratio", kernel.value, settings.enter("kernel_share")),
            evidence(view, "throughput_ratio_p10", "ratio", ratio.p10, settings.enter("throughput_ratio_p10")),
            evidence(view, "cores_full_ratio", "ratio", fullness(view), settings.enter("cores_full")),
            evidence(view, "busiest_process", "ratio", busiest(view, limit), settings.enter("process_busy")),
            *asked(view),
        ),
        rejected=(
            Rejected("preparing inputs", f"the model's products take {kernel.value:.0%} of the CPU time"),
            Rejected("low-precision-unsupported", "the CPUs' instructions multiply 8 bits"),
        ),
        changes=(
            Change(lever=Lever.MODEL_PRECISION, current="float32", proposed="int8-calibrated" if calibrated else "int8",
                   restart=True),
        ),
        gains=faster(view, limit, ratio.p10, ratio.p50, ratio.p90),
    )  # fmt: skip


def _on_device(view: View, found: Narrower, settings: Settings) -> Conclusion:
    ratio = found.ratio
    return Conclusion(
        subject=subject_of(view),
        title=f"evaluate {found.form.name} weights: each token reads all weights, at {found.share:.0%} of what "
        f"{found.device} can",
        summary=f"{found.told}: {found.share:.0%} of the {found.bandwidth / 1e9:.0f} GB/s of {found.device}. So a token waits "
        f"for weights of {found.bits:.0f} bits; in {found.form.name} they are {found.form.bits:g}, which the device "
        "multiplies, and the server quantises the checkpoint while it loads it. A token takes "
        f"{1 / ratio.p90:.0%} to {1 / ratio.p10:.0%} of the time while it decodes. Evaluate its answers first. Weights of "
        "4 bits need a checkpoint of their own.",
        confidence=ON_DEVICE,
        evidence=(
            evidence(view, "bandwidth_share", "ratio", found.share, settings.enter("bandwidth_share")),
            evidence(view, "estimated_traffic", "bytes_per_second", found.bytes_per_second),
            *asked(view),
        ),
        rejected=(
            Rejected("gpu-launch-bound", f"it reads at {found.share:.0%} of the device's bandwidth"),
            Rejected("low-precision-unsupported", f"compute capability {found.capability:g} has {found.form.name}"),
        ),
        changes=(Change(lever=Lever.PRECISION, current=found.current, proposed=found.form.name, restart=True),),
        gains=(gain("latency_p50_ratio", 1 / ratio.p90, 1 / ratio.p50, 1 / ratio.p10),),
    )
