"""Do requests lose their place in the KV cache again and again, to be computed a second time?"""

import msgspec

from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Evidence, Gain, Need, Rejected
from advisor.gpu.amounts import gib
from advisor.gpu.cache import narrower
from advisor.gpu.preempted import Again, again_of, at_once, engines_of
from advisor.gpu.share import Raise, raised
from advisor.intervals import throughput
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import PageView, View
from collectors.levers import Lever

LEAST_SECONDS = 60.0
SURE_SECONDS = 300.0
RECENT_PAGES = 3
"""Without any in these, it is over."""
MOST_TWICE = 0.5
"""Of all tokens: more than that is not promised to be saved, however often each is put out."""
FULL = 0.95
"""A cache as full as that is reason to ask a server that does not count them."""


class KvCachePreemption(Rule):
    """Running requests are put out of the KV cache, again and again, and computed a second time.

    What it looks for: the server's own count of preempted (vLLM) or retracted (SGLang) requests, growing on at least half of
    its metrics pages over a minute or more and still on the newest ones.
    Why it matters: such a request stands still in the middle of its answer, waits for a place, and its prompt and all that it
    had generated are computed again. Clients see it stall; the GPU looks well used meanwhile.
    What to do: more memory for the cache where the device has it free for good, else fewer requests at once, so that those
    that run have a place to the end. A cache of 8 bits holds twice as many tokens where device and model allow it.
    When it is wrong: just after a start or a deployment, when many requests of one age run at once. With blocks that are
    found again in a prefix cache less is computed again than is stated, which is an upper bound.
    """

    proven = ("built",)
    recovers = "device"
    thresholds = {
        "preempted_per_minute": Threshold(enter=1.0, leave=0.2, unit="1/min", doc="requests put out of the cache"),
        "pages_ratio": Threshold(
            enter=0.5, leave=0.25, unit="ratio", doc="metrics pages that count some / all of them"
        ),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        pages = [page for page in view.pages if page.preempted is not None]
        if view.preemptions_per_second is None:
            return _uncounted(view)
        hit = [page for page in pages if page.preempted]
        if not hit or not any(page.preempted for page in pages[-RECENT_PAGES:]):
            return None
        seconds = sum(page.seconds for page in pages)
        if seconds < LEAST_SECONDS:
            return Need(kind="time", text=f"{LEAST_SECONDS - seconds:.0f} more seconds of its metrics pages")
        per_minute = 60 * sum(page.preempted or 0.0 for page in pages) / seconds
        ratio = len(hit) / len(pages)
        if per_minute < settings.limit("preempted_per_minute") or ratio < settings.limit("pages_ratio"):
            return None
        again, more = again_of(facts, pages), raised(view, facts)
        change = _change(view, facts, more)
        return Conclusion(
            subject=subject_of(view),
            title=f"{per_minute:.1f} requests a minute lose their place in the KV cache: {_title(facts, change)}",
            summary=f"They were put out on {len(hit)} of {len(pages)} metrics pages over {seconds:.0f} s. {_told(again)} "
            f"{_why(more, change)}{_narrower(view, facts)}",
            confidence=0.55 + 0.3 * min(1.0, seconds / SURE_SECONDS),
            evidence=(*_evidence(view, settings, pages, per_minute, ratio, again), *asked(view)),
            rejected=(
                Rejected(
                    "a burst after a start", f"{len(hit)} of {len(pages)} pages count some, the newest among them"
                ),
                *_rejected(view),
            ),
            changes=() if change is None else (change,),
            gains=_gains(view, facts, again, change),
        )


def _uncounted(view: View) -> Need | None:
    """Asked where the cache is full; the first page after a start tells no rate of anything."""
    full = view.kv_cache_ratio
    if full is None or full < FULL or len(view.pages) < RECENT_PAGES:
        return None
    text = f"the KV cache is {full:.0%} full, and the server prints no count of preempted requests"
    return Need(kind="metrics", text=text)


def _change(view: View, facts: ServiceFacts, more: Raise | str) -> Change | None:
    if isinstance(more, Raise):
        now = more.now if more.is_set else None
        return Change(lever=Lever.GPU_MEMORY_SHARE, current=now, proposed=more.proposed)
    setting = facts.setting(Lever.MAX_REQUESTS_IN_FLIGHT)
    fit = at_once(view, facts)
    if setting is None or fit is None or (isinstance(setting.value, int) and setting.value <= fit):
        return None
    return Change(lever=Lever.MAX_REQUESTS_IN_FLIGHT, current=setting.value, proposed=fit)


def _gains(view: View, facts: ServiceFacts, again: Again, change: Change | None) -> tuple[Gain, ...]:
    """At most all that is computed twice is saved; likely half of the bound, as an answer is half done in the mean and blocks
    are found again. Fewer at once may cost as much as they are fewer, where the device works on all of them together."""
    if again.share is None or change is None:
        return ()
    least, share = 1.0, min(MOST_TWICE, again.share)
    if change.lever is Lever.MAX_REQUESTS_IN_FLIGHT and view.in_flight:
        least = min(1.0, int(change.proposed or 1) * (engines_of(facts) or 1) / view.in_flight)
    return (throughput(least, 1 / (1 - share / 2), 1 / (1 - share)),)


def _title(facts: ServiceFacts, change: Change | None) -> str:
    if change is None:
        return "it holds too few tokens for them"
    if change.lever is Lever.GPU_MEMORY_SHARE:
        return f"give it {change.proposed:.0%} of the device"
    engines = engines_of(facts) or 1
    return f"run at most {change.proposed} at once{f' on each of {engines} engines' if engines > 1 else ''}"


def _told(again: Again) -> str:
    often = ""
    if again.per_request is not None:
        part = f"{again.per_request:.0%} of those" if again.per_request <= 1 else "more than those"
        often = f"That is {part} that it answers. "
    if again.share is None:
        return f"{often}How much is computed twice cannot be told of so few answers, or of pages that count no tokens."
    return f"{often}At most {again.share:.1%} of all tokens are computed twice."


def _why(more: Raise | str, change: Change | None) -> str:
    if isinstance(more, Raise):
        return f"The device has {gib(more.added_bytes)} for it that nobody used in the last minutes."
    if change is None:
        return f"A larger share is out: {more}."
    return (
        f"A larger share is out: {more}. Fewer at once wait in the queue instead of inside the cache; go down in steps."
    )


def _narrower(view: View, facts: ServiceFacts) -> str:
    """Whether a cache of 8 bits is to be had."""
    change = narrower(view, facts)
    if change is None:
        return ""
    return f" A KV cache in {change.proposed} holds twice as many tokens here; check the answers on it first."


def _evidence(
    view: View, settings: Settings, pages: list[PageView], per_minute: float, ratio: float, again: Again
) -> tuple[Evidence, ...]:
    seconds = round(sum(page.seconds for page in pages), 1)
    known = (
        ("preempted_per_minute", "1/min", per_minute, settings.enter("preempted_per_minute")),
        ("pages_with_preemptions", "ratio", ratio, settings.enter("pages_ratio")),
        ("tokens_computed_twice_at_most", "ratio", again.share, None),
        ("kv_cache_ratio", "ratio", view.kv_cache_ratio, None),
        ("requests_running", "requests", view.in_flight, None),
    )
    return tuple(
        msgspec.structs.replace(evidence(view, name, unit, value, limit), window_seconds=seconds, samples=len(pages))
        for name, unit, value, limit in known
        if value is not None
    )


def _rejected(view: View) -> tuple[Rejected, ...]:
    found = [
        Rejected("vram-near-full", f"{gib(one.gpu.memory_free_bytes)} of {one.gpu.subject_name} are free")
        for one in view.gpus
        if one.gpu.memory_free_bytes is not None
    ]
    return tuple(found[:1])
