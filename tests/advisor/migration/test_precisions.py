"""Which devices and CPUs multiply which form, and in which form a service says that its weights are."""

import pytest

from advisor.migration.configured import BY_NAME, dtype_form, onnx_form, weights_form
from advisor.migration.precisions import (
    AWQ,
    BF16,
    CAPABILITY_OF,
    FEWER_BITS,
    FP8,
    INT4,
    INT8,
    MXFP4,
    NVFP4,
    Stored,
    on_capability,
    on_cpu,
)
from collectors.entities import Model
from collectors.gpu.nvml.info import ARCHITECTURES
from collectors.model_file import ModelFile
from tests.advisor.llm_built import known, server

FORMS = (FP8, INT8, INT4, AWQ, NVFP4, MXFP4, BF16)


def test_what_becomes_of_each_form_from_volta_to_blackwell() -> None:
    told = {form.name: [on_capability(form, at) for at in (7.0, 7.5, 8.0, 8.6, 8.9, 9.0, 10.0, 12.0)] for form in FORMS}
    no, new, wide, yes = "refused", "by-release", "widened", "multiplied"
    assert told == {
        "fp8": [no, new, wide, wide, yes, yes, yes, yes],
        "int8": [no, yes, yes, yes, yes, yes, no, no],
        "int4": [no, new, yes, yes, yes, yes, yes, yes],
        "awq": [no, yes, yes, yes, yes, yes, yes, yes],
        "nvfp4": [no, new, wide, wide, wide, wide, yes, yes],
        "mxfp4": [no, new, yes, yes, yes, yes, yes, yes],
        "bf16": [no, no, yes, yes, yes, yes, yes, yes],
    }


def test_each_fact_has_a_source() -> None:
    assert all(form.sources for form in FORMS)
    assert set(BY_NAME.values()) < set(FORMS)
    assert [form.name for form in FEWER_BITS] == ["fp8", "int8", "int4"]


def test_no_limit_lies_between_two_capabilities_of_one_architecture() -> None:
    largest = {"volta": 7.2, "turing": 7.5, "ampere": 8.7, "ada": 8.9, "hopper": 9.0, "blackwell": 12.1}
    for name, most in largest.items():
        for form in FORMS:
            assert on_capability(form, CAPABILITY_OF[name]) == on_capability(form, most), (name, form.name)
    assert set(CAPABILITY_OF) == set(ARCHITECTURES.values())


@pytest.mark.parametrize(
    ("form", "flags", "expected"),
    [
        (INT8, ("avx2", "avx512f"), False), (INT8, ("avx2", "avx_vnni"), True), (INT8, ("asimd", "asimddp"), True),
        (BF16, ("avx512f", "avx512_vnni"), False), (BF16, ("asimd", "bf16"), True), (FP8, ("amx_bf16", "avx512f"), False),
    ],
)  # fmt: skip
def test_instructions(form: Stored, flags: tuple[str, ...], expected: bool) -> None:
    assert on_cpu(form, flags) is expected


def model(quantization: str | None = None, stated: str | None = None, **dtypes: int) -> Model:
    config = ModelFile(path="/m/config.json", format="hf-config", size_bytes=1, quantization=quantization,
                       stated_dtype=stated)  # fmt: skip
    weights = ModelFile(path="/m/model.safetensors", format="safetensors", size_bytes=9, dtypes=dtypes)
    return Model(name="m", files=(config, weights))


@pytest.mark.parametrize(
    ("said", "files", "form", "part"),
    [
        ("fp8", model(), FP8, None),
        ("FP8", model("gptq", I32=9), FP8, None),
        ("gptq", model("fp8", F8_E4M3=9), None, None),
        (None, model("fp8"), FP8, None),
        (None, model("fp8", F8_E4M3=6, BF16=4), FP8, 0.6),
        (None, model("compressed-tensors", I8=6, BF16=4), INT8, 0.6),
        (None, model("compressed-tensors", I32=6, BF16=4), None, None),
        ("compressed-tensors", model("compressed-tensors", F8_E5M2=6, BF16=4), FP8, 0.6),
        (None, model("modelopt", U8=8, F8_E4M3=1, BF16=1), NVFP4, None),
        (None, model("modelopt", U8=8, BF16=1), None, None),
        (None, model("bitsandbytes", I8=8, BF16=1), None, None),
        (None, model(None, F8_E4M3=9), None, None),
        (None, model("mxfp4", U8=9), MXFP4, None),
    ],
)
def test_forms_of_weights(said: str | None, files: Model, form: Stored | None, part: float | None) -> None:
    seen = server("vllm", models=(files,))
    found = weights_form(known(seen, precision=said))
    assert (found and found.form, found and found.part) == (form, part)
    assert found is None or (found.value == said) or said == "compressed-tensors"


def test_what_is_computed_where_nothing_is_quantised() -> None:
    seen = server("vllm", models=(model(stated="bfloat16"),))
    asked = dtype_form(known(seen, dtype="bfloat16"), asked=True)
    assert (asked and asked.form, asked and asked.told_by) == (BF16, "Dtype is bfloat16 (argument)")
    assert dtype_form(known(seen, dtype="auto"), asked=True) is None
    stated = dtype_form(known(seen, dtype="auto"), asked=False)
    assert (stated and stated.form, stated and stated.lever) == (BF16, None)
    for quiet in (known(seen, dtype="float16"), known(seen)):
        assert dtype_form(quiet, asked=False) is None
    assert dtype_form(known(server("vllm", models=(model(stated="float16"),)), dtype="auto"), asked=False) is None


def test_an_onnx_graph_counts_signed_and_unsigned() -> None:
    graph = ModelFile(path="/m.onnx", format="onnx", size_bytes=9, dtypes={"INT8": 5, "UINT8": 3, "FLOAT": 2},
                      quantization="w8a8")  # fmt: skip
    found = onnx_form(known(server("triton", models=(Model(name="m", files=(graph,)),))))
    assert (found and found.form, found and found.part) == (INT8, 0.8)
