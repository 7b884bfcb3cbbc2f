"""Which types of numbers may a model be served in, how much room do they take, and what computes them?

Support: vLLM's table of quantisation kernels (8-bit weights and activations from compute capability 7.5, FP8 from 8.9, 4-bit
weights with Marlin from 8.0), BF16 from 8.0; on CPUs the instructions that multiply such numbers (`/proc/cpuinfo`).
"""

from collections.abc import Collection, Mapping

import msgspec

from advisor.migration.devices import Device, Precision


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A form of weights. `bits`: of each, with scales; `computed`: the type in which it is multiplied."""

    name: str
    bits: float
    computed: Precision
    least_capability: float
    cpu: frozenset[str] | None
    """One of these instruction sets is wanted on a CPU; None = every CPU does."""
    same_results: bool
    """Results are those of 16 bits; else quality has to be measured."""


FORMS: Mapping[str, Stored] = {
    form.name: form
    for form in (
        Stored(name="fp32", bits=32, computed="fp32", least_capability=3.5, cpu=None, same_results=True),
        Stored(
            name="bf16", bits=16, computed="bf16", least_capability=8.0,
            cpu=frozenset(("amx_bf16", "avx512_bf16", "bf16")), same_results=True,
        ),
        Stored(name="fp16", bits=16, computed="fp16", least_capability=5.3, cpu=frozenset(("amx_fp16", "avx512_fp16",
               "asimdhp")), same_results=True),
        Stored(name="fp8", bits=8, computed="fp8", least_capability=8.9, cpu=frozenset(), same_results=False),
        Stored(
            name="int8", bits=8, computed="int8", least_capability=7.5,
            cpu=frozenset(("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")), same_results=False,
        ),
        Stored(name="int4", bits=4.5, computed="fp16", least_capability=8.0, cpu=None, same_results=False),
    )
}  # fmt: skip
"""`int4`: 4-bit weights in groups with a scale, computed in 16 bits (GPTQ and AWQ with Marlin, Q4_K of llama.cpp)."""
NEXT: Mapping[str, tuple[str, ...]] = {
    "fp8": ("int8", "int4"), "bf16": ("fp16",), "int8": ("int4", "fp16"), "int4": ("int8",), "fp16": ("fp32",),
}  # fmt: skip
"""What to use instead where one is not computed, the nearest first."""


def on_device(form: Stored, device: Device) -> bool:
    """Whether the device multiplies such weights without emulating them."""
    if device.kind == "gpu":
        return device.compute_capability is not None and device.compute_capability >= form.least_capability
    return form.computed in device.peak


def on_cpu(form: Stored, flags: Collection[str]) -> bool:
    """Whether a CPU with these flags has instructions for it."""
    return form.cpu is None or not form.cpu.isdisjoint(flags)


def instead(form: Stored, device: Device) -> Stored | None:
    """The nearest form that the device computes; the form itself where it does."""
    if on_device(form, device):
        return form
    return next((FORMS[name] for name in NEXT.get(form.name, ()) if on_device(FORMS[name], device)), None)
