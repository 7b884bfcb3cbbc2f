"""What do requests cost that are put out of a KV cache, and how many at once would stay in it to their end?"""

from math import floor, sqrt

import msgspec

from advisor.facts import ServiceFacts
from advisor.view import View
from collectors.levers import Lever

EIGHT_BITS = frozenset(("ada", "hopper", "blackwell"))
"""Architectures that compute with 8-bit floats."""


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """What is computed a second time. `share`: at most this part of all tokens; None = the page tells no tokens."""

    share: float | None
    per_request: float | None
    """Preempted / answered requests."""


def again_of(view: View, per_second: float) -> Again:
    """Each that is put out computes its prompt again and what it had generated; no more than a whole answer of that."""
    answered, given, made = view.requests_per_second, view.tokens_in_per_second, view.tokens_out_per_second
    per_request = per_second / answered if answered else None
    if not answered or given is None or made is None or given + made <= 0:
        return Again(share=None, per_request=per_request)
    twice = per_second * (given + made) / answered
    return Again(share=twice / (twice + given + made), per_request=per_request)


def at_once(view: View, facts: ServiceFacts) -> int | None:
    """How many requests of this length an engine's cache holds to their end. Of n in any stage of their answers, each holds
    its prompt and half an answer in the mean; it must fit with two standard deviations of that. Fewer than run now."""
    running, full = view.in_flight, view.kv_cache_ratio
    if not running or not full:
        return None
    engines = facts.setting(Lever.DATA_PARALLEL)
    each = running / (
        engines.value if engines is not None and isinstance(engines.value, int) and engines.value > 0 else 1
    )
    spread = _spread(view)
    root = (sqrt(spread**2 + each / full) - spread) if full else 0.0  # x² + 2·spread·x = n / full
    return max(1, min(floor(root**2), floor(each) - 1)) if each >= 2 else None


def _spread(view: View) -> float:
    """Standard deviation of what a request holds / its mean, for answers in any stage; of no prompt where it is not known."""
    given, made = view.tokens_in_per_second, view.tokens_out_per_second
    part = 1.0 if given is None or not made else made / (given + made)
    return part / sqrt(12) / (1 - part / 2)
