"""Do the clients' own waiting, or requests of changing size, make capacity figures lower bounds?"""

from advisor.facts import ServiceFacts
from advisor.finding import Conclusion, Rejected
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.soundness import Doubt, doubt_of, windows
from advisor.view import View


class EvidenceInvalid(Rule):
    """What the service answers now is not what it could: its clients wait for answers, or its requests change.

    What it looks for: requests in flight that stay the same while their latency moves, or connections that stand still with
    a request in flight on each (clients in a closed loop); else three windows of half a minute in which a busy worker
    answered rates more than a tenth apart.
    Why it matters: a closed loop slows down with the service, so that demand beyond the answered rate does not show and
    utilisation reads 100 % whatever the service can do. Figures of one worker and of all are then lower bounds, and rules
    that build on them are less sure.
    What to do: nothing on the service. Measure with open-loop arrivals (`nodewright loadtest`), or wait for steady load.
    When it is wrong: for independent clients whose number happens to stand still. Of a closed loop it says what kind of load
    this is, and not that the load is no real one: a pool of workers that call this service is one.
    """

    proven = ("built",)
    hold_seconds = 120.0
    thresholds = {
        "in_flight_spread": Threshold(
            enter=0.1, leave=0.15, unit="ratio", doc="standard deviation / mean of what stands still, at most"
        ),
        "latency_factor": Threshold(
            enter=1.25, leave=1.1, unit="ratio", doc="largest / smallest latency while requests in flight stay the same"
        ),
        "window_deviation": Threshold(
            enter=0.1, leave=0.08, unit="ratio", doc="requests per busy worker: a window's deviation from the mean"
        ),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        found = doubt_of(
            view,
            spread=settings.limit("in_flight_spread"),
            moved=settings.limit("latency_factor"),
            unstable=settings.limit("window_deviation"),
        )
        if found is None:
            return None
        closed = found.kind != "unstable"
        limit = settings.enter("in_flight_spread" if closed else "window_deviation")
        flying = () if found.in_flight is None else (evidence(view, "in_flight", "requests", found.in_flight),)
        return Conclusion(
            subject=subject_of(view),
            title="the clients wait for answers before they ask again: capacity figures are lower bounds"
            if closed
            else "a busy worker answers changing rates: capacity figures are lower bounds",
            summary=f"{found.because[0].upper()}{found.because[1:]}. {_meaning(found)}",
            confidence=0.8 if found.kind == "closed-loop" else 0.6,
            evidence=(
                evidence(view, found.metric, found.unit, found.observed, limit),
                *flying,
                *asked(view),
            ),
            rejected=_rejected(view, found),
        )


def _meaning(found: Doubt) -> str:
    if found.kind == "unstable":
        return (
            "Either its requests differ from one window to the next, or something else slows it at times: the smallest "
            "window counts as what one worker can do."
        )
    return (
        "A faster service would be asked for more, a slower one for less: how much more than this clients would ask for "
        "cannot be seen, and its utilisation says nothing of its headroom."
    )


def _rejected(view: View, found: Doubt) -> tuple[Rejected, ...]:
    if found.kind == "unstable":
        connections = "not known" if view.established is None else f"{view.established:.1f} on average"
        return (Rejected("clients in a closed loop", f"connections with a request in flight on each: {connections}"),)
    queue = max(view.accept_queue, default=None)
    waits = (
        "how many wait to be accepted is not readable"
        if queue is None
        else f"at most {queue:.0f} waited to be accepted"
    )
    seen = windows(view)
    kept = (Rejected("a full accept queue", waits),)
    if seen is None:
        return kept
    mean = sum(seen) / len(seen)
    off = max(abs(each / mean - 1) for each in seen)
    return (*kept, Rejected("requests that change", f"requests per busy worker stay within {off:.0%}"))
