"""How full is a server's own KV cache, and what would more of it let run?"""

from collections.abc import Mapping, Sequence
from statistics import median

import msgspec

from advisor.facts import ServiceFacts
from advisor.finding import Change, Gain
from advisor.gpu.holding import weights_bytes
from advisor.gpu.preempted import EIGHT_BITS
from advisor.gpu.share import Raise, raised
from advisor.intervals import throughput
from advisor.view import View
from collectors.levers import Lever

FLOATS_OF_8_BITS: Mapping[str, str] = {"vllm": "fp8", "sglang": "fp8_e4m3", "tgi": "fp8_e4m3fn"}
"""Servers whose KV cache may have 8-bit floats -> how they write it. What NIM and Dynamo take depends on the engine inside."""
LAST_SECONDS = 65.0
LEAST_PAGES = 4


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """Use of the cache over the last minute. `larger`: how many times as large the change makes it, at least."""

    ratio: float
    pages: int
    seconds: float
    change: Change | None
    larger: float
    why_not: str


def fill_of(view: View, facts: ServiceFacts) -> Fill | None:
    """None where fewer than a minute of pages say it."""
    seen = [p for p in view.pages if p.kv_cache_ratio is not None and p.age_seconds <= LAST_SECONDS]
    if len(seen) < LEAST_PAGES:
        return None
    change, larger, why_not = _larger(view, facts)
    return Fill(
        ratio=median(p.kv_cache_ratio or 0.0 for p in seen),
        pages=len(seen),
        seconds=sum(p.seconds for p in seen),
        change=change,
        larger=larger,
        why_not=why_not,
    )


def _larger(view: View, facts: ServiceFacts) -> tuple[Change | None, float, str]:
    """More of the device where it is free, else 8 bits for each number where the device computes with them."""
    more = raised(view, facts)
    if isinstance(more, Raise):
        now = more.now if more.is_set else None
        change = Change(lever=Lever.GPU_MEMORY_SHARE, current=now, proposed=more.proposed)
        held = _cache_bytes(view, facts)
        return change, 1 + more.added_bytes / held if held else 1.0, ""
    narrow = narrower(view, facts)
    return (narrow, 2.0, more) if narrow is not None else (None, 1.0, more)


def narrower(view: View, facts: ServiceFacts) -> Change | None:
    """A cache of 8-bit floats, where server and devices have them and it has wider ones."""
    precision, proposed = facts.setting(Lever.KV_CACHE_PRECISION), FLOATS_OF_8_BITS.get(facts.service.framework)
    kinds = {one.gpu.architecture for one in view.gpus}
    if precision is None or precision.unread or precision.value not in (None, "auto") or proposed is None:
        return None
    if not kinds or not kinds <= EIGHT_BITS:
        return None
    return Change(lever=Lever.KV_CACHE_PRECISION, current=precision.value, proposed=proposed)


def _cache_bytes(view: View, facts: ServiceFacts) -> float:
    """At most what it holds beside its weights."""
    held: Sequence[int | None] = [one.memory_bytes for one in view.gpus]
    total = sum(each for each in held if each is not None)
    stored = weights_bytes(facts.service.models) or 0
    return float(total - stored if total > stored else total)


def waiting_gain(view: View, fill: Fill) -> tuple[Gain, ...]:
    """Where requests wait, at most as many more run as the cache gets larger and as wait; a batch of that size is not as fast
    for each, so the likely gain is half of it. Where none wait there is nothing to gain."""
    running, waiting = view.in_flight, view.server_queue
    if fill.change is None or not running or not waiting:
        return ()
    most = min(fill.larger, (running + waiting) / running)
    return (throughput(1.0, (1 + most) / 2, most),)
