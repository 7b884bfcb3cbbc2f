"""Are a service's weights or products in a type of few bits that its GPUs or CPUs do not multiply?"""

from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Evidence, Need, Rejected
from advisor.gpu.engine_fit import WHOLE
from advisor.migration.precisions import AWQ, BF16, FP8, INT4, INT8, Stored, on_capability
from advisor.migration.unsupported import OnCpus, OnGpus, unsupported
from advisor.rule import Rule, Settings, Threshold, Verdict, evidence, if_known, subject_of
from advisor.view import View
from collectors.levers import Lever, Value

_CALLED = {"vllm": "vLLM", "sglang": "SGLang", "tgi": "TGI"}
_SAID = {FP8: "FP8", INT8: "INT8 weights and inputs (W8A8)", AWQ: "AWQ weights of 4 bits"}
_EVALUATE = "evaluate its answers before it serves"


class LowPrecisionUnsupported(Rule):
    """Weights or products are in a type of few bits that the service's GPUs or CPUs do not multiply.

    What it looks for: FP8, INT8, 4-bit or BF16 in the server's settings (quantisation, dtype), in the model's config.json and
    tensors, and in an ONNX graph; against the compute capability of the GPUs that the service is on, and the instructions of
    the CPUs of one that is on none.
    Why it matters: such a server refuses to load, or each number is widened before it is multiplied: it takes the room of few
    bits and has none of their speed in arithmetic.
    What to do: take the next form that the device multiplies (FP8: INT8 weights and inputs; BF16: float16), and evaluate its
    answers first. Whether it is faster depends on what limits the service: no gain is promised.
    When it is wrong: with kernels that are not the server's own, or newer than the sources of the table of forms. Weights in
    few bits to save room alone (GGUF, GPTQ, bitsandbytes, 8-bit KV caches) are widened everywhere by design and never told;
    nor are TPUs, Inferentia and AMD devices, which have forms of their own.
    """

    proven = ("built",)
    needs_load = False
    minimum_samples = 0
    thresholds = {
        "weights_ratio": Threshold(
            enter=0.25, unit="ratio", doc="weights stored in the form / all, at least, where the headers tell"
        ),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        case = unsupported(view, facts)
        if case is None or isinstance(case, Need):
            return case
        part = case.found.part
        if part is not None and part < settings.limit("weights_ratio"):
            return None
        stored = if_known(view, "weights_in_the_form", "ratio", part, settings.enter("weights_ratio"))
        if isinstance(case, OnCpus):
            return _on_cpus(view, facts, case, stored)
        return (_refused if case.fate == "refused" else _widened)(view, facts, case, stored)


def _widened(view: View, facts: ServiceFacts, case: OnGpus, stored: tuple[Evidence, ...]) -> Conclusion:
    name, known = case.found.name, facts.service.framework in WHOLE
    advised, changes = _instead(case, facts)
    how = (
        f"The weights take the room of {case.found.form.bits:g} bits and are read as fast, but products are those of 16 bits, "
        "and large batches pay for the widening."
        if known
        else "Whatever runs it widens them, at each product or once as it loads: products are those of 16 bits."
    )
    return Conclusion(
        subject=subject_of(view),
        title=f"{name} weights on {case.device_name}: widened to 16 bits, as it multiplies {name} from compute capability "
        f"{case.limit:.1f} on",
        summary=f"{_stated(case)}. {how} {advised or 'Where their room is what counts, nothing is wrong.'}",
        confidence=0.8 if known else 0.5,
        evidence=(*_capability(view, case), *stored),
        rejected=(
            Rejected("weights in few bits to save room alone", f"{name} is a type of inputs, too"),
            *_looked(facts, case),
        ),
        changes=changes,
    )


def _refused(view: View, facts: ServiceFacts, case: OnGpus, stored: tuple[Evidence, ...]) -> Conclusion:
    server, name = _CALLED.get(facts.service.framework, facts.service.framework), case.found.name
    advised, changes = _instead(case, facts)
    above = case.capability >= case.limit
    lately = " Later ones load it, as weights alone." if case.by_release else ""
    return Conclusion(
        subject=subject_of(view),
        title=f"{server} has no kernels for {name} on {case.device_name}: "
        + ("releases before the end of 2025 do not load it" if case.by_release else "it will not load"),
        summary=f"{_stated(case)}, and {server} refuses {name} "
        f"{f'from {case.limit:.1f} on' if above else f'below {case.limit:.1f}'}.{lately} "
        f"{advised or 'Unquantised it loads, where there is room for it.'}",
        confidence=0.5 if case.by_release else 0.7,
        evidence=(*_capability(view, case), *stored),
        rejected=(
            Rejected("a server that has loaded it", "its processes hold less than half of the weights"),
            *_looked(facts, case),
        ),
        changes=changes,
    )


def _on_cpus(view: View, facts: ServiceFacts, case: OnCpus, stored: tuple[Evidence, ...]) -> Conclusion:
    form, name = case.found.form, case.found.name
    lacks = f"none of {', '.join(form.instructions)}" if form.instructions else f"no instruction for {name}"
    return Conclusion(
        subject=subject_of(view),
        title=f"{name} on CPUs that do not multiply it: each product is computed in a wider type",
        summary=f"{case.found.told_by}; the CPUs have {lacks}. {_cost(form, case.flags)} Measure both: which is faster here is "
        "not known.",
        confidence=0.7 if form in (INT8, BF16) else 0.6,
        evidence=(evidence(view, "cpu_instructions_for_it", "instructions", 0, 1), *stored),
        rejected=(
            Rejected("weights in few bits to save room alone", f"inputs are in {form.bits:g} bits, too"),
            Rejected("a service that is on a GPU", f"0 of {len(facts.service.serving)} workers have its driver mapped"),
        ),
    )


def _cost(form: Stored, flags: tuple[str, ...]) -> str:
    if form is INT8:
        saturated = ", and x86 without VNNI may saturate products, which changes answers" if "avx" in flags else ""
        return f"It takes a quarter of the room of floats, and may be slower than they are{saturated}."
    if form is BF16 and "avx" in flags and "avx512f" not in flags:
        return "Without AVX-512 PyTorch has a slow path alone for it: float32 is faster, where there is room for it."
    if form is BF16:
        return "It saves room and reading, and no arithmetic: float32 may be as fast, where there is room for it."
    return "It takes the room of 8 bits, and each number is widened before it is multiplied."


def _instead(case: OnGpus, facts: ServiceFacts) -> tuple[str, tuple[Change, ...]]:
    """The next form that the devices multiply, in words and, where it loads the present checkpoint, as a setting."""
    found, server = case.found, facts.service.framework
    if found.form is BF16:
        return f"Float16 has a smaller range: {_EVALUATE}.", _set(case, "float16")
    if found.form is INT4:
        plain = str(found.value).lower().removesuffix("_marlin")
        return "The plain kernels for such weights run there.", _set(case, plain) if plain in ("awq", "gptq") else ()
    form = _next(case) if server in WHOLE else None
    if form is None:
        return "", ()
    loading = ", or one in 16 bits," if form is FP8 else ""
    text = f"The device multiplies {_SAID[form]}: a checkpoint that is quantised so{loading} is needed, as no setting makes "
    return f"{text}it of the present one; {_EVALUATE}.", ()


def _next(case: OnGpus) -> Stored | None:
    """Of no more bits. Where the present one is only widened, nothing is gained by another that is, too."""
    forms = (FP8, INT8) if case.fate == "widened" else (FP8, INT8, AWQ)
    narrow = (one for one in forms if one.bits <= case.found.form.bits)
    return next((one for one in narrow if on_capability(one, case.capability) == "multiplied"), None)


def _set(case: OnGpus, proposed: Value) -> tuple[Change, ...]:
    """What a checkpoint says changes with the checkpoint."""
    lever, current = case.found.lever, case.found.value
    return () if lever is None or current == proposed else (Change(lever=lever, current=current, proposed=proposed),)


def _capability(view: View, case: OnGpus) -> tuple[Evidence, ...]:
    return (
        evidence(view, "compute_capability", "version", case.capability, case.limit),
        evidence(view, "gpus", "devices", len(case.devices)),
    )


def _looked(facts: ServiceFacts, case: OnGpus) -> tuple[Rejected, ...]:
    cache = facts.setting(Lever.KV_CACHE_PRECISION)
    if cache is None or "fp8" not in str(cache.value):
        return ()
    text = f"{cache.value} is widened as it is read on any device, and saves room on this one, too"
    return (Rejected("an 8-bit KV cache", text),)


def _stated(case: OnGpus) -> str:
    return f"{case.found.told_by}; the compute capability is {case.capability:.1f}"
