"""Does turning requests into arrays, and arrays into answers, take a good part of the CPU time?"""

from collections.abc import Mapping

from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Evidence, Gain, Need, Rejected
from advisor.profiling.asking import profile_of
from advisor.profiling.evidence import seen_in_profile, share_evidence, sureness, told
from advisor.profiling.limits import PRESSURE, busiest, faster, fullness, limiting, part_of, pressed, speedup
from advisor.profiling.view import ProfileView
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View
from collectors.levers import Lever

LEFT = (0.25, 0.02)
"""What bytes may leave of the time that text takes: a quarter in the worst case (answers that stay text, parsing of what is
no tensor), a fiftieth where they replace all of it. The best case is that nothing is left."""
ALONG = ("allocation", "gc")
"""Work that the parsed objects cause: memory that they ask for, and collecting them."""
MOVING = ("io", "loop", "glue")
"""Work of which a part moves the payload: a body is read and passed on piece by piece."""
MOVED = 0.25
"""The most of that work that may go as well: a number as text is two to three times as long as in bytes, so that half of
what is done by the byte goes, and at most half of it is done by the byte."""
_FORMS: Mapping[str, tuple[str, ...]] = {
    "protobuf fields": ("protobuf", "upb", "_message.", "_pb2"),
    "base64": ("base64", "b64decode", "binascii"),
    "pickle": ("pickle",),
    "JSON": ("json", "pydantic", "tolist", "asarray", "np.array", "numpy.array", "PyArray_", "codecs"),
}
"""Form of the payload -> parts of the names of functions that take it apart or put it together."""


class SerialisationHeavy(Rule):
    """Much of the CPU time goes into parsing and writing payloads, not into the model.

    What it looks for: JSON, protobuf, base64, validation and list-to-array functions at a fifth or more of the CPU time of
    the processes that limit a service under load.
    Why it matters: a tensor as text is parsed digit by digit into one object per number, and those into an array again;
    as bytes it is copied once.
    What to do: send tensors as bytes: the binary tensor extension or gRPC with raw contents where the server has them, else a
    body of `application/octet-stream`. Clients change with it.
    When it is wrong: where text is the product (tokenising, language models), for images that are sent as files already, and
    where the service has CPU time to spare: then it only costs a little latency.
    """

    proven = ("live", "built")
    recovers = "work"
    yields_to = ("cgroup-cpu-throttled",)
    thresholds = {
        "serialise_share": Threshold(
            enter=0.2, leave=0.15, unit="ratio", doc="(de)serialising, share of the limiting processes' CPU time"
        ),
        **PRESSURE,
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        if not pressed(view, settings) or _text_is_the_product(view):
            return None
        seen = profile_of(facts, "how much of its CPU time goes into parsing and writing payloads")
        if isinstance(seen, Need):
            return seen
        limit = limiting(view, seen, settings)
        if limit is None:
            return None
        share, media = limit.share("serialise"), limit.share("tokenise", "decode")
        if share.value - share.error < settings.limit("serialise_share") or share.value <= media.value:
            return None
        form = form_of(limit)
        part = part_of(limit, "serialise", along=ALONG)
        beside = limit.share(*ALONG)
        return Conclusion(
            subject=subject_of(view),
            title=f"{form} takes {share.value:.0%} of the CPU time: send tensors as bytes",
            summary=f"Parsing and writing payloads took {told(share)} of the CPU time that limits the service"
            f"{_where(limit)}; memory for the parsed objects another {beside.value:.0%}. The model's own work was "
            f"{limit.share('kernel', 'array', 'trees').value:.0%}. Tensors sent as bytes are copied instead of parsed. "
            "The estimate assumes that bytes leave between nothing and a quarter of that time, and save up to a quarter of "
            "what reading and passing on takes.",
            confidence=sureness(0.9, limit),
            evidence=(
                *share_evidence(limit, "serialise", share, settings.enter("serialise_share")),
                seen_in_profile(limit, "allocation_and_gc_share", "ratio", beside.value),
                seen_in_profile(limit, "unknown_share", "ratio", limit.share("unknown").value),
                evidence(view, "cores_full_ratio", "ratio", fullness(view), settings.enter("cores_full")),
                evidence(view, "busiest_process", "ratio", busiest(view, limit), settings.enter("process_busy")),
                *_each_request(view, seen),
                *asked(view),
            ),
            rejected=_rejected(view, limit),
            changes=(Change(lever=Lever.PAYLOAD_FORMAT, current=form, proposed="bytes", restart=True),),
            gains=self._gains(view, limit, part.least, part.likely, part.most + MOVED * limit.share(*MOVING).value),
        )

    @staticmethod
    def _gains(view: View, limit: ProfileView, least: float, likely: float, most: float) -> tuple[Gain, ...]:
        worst, usual = LEFT
        return faster(view, limit, speedup(least, worst), speedup(likely, usual), speedup(min(0.98, most), 0.0))


def form_of(seen: ProfileView) -> str:
    """The form that the payloads most likely have, by the names of the functions that handle them."""
    weights = dict.fromkeys(_FORMS, 0.0)
    for worker in seen.workers:
        named = {spot.where: spot.share for spot in worker.hot if spot.work == "serialise"} | dict(worker.calls)
        for name, part in named.items():
            form = next((f for f, words in _FORMS.items() if any(w.lower() in name.lower() for w in words)), None)
            if form is not None:
                weights[form] += part * worker.cores
    best = max(weights, key=lambda form: weights[form])
    return best if weights[best] > 0 else "Payload conversion"


def _text_is_the_product(view: View) -> bool:
    """A language model's server: prompts and answers are text and small."""
    return view.tokens_out_per_second is not None or view.first_token_seconds is not None


def _where(seen: ProfileView) -> str:
    """The hottest functions of it, as ` (a; b)`."""
    spots = sorted((s for w in seen.workers for s in w.hot if s.work == "serialise"), key=lambda s: -s.share)
    names = list(dict.fromkeys(spot.where for spot in spots))[:2]
    return f" ({'; '.join(names)})" if names else ""


def _each_request(view: View, seen: ProfileView) -> tuple[Evidence, ...]:
    """CPU time that one request costs to take apart and put together, where the server counts requests."""
    if not view.requests_per_second:
        return ()
    spent = seen.share("serialise").value * view.cores_used / view.requests_per_second
    return (seen_in_profile(seen, "serialise_cpu_per_request", "seconds", spent),)


def _rejected(view: View, limit: ProfileView) -> tuple[Rejected, ...]:
    loops = [w.loop for w in limit.workers if w.loop is not None]
    inside = max((x.work.get("serialise", 0.0) for x in loops), default=0.0)
    loop = f"{inside:.0%} of what its loop computes is this" if loops else "it has no event loop"
    active = sum(w.python_active for w in limit.workers) / len(limit.workers)
    return (
        Rejected("preprocess-heavy", f"tokenising and decoding took {told(limit.share('tokenise', 'decode'))}"),
        Rejected("ipc-dominates-light-model", f"passing requests between processes took {told(limit.share('ipc'))}"),
        Rejected("event-loop-blocked", loop),
        Rejected("gil-bound-worker", f"{active:.1f} Python threads want to run in a process"),
        Rejected("openmp-spin-wait", f"spinning took {told(limit.share('spin', 'lock'))}"),
    )
