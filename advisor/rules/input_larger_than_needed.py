"""Are inputs sent and decoded at a size that the service then throws away?"""

from collections.abc import Iterable

from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Rejected
from advisor.profiling.asking import FRESH_SECONDS
from advisor.profiling.evidence import seen_in_profile, share_evidence, sureness, told
from advisor.profiling.limits import PRESSURE, faster, limiting, pressed, speedup
from advisor.profiling.view import ProfileView
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, subject_of
from advisor.view import View
from collectors.levers import Lever

_CUTS = ("resize", "thumbnail", "crop", "interarea", "imagingresample", "imagingreduce", "imagingboxblur")
"""Parts of the names of functions after which an image has another size."""
SHRINKS = ("thumbnail", "imagingreduce")
"""Those that only ever make it smaller."""


class InputLargerThanNeeded(Rule):
    """Images come in larger than the model takes them: they are decoded whole and then shrunk.

    What it looks for: much CPU time in decoding images and, next to it, a function that changes their size and takes little:
    decoding costs time for each pixel that came, resizing mostly for each pixel that is left.
    Why it matters: bytes on the wire, decoding and memory all grow with the pixels that are thrown away.
    What to do: let the clients shrink or crop before they send, or decode at a fraction of the size.
    When it is wrong: the profile shows time, not sizes, so this is a hint and never more than that. A slow image format with
    small images looks the same. A smaller input changes what the model sees: check its outputs.
    """

    proven = ()
    recovers = "work"
    yields_to = ("serialisation-heavy",)
    caused_by = ("preprocess-heavy",)
    thresholds = {
        "decode_share": Threshold(enter=0.3, leave=0.25, unit="ratio", doc="decoding, share of CPU time"),
        "resize_share": Threshold(enter=0.02, leave=0.01, unit="ratio", doc="changing the size, share of CPU time"),
        "decode_per_resize": Threshold(
            enter=4.0, leave=3.0, unit="ratio", doc="decoding / changing the size, unless that only ever shrinks"
        ),
        **PRESSURE,
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        seen = facts.profile  # where none is there, other rules ask for one: a hint is not worth a profile of its own
        if seen is None or seen.age_seconds > FRESH_SECONDS or not pressed(view, settings):
            return None
        limit = limiting(view, seen, settings)
        if limit is None:
            return None
        decode, cut = limit.share("decode"), _calls(limit, _CUTS)
        whole = decode.value - cut  # resizing is of the class `decode` too
        if whole - decode.error < settings.limit("decode_share") or cut < settings.limit("resize_share"):
            return None
        only_shrinks = _calls(limit, SHRINKS) >= settings.limit("resize_share")
        if whole < settings.limit("decode_per_resize") * cut and not only_shrinks:
            return None
        return Conclusion(
            subject=subject_of(view),
            title=f"Images are decoded whole ({whole:.0%} of the CPU time) and then shrunk",
            summary=f"Decoding took {told(decode)} of the CPU time with {cut:.0%} for changing the size, {whole / cut:.0f} to "
            "1: most of what is decoded is likely thrown away. How large the inputs are is not visible in a profile; look at "
            "one. Smaller inputs change what the model sees.",
            confidence=min(0.4, sureness(0.4, limit)),
            evidence=(
                *share_evidence(limit, "decode", decode, settings.enter("decode_share")),
                seen_in_profile(limit, "resize_share", "ratio", cut, settings.enter("resize_share")),
                seen_in_profile(limit, "decode_per_resize", "ratio", whole / cut, settings.enter("decode_per_resize")),
                *asked(view),
            ),
            rejected=(Rejected("serialisation-heavy", f"(de)serialising took {told(limit.share('serialise'))}"),),
            changes=(Change(lever=Lever.INPUT_SIZE, current="as sent", proposed="as the model takes it"),),
            gains=faster(view, limit, 1.0, speedup(whole, 0.5), speedup(min(0.98, whole + decode.error), 0.0)),
        )


def _calls(seen: ProfileView, words: Iterable[str]) -> float:
    """Share of CPU time in named calls whose name has one of the words."""
    spent = sum(
        part * w.cores for w in seen.workers for name, part in w.calls.items() if any(x in name.lower() for x in words)
    )
    return spent / (seen.cores or 1.0)
