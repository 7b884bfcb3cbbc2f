"""In which type of numbers would a device serve a model, where somebody says which, and what does that change of its work?

Weights take the bits of the form; outputs of layers are of 16 bits beside it, of 32 with weights of 32. Which units multiply
is the device's: the form's own, or those of 16 bits with each weight widened on its way (`advisor.migration.precisions`).
Caches stay as they are, and what fewer bits do to the answers is not known here.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from advisor.migration.devices import Device, Precision
from advisor.migration.precisions import BF16, FP8, INT4, INT8, Stored, on_capability, on_device
from advisor.migration.work import Work

USUAL_BITS = 16.0
_BITS: Mapping[Precision, float] = {
    "fp32": 32, "tf32": 32, "fp16": 16, "bf16": BF16.bits, "fp8": FP8.bits, "int8": INT8.bits, "int4": INT4.bits,
}  # fmt: skip
_FORMS: Mapping[Precision, Stored] = {"bf16": BF16, "fp8": FP8, "int8": INT8, "int4": INT4}
PRECISIONS: tuple[Precision, ...] = tuple(_BITS)
_WIDENING = ("widened", "by-release")


def computed_bits(precision: Precision) -> float:
    """Of a weight as it is read for the units at most, and of what layers pass on."""
    return max(USUAL_BITS, _BITS[precision])


def served_in(work: Work, precision: Precision, before: Precision | None) -> Work:
    """`before`: in which it was supposed to be served; None = in 16 bits, from the weights as they are stored. Where the files
    do not tell of how many bits a weight is, the room that it takes stays."""
    wider = computed_bits(precision) / (USUAL_BITS if before is None else computed_bits(before))
    changed = replace(work, activations=work.activations.times(wider))
    if work.bits is None:
        told = f"weights counted as they are, not in {precision}: the files do not tell their bits"
        return replace(changed, told=(*work.told, told))
    bits = _BITS[precision]
    weights = work.weights * bits / work.bits
    told = f"weights in {precision}: {weights / 1e9:.2f} GB, {work.weights / 1e9:.2f} GB before"
    ratio = work.memory_ratio if bits == work.bits else max(1.0, work.memory_ratio)
    return replace(changed, weights=weights, bits=bits, memory_ratio=ratio, told=(*work.told, told))


def computed_in(precision: Precision | None, device: Device) -> Precision | None:
    """Which units of the device multiply it: None = none of them, as it is served. `precision`: None = 16 bits."""
    usual: Precision | None = "fp16" if device.operations("fp16") else "bf16" if device.operations("bf16") else None
    if precision is None:
        return usual
    form = _FORMS.get(precision)
    if form is None:
        return precision if device.operations(precision) else None
    if on_device(form, device):
        own = precision if form.computed == precision else usual
        return own if own is not None and device.operations(own) else None
    capability = device.compute_capability
    fate = "refused" if capability is None else on_capability(form, capability)
    return usual if fate in _WIDENING else None
