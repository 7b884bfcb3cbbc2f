"""Is a part of the model on the CPU, or will it not fit the GPU when it is loaded?"""

from advisor.facts import ServiceFacts
from advisor.finding import Conclusion, Rejected
from advisor.gpu.amounts import gib
from advisor.gpu.engine_fit import Misfit, misfit_of
from advisor.gpu.layers import Plan, plan_of
from advisor.gpu.pool import AT_START
from advisor.gpu.split import Split, gain_of, split_of
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View
from collectors.levers import Lever

ENDING_SECONDS = 30.0
"""How long a server that is replaced may take to give back its memory."""


class ModelExceedsVram(Rule):
    """A part of the model runs on the CPU, or the model will not fit the GPU that it is to be loaded to.

    What it looks for: which part of the weights is on the GPU, as the server says it (Ollama), as its options ask for it
    (layers, gigabytes to leave out), or as the memory of its processes shows it; and of a server that loads a model whole
    and has not done so yet, whether its weights and the cache for one request fit what others leave of the device.
    Why it matters: the slower part decides: with half of the weights on the CPU it is about twice as fast as without a GPU,
    not half as fast as with it. A server that needs all of it ends while it loads.
    What to do: in this order: a shorter context, fewer slots, a KV cache of 8 bits, a smaller quantisation of the weights,
    then as many layers as fit, or more GPUs.
    When it is wrong: where the split is wanted, as of a large mixture of experts whose experts stay on the CPU. Sizes come
    from the headers of the model's files; buffers are estimated, so that a proposed value may still be a little too large.
    """

    proven = ("built",)
    recovers = "device"
    needs_load = False
    minimum_samples = 0
    hold_seconds = 20.0
    thresholds = {
        "off_gpu_ratio": Threshold(enter=0.05, leave=0.02, unit="ratio", doc="weights on the CPU / all, at least"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        if not view.node_gpus or all(gpu.memory_usable_bytes is None for gpu in view.node_gpus):
            return None
        split = split_of(view, facts)
        if split is not None:
            off = 1 - split.most
            return self._split(view, facts, settings, split) if off >= settings.limit("off_gpu_ratio") else None
        misfit = misfit_of(view, facts)
        return None if misfit is None else self._misfit(view, facts, misfit)

    @staticmethod
    def _split(view: View, facts: ServiceFacts, settings: Settings, split: Split) -> Conclusion:
        plan, told = _plan(view, facts, split), split.least == split.most
        return Conclusion(
            subject=subject_of(view),
            title=f"{1 - split.most:.0%} of the model{'' if told else ' or more'} is on the CPU: {_first(plan)}",
            summary=f"{split.because[0].upper()}{split.because[1:]}. {plan.text}",
            confidence=0.85 if told else 0.7,
            evidence=(
                evidence(view, "weights_off_gpu_at_least", "ratio", 1 - split.most, settings.enter("off_gpu_ratio")),
                *(() if told else (evidence(view, "weights_off_gpu_at_most", "ratio", 1 - split.least),)),
                *(evidence(view, "model_needs_bytes", "bytes", need) for need in [plan.need] if need is not None),
                *(evidence(view, "gpu_memory_to_be_had", "bytes", room) for room in [plan.room] if room is not None),
                *asked(view),
            ),
            rejected=_looked(view),
            changes=plan.changes,
            gains=() if plan.after is None else gain_of(view, split, plan.after),
        )

    @staticmethod
    def _misfit(view: View, facts: ServiceFacts, found: Misfit) -> Conclusion:
        each = f"each of {found.devices} GPUs" if found.devices > 1 else "the GPU"
        cache = f" and {gib(found.cache)} of cache for one request of {found.context} tokens" if found.cache else ""
        return Conclusion(
            subject=subject_of(view),
            title=f"the model needs at least {gib(found.need)} of {each} and can have {gib(found.room)}: it will not load",
            summary=f"{gib(found.weights)} of weights{cache}, and a context. {_proposed(found)}",
            confidence=0.8,
            evidence=(
                evidence(view, "model_needs_bytes", "bytes", found.need, found.room),
                evidence(view, "weights_bytes_each_gpu", "bytes", found.weights),
                evidence(view, "gpu_memory_to_be_had", "bytes", found.room),
                evidence(view, "gpus", "devices", found.devices),
            ),
            rejected=(Rejected("a server that has loaded it", "its processes hold less than half of the weights"),),
            changes=found.changes,
            harm="runs-out-of-memory",
            told_after_seconds=ENDING_SECONDS if found.beside_others else 0.0,
        )


def _plan(view: View, facts: ServiceFacts, split: Split) -> Plan:
    models = facts.service.models
    if facts.service.framework in AT_START:
        if len(models) != 1:
            return Plan(text="Which of its models could be on the GPU whole cannot be told of several.")
        return plan_of(view, facts, models[0], split.layers)
    setting = facts.setting(Lever.CPU_OFFLOAD)
    text = "Each step reads that part over PCIe. With a smaller quantisation, or on more GPUs, none need stay out."
    return Plan(text=text if setting is not None else "What put it there is not known.")


def _first(plan: Plan) -> str:
    if not plan.changes:
        return "the slower part decides"
    change = plan.changes[0]
    if change.lever is Lever.GPU_LAYERS:
        return f"{change.proposed} layers fit the GPU"
    names = {Lever.CONTEXT_LENGTH: "a context of", Lever.MAX_REQUESTS_IN_FLIGHT: "slots:"}
    return f"it fits whole with {names.get(change.lever, 'a KV cache in')} {change.proposed}"


def _proposed(found: Misfit) -> str:
    if not found.changes:
        return "A smaller quantisation, or a larger GPU, is needed."
    change = found.changes[0]
    told = {
        Lever.CONTEXT_LENGTH: f"A context of {change.proposed} tokens leaves room for its buffers.",
        Lever.PRECISION: "In fp8 it takes half, which this GPU computes with; check the answers.",
        Lever.TENSOR_PARALLEL: f"Over {change.proposed} GPUs of this node it fits.",
        Lever.CPU_OFFLOAD: f"With {change.proposed} GiB of each part in the node's memory it loads, and is much slower.",
    }
    return told.get(change.lever, "")


def _looked(view: View) -> tuple[Rejected, ...]:
    if not view.gpus:
        return (Rejected("a node without a GPU", f"{len(view.node_gpus)} are there"),)
    known = [one.memory_bytes for one in view.gpus if one.memory_bytes is not None]
    held = f"its processes hold {gib(sum(known))} of the GPU" if len(known) == len(view.gpus) else (
        f"its processes have {len(view.gpus)} GPUs open"
    )  # fmt: skip
    return (Rejected("a server that runs without a GPU", held),)
