"""Do models that share a server push each other out of its memory again and again?"""

from math import sqrt

import msgspec

from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Evidence, Gain, Need, Rejected
from advisor.intervals import gain
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, subject_of
from advisor.view import View
from collectors.levers import Lever

SEEN_IN_P99 = (0.02, 0.5)
"""Share of requests that meet a load from where on the 99 % point is one of them and the median is not."""


class Moves(msgspec.Struct, frozen=True, kw_only=True):
    """What the pages of the last minutes count together."""

    seconds: float
    pages: int
    evicted: float
    loaded: float
    answered: float | None

    @property
    def evicted_a_minute(self) -> float:
        return 60 * self.evicted / self.seconds

    @property
    def returned(self) -> float:
        """Loads for each eviction: near 1 where what goes comes back."""
        return self.loaded / self.evicted

    @property
    def missed(self) -> float | None:
        """Share of requests that had to wait for a load, at most one request a load."""
        return None if not self.answered else min(1.0, self.loaded / self.answered)


class ModelEvictionThrash(Rule):
    """A server holds more models than fit into its memory: requests for one take another out, and that one comes back.

    What it looks for: evictions that go on over several metrics pages while about as many models are loaded again.
    Why it matters: a request for a model that is out waits until it is loaded, seconds instead of milliseconds, and what it
    pushed out is asked for next.
    What to do: less overcommit, so that fewer models share the server; more memory for it; or servers of their own for the
    models that are asked for most.
    When it is wrong: while models are first loaded or replaced, which ends by itself, and where models are asked for so
    seldom that a load now and then is cheaper than the memory.
    """

    proven = ("built",)
    recovers = "latency"
    needs_load = False
    minimum_samples = 0
    thresholds = {
        "evictions_a_minute": Threshold(enter=1.0, leave=0.5, unit="1/min", doc="models taken out of memory, at least"),
        "evictions": Threshold(enter=4, leave=2, unit="models", doc="evictions in the pages that are held, at least"),
        "returned": Threshold(enter=0.5, unit="ratio", doc="models loaded / evicted, at least"),
        "seconds": Threshold(enter=60, unit="seconds", doc="time that the pages cover, at least"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        moves = _moves(view)
        if moves is None or moves.evicted <= 0 or moves.evicted_a_minute < settings.limit("evictions_a_minute"):
            return None
        if moves.seconds < settings.limit("seconds"):
            left = settings.limit("seconds") - moves.seconds
            return Need(kind="time", text=f"{left:.0f} more seconds of its metrics page: whether evictions go on")
        if moves.evicted < settings.limit("evictions") or moves.returned < settings.limit("returned"):
            return None
        change = _less(facts)
        missed = "" if moves.missed is None else f" {moves.missed:.1%} of the requests met a load."
        return Conclusion(
            subject=subject_of(view),
            title=f"Models push each other out of memory {moves.evicted_a_minute:.1f} times a minute and are loaded again: "
            + ("no overcommit" if change else "more memory, or fewer models on this server"),
            summary=f"In {moves.seconds:.0f} s {moves.evicted:.0f} models were taken out of memory and {moves.loaded:.0f} "
            f"loaded.{missed} {_advice(facts, change)}",
            confidence=0.7,
            evidence=_evidence(moves, settings, view),
            rejected=(
                Rejected("models that are first loaded or replaced", f"{moves.evicted:.0f} evictions over {moves.pages} pages"),
                Rejected("memory-pressure", f"{view.memory.oom_kills or 0} of its processes were killed for memory; it is the "
                         "server's own limit that is reached"),
            ),
            changes=() if change is None else (change,),
            gains=_gains(view, moves),
        )  # fmt: skip


def _moves(view: View) -> Moves | None:
    """None where the server does not count evictions."""
    told = [page for page in view.pages if page.evicted is not None and page.loaded is not None]
    seconds = sum(page.seconds for page in told)
    if seconds <= 0:
        return None
    answered = [page.answered for page in told if page.answered is not None]
    return Moves(
        seconds=seconds,
        pages=len(told),
        evicted=sum(page.evicted or 0.0 for page in told),
        loaded=sum(page.loaded or 0.0 for page in told),
        answered=sum(answered) if len(answered) == len(told) else None,
    )


def _less(facts: ServiceFacts) -> Change | None:
    setting = facts.setting(Lever.MODEL_OVERCOMMIT)
    if setting is None or not isinstance(setting.value, int) or setting.value <= 0:
        return None
    return Change(lever=Lever.MODEL_OVERCOMMIT, current=setting.value, proposed=0)


def _advice(facts: ServiceFacts, change: Change | None) -> str:
    if change is not None:
        return (
            f"It takes models for {change.current} % more memory than it has. Without that the scheduler puts what has no room "
            "on another server; where there is none, the model gets no place: then more memory or another server comes first."
        )
    setting = facts.setting(Lever.MODEL_OVERCOMMIT)
    known = " It does not overcommit." if setting is not None and setting.value == 0 else ""
    return f"More memory for the server, or servers of their own for the models that are asked for most.{known}"


def _evidence(moves: Moves, settings: Settings, view: View) -> tuple[Evidence, ...]:
    shown: list[tuple[str, str, float, float | None]] = [
        ("evictions_a_minute", "1/min", moves.evicted_a_minute, settings.enter("evictions_a_minute")),
        ("evictions", "models", moves.evicted, settings.enter("evictions")),
        ("loads_for_each_eviction", "ratio", moves.returned, settings.enter("returned")),
    ]
    if moves.missed is not None:
        shown.append(("requests_that_met_a_load", "ratio", moves.missed, None))
    return (
        *(
            Evidence(
                metric=name,
                unit=unit,
                observed=round(value, 4),
                threshold=limit,
                window_seconds=round(moves.seconds, 1),
                samples=moves.pages,
            )
            for name, unit, value, limit in shown
        ),
        *asked(view),
    )


def _gains(view: View, moves: Moves) -> tuple[Gain, ...]:
    """How long a load takes is not told. Where so many requests meet one that the 99 % point is one of them, it shows: without
    loads that point is the median at best and as now at worst."""
    least, most = SEEN_IN_P99
    p50, p99 = view.latency_p50_seconds, view.latency_p99_seconds
    if moves.missed is None or not least <= moves.missed <= most or not p50 or not p99 or p99 <= p50:
        return ()
    return (gain("latency_p99_ratio", p50 / p99, sqrt(p50 / p99), 1.0),)
