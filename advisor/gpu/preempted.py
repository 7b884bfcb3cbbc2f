"""What do requests cost that are put out of a KV cache, and how many at once would stay in it to their end?"""

from collections.abc import Sequence
from math import floor, sqrt

import msgspec

from advisor.facts import ServiceFacts
from advisor.gpu.holding import geometry_of
from advisor.view import PageView, View
from collectors.levers import Lever

EIGHT_BITS = frozenset(("ada", "hopper", "blackwell"))
"""Architectures that compute with 8-bit floats."""
LEAST_ANSWERED = 10
"""Requests without which the mean length of an answer is not known."""
LIMIT_OF_ALL_ENGINES = frozenset(("sglang",))
"""Servers that may share out their limit among their engines, as SGLang does with attention in data parallel."""


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """What is computed a second time. `share`: at most this part of all tokens; None = the pages do not tell."""

    share: float | None
    per_request: float | None
    """Preempted / answered requests."""


def again_of(facts: ServiceFacts, pages: Sequence[PageView]) -> Again:
    """Each that is put out computes its prompt again and what it had generated: no more than a whole answer of that, nor than
    a request may hold. All of it is of the same pages."""
    told = [page for page in pages if page.preempted is not None and page.answered is not None]
    answered = sum(page.answered or 0.0 for page in told)
    if answered < LEAST_ANSWERED:
        return Again(share=None, per_request=None)
    put_out = sum(page.preempted or 0.0 for page in told)
    tokens = sum((page.tokens_in or 0.0) + (page.tokens_out or 0.0) for page in told)
    if tokens <= 0 or any(page.tokens_in is None or page.tokens_out is None for page in told):
        return Again(share=None, per_request=put_out / answered)
    each, longest = tokens / answered, _longest(facts)
    twice = put_out * (each if longest is None else min(each, longest))
    return Again(share=twice / (twice + tokens), per_request=put_out / answered)


def _longest(facts: ServiceFacts) -> int | None:
    """Tokens that one request may have; None where that is not known."""
    setting = facts.setting(Lever.CONTEXT_LENGTH)
    if setting is not None and isinstance(setting.value, int) and setting.value > 0:
        return setting.value
    shapes = [geometry_of(model) for model in facts.service.models]
    return shapes[0].context if len(shapes) == 1 and shapes[0] is not None else None


def engines_of(facts: ServiceFacts) -> int | None:
    """How many engines share the requests; None where it could not be read."""
    setting = facts.setting(Lever.DATA_PARALLEL)
    if setting is None:
        return 1
    if isinstance(setting.value, int) and setting.value > 0:
        return setting.value
    return None if setting.unread else 1


def at_once(view: View, facts: ServiceFacts) -> int | None:
    """How many requests of this length an engine's cache holds to their end. Of n in any stage of their answers, each holds
    its prompt and half an answer in the mean; it must fit with two standard deviations of that. Fewer than run now."""
    running, full, engines = view.in_flight, view.kv_cache_ratio, engines_of(facts)
    if not running or not full or engines is None:
        return None
    if engines > 1 and facts.service.framework in LIMIT_OF_ALL_ENGINES:
        return None
    each, spread = running / engines, _spread(view)
    root = sqrt(spread**2 + each / full) - spread  # x² + 2·spread·x = n / full
    return max(1, min(floor(root**2), floor(each) - 1)) if each >= 2 else None


def _spread(view: View) -> float:
    """Standard deviation of what a request holds / its mean, for answers in any stage; of no prompt where it is not known."""
    given, made = view.tokens_in_per_second, view.tokens_out_per_second
    part = 1.0 if given is None or not made else made / (given + made)
    return part / sqrt(12) / (1 - part / 2)
