"""Is the model itself larger than its work: half of its weights zero, or too slow for the objective with all else in order?"""

from collections.abc import Sequence

import msgspec

from advisor.facts import ServiceFacts
from advisor.finding import Conclusion, Evidence, Need, Rejected
from advisor.migration.devices import named
from advisor.migration.offload import LEAST_SAMPLES
from advisor.migration.smaller import Smaller, smaller_forms, zero_share
from advisor.migration.verdict import FIXED_FIRST
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View
from collectors.entities import Model

LEAST_SECONDS = 15
"""Loaded seconds for a word on latency, as other rules on load want."""
ZEROS, MISSED = 0.3, 0.25
"""Confidence: that zeros can be left out, and that a smaller model would do, only an evaluation can tell."""


class Missed(msgspec.Struct, frozen=True, kw_only=True):
    """An objective that is missed by the model. Seconds; `in_model`: of one request, on its worker's threads."""

    seen: float
    wanted: float
    in_model: float
    kernels: float
    forms: tuple[Smaller, ...]


class PruneOrSmallerArchitecture(Rule):
    """The model computes more than it needs: half of its weights are zero, or it alone misses the objective.

    What it looks for: numbers that are exactly zero in a few pages of the model's file; or an objective that is missed on CPUs
    where most of the CPU time is the model's own matrix products, which take at least half of a request's time and half of what
    is wanted, and no thread, worker, mask or batch is at fault. What smaller networks of the same family, or half of the
    layers, would need of the operations follows from their dimensions.
    Why it matters: zeros are multiplied like any other number, and no setting makes a model smaller.
    What to do: evaluate a distilled or smaller form of the same family on your own data, accuracy first, then latency. Prune by
    structure, whole heads, channels or layers: X percent of these take X percent of the operations out. Scattered zeros bring
    about nothing without sparse kernels; two in each four bring up to twice the rate on GPUs that have units for it.
    When it is wrong: a ratio of operations is no speed-up: small matrices run less well, and what is outside the model stays.
    Zeros can be padding or rows of an embedding that nobody reads. Whether accuracy holds cannot be told from here.
    """

    proven = ("built",)
    of_trend = True
    needs_load = False
    minimum_samples = 0
    of_model = True
    yields_to = (
        "workers-exceed-cores",
        "headroom-too-thin",
        "quantisation-candidate",
        "runtime-format-candidate",
        *FIXED_FIRST,
    )
    thresholds = {
        "zero_share": Threshold(
            enter=0.5, leave=0.45, unit="ratio", doc="numbers that are zero, of the sampled weights"
        ),
        "kernel_share": Threshold(
            enter=0.6, leave=0.5, unit="ratio", doc="matrix products and the like, of the CPU time that is work"
        ),
        "model_share": Threshold(
            enter=0.5,
            leave=0.4,
            unit="ratio",
            doc="matrix products, of the mean latency and of what is wanted",
        ),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        shares = [(model, share) for model in view.service.models if (share := zero_share(model)) is not None]
        most = max(shares, key=lambda one: one[1], default=None)
        zeros = most if most is not None and most[1] >= settings.limit("zero_share") else None
        missed = _missed(view, facts, settings)
        if zeros is None:
            return _told_missed(view, missed, settings) if isinstance(missed, Missed) else missed
        return _told_zeros(view, *zeros, missed if isinstance(missed, Missed) else None, settings)


def _missed(view: View, facts: ServiceFacts, settings: Settings) -> Missed | Need | None:
    """What is missing where the objective is missed and it cannot be told by what."""
    wanted, rate, mean = facts.slo_p99_seconds, view.requests_per_second, view.latency_seconds
    if wanted is None or not rate or not mean or view.gpus or view.samples < LEAST_SECONDS or not view.loaded_now:
        return None
    seen = mean if view.latency_p99_seconds is None else view.latency_p99_seconds
    if seen <= wanted:
        return None
    profile = facts.profile
    if profile is None or profile.samples < LEAST_SAMPLES:
        return Need(kind="profile", text=f"a profile of its workers under load with {LEAST_SAMPLES} samples")
    needless = profile.share("spin", "lock", "gil-wait").value
    kernels = profile.share("kernel").value / max(1e-6, 1 - needless)
    in_model = (
        profile.share("kernel").value * view.cores_used / rate * max(1.0, view.batch_size or 1.0) / _together(view)
    )
    if kernels < settings.limit("kernel_share") or in_model < settings.limit("model_share") * max(mean, wanted):
        return None
    if in_model > mean:  # threads that nobody could name computed together: how long one took is not known
        return None
    models = view.service.models
    forms = smaller_forms(models[0]) if len(models) == 1 else ()
    if not forms:
        text = (
            "of which family its model is: a file whose header tells it (safetensors beside a config.json, GGUF, ONNX)"
        )
        return Need(kind="metrics", text=text)
    return Missed(seen=seen, wanted=wanted, in_model=in_model, kernels=min(1.0, kernels), forms=forms)


def _together(view: View) -> float:
    """Threads of a worker that compute one request."""
    busy = [len(w.active_compute) for w in view.serving if w.active_compute]
    return max(1.0, sum(busy) / len(busy)) if busy else 1.0


def _told_missed(view: View, missed: Missed, settings: Settings) -> Conclusion:
    forms = _forms(missed.forms)
    return Conclusion(
        subject=subject_of(view),
        title=f"the model itself takes {_ms(missed.in_model)} of a request where {_ms(missed.wanted)} are wanted: smaller "
        f"forms of it need {forms} of the operations",
        summary=f"{_ms(missed.seen)} miss the {_ms(missed.wanted)} that are wanted; {_ms(missed.in_model)} of a request are "
        f"matrix products of the model, and no setting is at fault. Smaller forms of it need {forms} of its operations: a "
        "ratio of operations, and no promise of as much speed. Evaluate the accuracy of such a form on your own data first; "
        "pruning whole heads, channels or layers takes as large a part of the operations out as of them.",
        confidence=MISSED,
        evidence=(*_of_missed(view, missed, settings), *asked(view)),
        rejected=(
            Rejected("time outside the model", f"{missed.kernels:.0%} of the CPU time is matrix products"),
            Rejected("requests that wait", f"{_ms(missed.in_model)} of {_ms(view.latency_seconds or 0.0)} are in the model"),
        ),
    )  # fmt: skip


def _told_zeros(view: View, model: Model, share: float, missed: Missed | None, settings: Settings) -> Conclusion:
    slow = (
        ""
        if missed is None
        else f" It misses its objective; smaller forms need {_forms(missed.forms)} of its operations."
    )
    return Conclusion(
        subject=subject_of(view),
        title=f"{share:.0%} of the weights of {model.name} are zero, and are computed like any other",
        summary=f"Of a few pages of its file, {share:.0%} of the numbers are exactly zero. Scattered, they bring about nothing "
        "without sparse kernels; heads, channels or layers of zeros that are taken out take as large a part of the operations "
        f"with them.{_two_of_four(view)}{slow} Evaluate accuracy on your own data before and after.",
        confidence=ZEROS,
        evidence=(
            evidence(view, "zero_share", "ratio", share, settings.enter("zero_share")),
            *(() if missed is None else _of_missed(view, missed, settings)),
        ),
        rejected=(Rejected("numbers that are merely small", "those that are exactly zero count alone"),),
    )


def _two_of_four(view: View) -> str:
    """Of the service's own devices; nothing where none is known."""
    known = [device for one in view.gpus if (device := named(one.gpu.name)) is not None]
    if not known:
        return ""
    lacking = next((device for device in known if not device.sparsity), None)
    if lacking is None:
        return f" With two zeros in each four numbers, and kernels for it, {known[0].name} computes at up to twice the rate."
    return f" {lacking.name} has no units for two zeros in each four."


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms"


def _forms(forms: Sequence[Smaller]) -> str:
    return ", ".join(f"{one.name} ×{one.operations:.2f}" for one in forms)


def _of_missed(view: View, missed: Missed, settings: Settings) -> tuple[Evidence, ...]:
    most = max(view.latency_seconds or 0.0, missed.wanted)
    return (
        evidence(view, "latency_p99", "seconds", missed.seen, missed.wanted),
        evidence(view, "kernel_share", "ratio", missed.kernels, settings.enter("kernel_share")),
        evidence(view, "model_seconds", "seconds", missed.in_model, settings.enter("model_share") * most),
        evidence(view, "operations_ratio", "ratio", missed.forms[0].operations),
    )
