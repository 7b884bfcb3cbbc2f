"""By how much may a server's share of the device memory be raised, with what others have there left to them?"""

from collections.abc import Mapping
from math import floor

import msgspec

from advisor.facts import ServiceFacts
from advisor.gpu.amounts import GIB, gib
from advisor.gpu.growth import moved
from advisor.gpu.view import ServiceGpu
from advisor.view import View
from collectors.levers import Lever

KEPT: Mapping[str, int] = {"vllm": GIB, "nim": GIB, "sglang": 6 * GIB}
"""Servers whose share is of the whole device -> what stays free beside it. SGLang's activations and graphs are not in its
share: its guide keeps 5 to 8 GB for them."""
KEPT_PART = 0.02
"""Of the device, at least, for the same."""
OTHERS_PART = 0.1
"""Of what others hold, in case they come to need more."""
LEAST_STEP = 0.02
MOST = 0.95
"""Graphs and libraries may come on top of what a server counts."""


class Raise(msgspec.Struct, frozen=True, kw_only=True):
    """The share now, as set or else as measured; the proposed one; what that adds on the tightest device."""

    now: float
    is_set: bool
    proposed: float
    added_bytes: float


def raised(view: View, facts: ServiceFacts) -> Raise | str:
    """The larger share that fits, or why there is none."""
    setting, kept = facts.setting(Lever.GPU_MEMORY_SHARE), KEPT.get(facts.service.framework)
    if setting is None or kept is None:
        return "its share of the device is not one of the whole memory"
    if setting.unread:
        return setting.origin
    parts = [_part(one, kept) for one in view.gpus]
    refused = next((part for part in parts if isinstance(part, str)), None)
    known = [part for part in parts if not isinstance(part, str)]
    if refused is not None or not known:
        return refused or "it is on no device that is read"
    is_set = isinstance(setting.value, float | int) and setting.value > 0
    now = float(setting.value) if is_set and isinstance(setting.value, float | int) else min(own for own, _, _ in known)
    extra = min(share for _, share, _ in known)
    proposed = floor(min(MOST, now + extra) * 100 + 1e-6) / 100
    if proposed < now + LEAST_STEP:
        return f"{gib(min(free for _, _, free in known))} are free beside it, which have to stay"
    usable = min(one.gpu.memory_usable_bytes or 0 for one in view.gpus)
    return Raise(now=round(now, 2), is_set=is_set, proposed=proposed, added_bytes=(proposed - now) * usable)


def _part(one: ServiceGpu, kept: int) -> tuple[float, float, int] | str:
    """Of one device: the service's part of it, what more of it may be had, and what is free."""
    gpu, own = one.gpu, one.memory_bytes
    usable, used = gpu.memory_usable_bytes, gpu.memory_used_bytes
    if usable is None or usable <= 0 or used is None or own is None:
        return f"what it holds of {gpu.subject_name} is not known"
    highest = max([used, gpu.memory_used_max_bytes or 0, *(held for _, held in gpu.memory_seen)])
    kept = max(kept, round(KEPT_PART * usable))
    if not one.alone:
        unknown = gpu.unknown_memory_bytes or 0
        hidden = sum(p.memory_bytes is None for p in gpu.processes)
        if not gpu.processes_known or hidden or unknown > KEPT_PART * usable:
            return f"others are on {gpu.subject_name}, and what they hold is not known"
        kept += round(OTHERS_PART * (one.others_bytes or 0)) + moved(gpu.memory_seen, 300.0)
    return own / usable, max(0.0, (usable - highest - kept) / usable), usable - highest
