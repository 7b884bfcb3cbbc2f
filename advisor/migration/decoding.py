"""Does a language model on a GPU wait for its weights, and what would fewer bits of them bring?

Each step of decoding reads all weights that a token uses. Where the bytes that this takes each second come near to what the
device's memory gives, tokens take as long as the weights are wide.
"""

from collections.abc import Mapping
from random import Random

import msgspec

from advisor.facts import ServiceFacts
from advisor.finding import Need
from advisor.gpu.holding import weights_bytes
from advisor.migration.configured import weights_form
from advisor.migration.derived import device_of
from advisor.migration.devices import Device
from advisor.migration.precisions import AWQ, FP8, Stored, on_capability
from advisor.migration.simulate import DRAWS, OF_BANDWIDTH
from advisor.migration.spread import Percentiles, Spread, percentiles
from advisor.migration.unsupported import capability_of
from advisor.view import View
from advisor.weights_traffic import streamed_model, weights_traffic
from collectors.entities import Model
from collectors.levers import Lever, Value

WITHIN = Spread(0.9, 1.0, 1.2)
"""Of the bytes that fewer bits leave: scales, and layers that stay wide."""
_WIDE_BITS = 15.0
_WIDE_TYPES = frozenset(("F16", "BF16", "F32", "FLOAT16", "BFLOAT16", "FLOAT"))
_WRITTEN: Mapping[str, Mapping[str, str]] = {
    "vllm": {"fp8": "fp8", "awq": "awq"},
    "sglang": {"fp8": "fp8", "awq": "awq"},
    "tgi": {"fp8": "fp8", "awq": "awq"},
}
"""Server -> form -> the value of its option."""


class Narrower(msgspec.Struct, frozen=True, kw_only=True):
    """`share`: of the device's bandwidth that reading weights takes; `ratio`: tokens a second, after / before; `bits`: of a
    weight now; `bytes_per_second`, `bandwidth`: of all its devices."""

    device: str
    capability: float
    share: float
    bandwidth: float
    bytes_per_second: float
    told: str
    bits: float
    form: Stored
    current: Value
    proposed: str | None
    ratio: Percentiles


def narrower(view: View, facts: ServiceFacts) -> Narrower | Need | None:
    """None where it does not decode, its weights are of few bits already, or the device has no better form. What is missing
    where only the device's bandwidth is."""
    model = streamed_model(view)
    if model is None or view.tokens_out_per_second is None or weights_form(facts) is not None:
        return None
    stored, count = weights_bytes((model,)), model.parameters
    if not stored or not count or 8 * stored / count < _WIDE_BITS or not _types(model) <= _WIDE_TYPES:
        return None
    bits = min(16.0, 8 * stored / count)  # servers of language models load 32 bits as 16
    traffic = weights_traffic(view, facts, model)
    gpus = [one.gpu for one in view.gpus]
    capability = min((capability_of(gpu) or 0.0 for gpu in gpus), default=0.0)
    form = next((one for one in (FP8, AWQ) if on_capability(one, capability) == "multiplied"), None)
    if traffic is None or form is None:
        return None
    of = {f"gpu:{gpu.uuid}": gpu for gpu in view.node_gpus}
    devices = [device_of(gpu, of.get(gpu.parent or "")) for gpu in gpus]
    known = [device for device in devices if isinstance(device, Device)]
    if len(known) < len(devices):
        return Need(
            kind="metrics", text=f"the memory bandwidth of {gpus[0].subject_name}: NVML with its bus and clocks"
        )
    bandwidth = sum(device.bandwidth_bytes for device in known)
    read = traffic.bytes_per_second * bits / (8 * stored / count)
    share = read / bandwidth
    setting = facts.setting(Lever.PRECISION)
    return Narrower(
        device=gpus[0].name, capability=capability, share=share, bandwidth=bandwidth, bytes_per_second=read, told=traffic.told,
        bits=bits, form=form, current=None if setting is None else setting.value,
        proposed=_WRITTEN.get(facts.service.framework, {}).get(form.name),
        ratio=_ratio(share, form.bits / bits, f"{view.service.id} {form.name}"),
    )  # fmt: skip


def _types(model: Model) -> set[str]:
    return {name for one in model.files for name in one.dtypes}


def _ratio(share: float, left: float, seed: str) -> Percentiles:
    """The part of the time that reads weights takes as much less as they are narrower."""
    random = Random(seed)  # noqa: S311 - a simulation
    found = []
    for _ in range(DRAWS):
        reading = min(1.0, share / OF_BANDWIDTH.draw(random))
        found.append(1 / (1 - reading + reading * min(1.0, left * WITHIN.draw(random))))
    return percentiles(found)
