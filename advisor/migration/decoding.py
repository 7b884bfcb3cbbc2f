"""Does a language model on a GPU wait for its weights, and what would fewer bits of them bring?

Each step of decoding reads all weights that a token uses. Where the bytes that this takes each second come near to what the
device's memory gives, tokens take as long as the weights are wide.
"""

from functools import lru_cache
from random import Random

import msgspec

from advisor.facts import ServiceFacts
from advisor.finding import Need
from advisor.migration.configured import weights_form
from advisor.migration.devices import Device
from advisor.migration.precisions import FP8, Stored, on_capability
from advisor.migration.present import device_here
from advisor.migration.simulate import DRAWS, OF_BANDWIDTH
from advisor.migration.spread import Percentiles, Spread, percentiles
from advisor.migration.unsupported import capability_of
from advisor.view import View
from advisor.weights_traffic import streamed_model, weights_traffic
from collectors.entities import Model
from collectors.levers import Lever, Value

WITHIN = Spread(1.0, 1.12, 1.4)
"""Of the bytes that half the bits leave: scales, and layers that stay wide."""
POSSIBLE = 0.95
"""Nothing reads faster than the memory gives: above this share of it the steps are not what they seem (several replicas
behind one page, tokens that are guessed in advance)."""
_QUANTISES_AT_LOAD = frozenset(("vllm", "sglang", "tgi"))
"""Servers that take `fp8` for a checkpoint of 16 bits, and quantise it while they load it. 4 bits need another checkpoint."""
_STORED = frozenset(("F16", "BF16"))
_PLAIN = frozenset((None, "auto", "none"))


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
    ratio: Percentiles


def narrower(view: View, facts: ServiceFacts, least_share: float) -> Narrower | Need | None:
    """None where it does not decode, its weights are not of 16 bits, the device has no FP8, or reading them takes less than
    `least_share` of its bandwidth. What is missing where only that bandwidth is."""
    model, setting = streamed_model(view), facts.setting(Lever.PRECISION)
    if model is None or view.tokens_out_per_second is None or facts.service.framework not in _QUANTISES_AT_LOAD:
        return None
    if setting is not None and (setting.unread or setting.value not in _PLAIN):
        return None
    if weights_form(facts) is not None or not _types(model) or not _types(model) <= _STORED:
        return None
    traffic = weights_traffic(view, facts, model)
    gpus = [one.gpu for one in view.gpus]
    capability = min((capability_of(gpu) or 0.0 for gpu in gpus), default=0.0)
    if traffic is None or on_capability(FP8, capability) != "multiplied":
        return None
    of = {f"gpu:{gpu.uuid}": gpu for gpu in view.node_gpus}
    devices = [device_here(gpu, of.get(gpu.parent or ""), facts.stated_devices) for gpu in gpus]
    known = [device for device in devices if isinstance(device, Device)]
    if len(known) < len(devices):
        return Need(
            kind="metrics", text=f"the memory bandwidth of {gpus[0].subject_name}: NVML with its bus and clocks"
        )
    bandwidth = sum(device.bandwidth_bytes for device in known)
    share = traffic.bytes_per_second / bandwidth
    if not least_share <= share <= POSSIBLE:
        return None
    return Narrower(
        device=gpus[0].name, capability=capability, share=share, bandwidth=bandwidth,
        bytes_per_second=traffic.bytes_per_second, told=traffic.told, bits=16.0, form=FP8,
        current=None if setting is None else setting.value, ratio=_ratio(round(share, 2), FP8.bits / 16),
    )  # fmt: skip


def _types(model: Model) -> set[str]:
    return {name for one in model.files for name in one.dtypes}


@lru_cache(maxsize=128)
def _ratio(share: float, left: float) -> Percentiles:
    """Time of a token, before / after: the part of it that reads weights takes as much less as they are narrower."""
    random = Random(f"{share} {left}")  # noqa: S311 - a simulation
    found = []
    for _ in range(DRAWS):
        reading = min(1.0, share / OF_BANDWIDTH.draw(random))
        found.append(1 / (1 - reading + reading * min(1.0, left * WITHIN.draw(random))))
    return percentiles(found)
