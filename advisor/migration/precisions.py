"""In which types of numbers may weights be served, how much room do they take, and which devices multiply them?

Support: vLLM's table of quantisation kernels: 8-bit weights and activations from compute capability 7.5, FP8 from 8.9, 4-bit
weights with Marlin from 8.0.
"""

import msgspec

from advisor.migration.devices import Device, Precision


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A form of weights of fewer bits. `bits`: of each, with scales; `computed`: the type in which it is multiplied."""

    name: str
    bits: float
    computed: Precision
    least_capability: float


FEWER_BITS = (
    Stored(name="fp8", bits=8, computed="fp8", least_capability=8.9),
    Stored(name="int8", bits=8, computed="int8", least_capability=7.5),
    Stored(name="int4", bits=4.5, computed="fp16", least_capability=8.0),
)
"""The least harmful first. `int4`: in groups with a scale, computed in 16 bits (GPTQ and AWQ with Marlin, Q4_K of
llama.cpp)."""


def on_device(form: Stored, device: Device) -> bool:
    """Whether the device multiplies such weights without emulating them."""
    if device.kind == "gpu":
        return device.compute_capability is not None and device.compute_capability >= form.least_capability
    return form.computed in device.peak
