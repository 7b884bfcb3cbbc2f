"""In which form of few bits are a service's weights, as its settings and the headers of its models' files say?"""

from collections.abc import Mapping

import msgspec

from advisor.facts import ServiceFacts
from advisor.migration.precisions import AWQ, BF16, FP8, INT4, INT8, MXFP4, NVFP4, Stored
from collectors.entities import Model
from collectors.levers import Lever, Setting, Value

BY_NAME: Mapping[str, Stored] = {
    "fp8": FP8, "fbgemm_fp8": FP8, "modelopt_fp8": FP8, "w8a8_fp8": FP8, "fp8_per_tensor": FP8, "fp8_per_block": FP8,
    "w8a8_int8": INT8, "blockwise_int8": INT8, "awq": AWQ, "awq_marlin": INT4, "gptq_marlin": INT4, "marlin": INT4,
    "modelopt_fp4": NVFP4, "nvfp4": NVFP4, "mxfp4": MXFP4,
}  # fmt: skip
"""As servers' options and `quantization_config` in config.json write them. What is missing has kernels wherever its server
runs: GGUF, plain GPTQ, bitsandbytes, weights alone in 8 bits."""
SEVERAL = frozenset(("compressed-tensors", "modelopt", "quark"))
"""Names that do not say the form: the types of the tensors do."""
_FLOATS_OF_8_BITS, _INTEGERS_OF_8_BITS, _PACKED = ("F8_E4M3", "F8_E5M2"), ("I8",), ("U8",)
_PLAIN = frozenset((None, "auto"))
_BF16 = frozenset(("bfloat16", "bf16"))
_AS_STORED = frozenset(("vllm", "sglang"))
"""Servers that compute in the type that the model states, where nothing else is set."""


class Configured(msgspec.Struct, frozen=True, kw_only=True):
    """`told_by`: what says so, as a clause. `lever`, `value`: the setting that does; None = the files alone. `part`: of all
    elements those that are stored so; None = the headers do not say."""

    form: Stored
    told_by: str
    lever: Lever | None = None
    value: Value = None
    part: float | None = None

    @property
    def name(self) -> str:
        return self.form.name.upper()


def weights_form(facts: ServiceFacts) -> Configured | None:
    """As a server of language models, or transformers, loads them: what is set wins over the files. None = in no such form."""
    setting = facts.setting(Lever.PRECISION)
    name = str(setting.value).lower() if setting is not None and setting.value is not None else None
    if setting is None or name is None or name in SEVERAL:
        return next((found for model in facts.service.models if (found := _of_files(model)) is not None), None)
    form = BY_NAME.get(name)
    return None if form is None else _set(form, setting)


def onnx_form(facts: ServiceFacts) -> Configured | None:
    """An ONNX model of which layers take inputs and weights of 8 bits; one with weights alone in them is none."""
    for model in facts.service.models:
        files = [one for one in model.files if one.quantization == "w8a8"]
        if files:
            part = _part(model, "INT8", "UINT8")
            return Configured(form=INT8, told_by=f"Operators of {model.name} take inputs of 8 bits", part=part)
    return None


def dtype_form(facts: ServiceFacts, *, asked: bool) -> Configured | None:
    """BF16 as the type in which what is not quantised is computed. `asked`: only where it is set, not as the model states."""
    setting = facts.setting(Lever.DTYPE)
    if setting is None or setting.unread:
        return None
    if str(setting.value).lower() in _BF16:
        return _set(BF16, setting)
    if asked or setting.value not in _PLAIN or facts.service.framework not in _AS_STORED:
        return None
    for model in facts.service.models:
        if any(one.stated_dtype in _BF16 for one in model.files):
            return Configured(form=BF16, told_by=f"The config.json of {model.name} states bfloat16")
    return None


def _set(form: Stored, setting: Setting) -> Configured:
    return Configured(
        form=form,
        told_by=f"{setting.lever.replace('_', ' ').capitalize()} is {setting.value} ({setting.origin})",
        lever=setting.lever,
        value=setting.value,
    )


def _of_files(model: Model) -> Configured | None:
    name = next((one.quantization for one in model.files if one.quantization and one.format == "hf-config"), None)
    if name is None:
        return None
    form = _of_tensors(model) if name.lower() in SEVERAL else BY_NAME.get(name.lower())
    if form is None:
        return None
    types = {"fp8": _FLOATS_OF_8_BITS, "int8": _INTEGERS_OF_8_BITS}.get(form.name)
    part = _part(model, *types) if types else None
    return Configured(form=form, told_by=f"The config.json of {model.name} says {name}", part=part)


def _of_tensors(model: Model) -> Stored | None:
    """Packed pairs of 4-bit floats have scales that are 8-bit floats; packed integers have not."""
    floats, integers, packed = (_count(model, *t) for t in (_FLOATS_OF_8_BITS, _INTEGERS_OF_8_BITS, _PACKED))
    if packed > max(floats, integers):
        return NVFP4 if floats else None
    if max(floats, integers) == 0:
        return None
    return FP8 if floats >= integers else INT8


def _count(model: Model, *types: str) -> int:
    return sum(one.dtypes.get(kind, 0) for one in model.files for kind in types)


def _part(model: Model, *types: str) -> float | None:
    total = sum(sum(one.dtypes.values()) for one in model.files)
    return _count(model, *types) / total if total else None
