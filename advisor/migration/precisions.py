"""In which types of numbers may weights be served, how much room do they take, and what multiplies them?

Support as the sources of each form say it; those of servers name vLLM's releases of 2024 to 2026.
"""

from collections.abc import Collection
from typing import Literal

import msgspec

from advisor.migration.devices import Device, Precision

Fate = Literal["multiplied", "widened", "by-release", "refused"]


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A form of weights, and what multiplies it. Capabilities are those of CUDA (8.9).

    `bits`: of each number, with scales; `computed`: the type in which it is multiplied; `least_capability`: from which it
    is, without emulation; `kernels_until`: from which servers have no kernels for it any more; `widened_from`: from which
    they take it with each number widened to 16 bits on its way to the units; `lately_from`: from which their releases since
    the end of 2025 take it likewise; `instructions`: of CPUs, any of which multiplies it.
    """

    name: str
    bits: float
    computed: Precision | Literal["fp4"]
    least_capability: float
    kernels_until: float | None = None
    widened_from: float | None = None
    lately_from: float | None = None
    instructions: tuple[str, ...] = ()
    sources: tuple[str, ...]


FP8 = Stored(
    name="fp8", bits=8, computed="fp8", least_capability=8.9, widened_from=8.0, lately_from=7.5,
    sources=(
        "vLLM 0.32 documentation, FP8 W8A8: computed from 8.9, run as weights only (Marlin) from 7.5",
        "vllm-project/vllm#5975 (2024): weights only from 8.0; #29901, #31000 (December 2025): from 7.5",
        "sgl-project/sglang#12887, text-generation-inference layers/fp8.py: Marlin on 8.x; refused below",
    ),
)  # fmt: skip
INT8 = Stored(
    name="int8", bits=8, computed="int8", least_capability=7.5, kernels_until=10.0,
    instructions=("amx_int8", "avx512_vnni", "avx_vnni", "asimddp", "i8mm"),
    sources=(
        "vLLM documentation, INT8 W8A8: from 7.5, not from 10.0 on",
        "ONNX Runtime documentation, Quantize ONNX models: x86-64 with VNNI and ARM with dot products; without them it may "
        "be slower than floats, and products of U8S8 may saturate",
    ),
)  # fmt: skip
INT4 = Stored(
    name="int4", bits=4.5, computed="fp16", least_capability=8.0, lately_from=7.5,
    sources=("vLLM documentation, supported hardware: Marlin from 8.0", "vllm-project/vllm#29901: from 7.5"),
)  # fmt: skip
AWQ = Stored(
    name="awq", bits=4.5, computed="fp16", least_capability=7.5,
    sources=("vLLM documentation, supported hardware: AWQ from 7.5", "vllm-project/vllm#1252"),
)  # fmt: skip
NVFP4 = Stored(
    name="nvfp4", bits=4.5, computed="fp4", least_capability=10.0, widened_from=8.0, lately_from=7.5,
    sources=(
        "vllm-project/vllm#18000, #48199: computed from 10.0, else weights only (Marlin)", "dphnAI/sonar#1390: that from 8.0",
    ),
)  # fmt: skip
MXFP4 = Stored(
    name="mxfp4", bits=4.25, computed="fp16", least_capability=8.0, lately_from=7.5,
    sources=("vLLM layers/quantization/mxfp4.py: from 8.0; activations of 16 bits by default, on 10.0 too",),
)  # fmt: skip
BF16 = Stored(
    name="bf16", bits=16, computed="bf16", least_capability=8.0,
    instructions=("amx_bf16", "avx512_bf16", "bf16"),
    sources=(
        "vllm-project/vllm#946, #1157: refused below 8.0 where it is asked for; `auto` takes float16 there",
        "pytorch/pytorch#86550, #95125, #146508: without AVX512_BF16 slower than float32, without AVX-512 by far",
    ),
)  # fmt: skip
FEWER_BITS = (FP8, INT8, INT4)
"""The least harmful first. `int4`: in groups with a scale, computed in 16 bits (GPTQ and AWQ with Marlin, Q4_K of
llama.cpp)."""
CAPABILITY_OF = {
    "kepler": 3.0, "maxwell": 5.0, "pascal": 6.0, "volta": 7.0, "turing": 7.5, "ampere": 8.0, "ada": 8.9, "hopper": 9.0,
    "blackwell": 10.0,
}  # fmt: skip
"""Architecture -> its least compute capability: between no two of one architecture is a limit above."""


def on_device(form: Stored, device: Device) -> bool:
    """Whether the device multiplies such weights without emulating them."""
    if device.kind == "gpu":
        return device.compute_capability is not None and device.compute_capability >= form.least_capability
    return form.computed in device.peak


def on_capability(form: Stored, capability: float) -> Fate:
    """What a server that loads models whole does with such weights on a device of that capability."""
    if form.kernels_until is not None and capability >= form.kernels_until:
        return "refused"
    if capability >= form.least_capability:
        return "multiplied"
    if form.widened_from is not None and capability >= form.widened_from:
        return "widened"
    return "by-release" if form.lately_from is not None and capability >= form.lately_from else "refused"


def on_cpu(form: Stored, flags: Collection[str]) -> bool:
    """Whether one of the CPU's instructions multiplies it."""
    return any(flag in flags for flag in form.instructions)
