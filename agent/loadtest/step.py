"""What did a service do at one rate, and did it keep up?"""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import msgspec

from agent.loadtest.outcome import TIMEOUT, Outcome
from agent.loadtest.pace import Pace, pace_of
from agent.loadtest.percentiles import percentile

LEAST_ANSWERED_RATIO = 0.95
MOST_FAILED_RATIO = 0.01
Verdict = Literal["kept up", "fell behind", "generator saturated"]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Up to where a service keeps up. Seconds."""

    latency_p99: float
    first_token_p99: float | None = None
    spread: float = 0.0
    """How much latencies differ by themselves: by so much the answers may take longer than the requests did."""
    late_p99: float = 0.01
    """How late the generator may send before a step says nothing of the service."""


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """What offering the step took of the generator's process."""

    seconds: float
    cores: float
    """CPU seconds per second."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One rate that was offered, open loop. Latencies count from the planned instant; those of requests that timed out
    count with the time waited, failed and dropped ones do not. None = nothing was answered, or nothing was streamed."""

    offered_per_second: float
    answered_per_second: float
    requests: int
    answered: int
    failures: dict[str, int]
    """How often what went wrong; `dropped` were never sent, as too many were under way."""
    seconds: float
    latency_p50_seconds: float | None
    latency_p90_seconds: float | None
    latency_p99_seconds: float | None
    late_p99_seconds: float
    """How late requests were sent, by the generator's own fault; it is part of the latencies."""
    generator_cores: float
    verdict: Verdict
    because: str
    """Which limit was not kept; empty where it kept up."""
    first_token_p50_seconds: float | None = None
    first_token_p99_seconds: float | None = None
    between_tokens_p50_seconds: float | None = None
    between_tokens_p99_seconds: float | None = None
    tokens_per_second: float | None = None

    @property
    def kept_up(self) -> bool:
        return self.verdict == "kept up"

    @property
    def failed_ratio(self) -> float:
        return (self.requests - self.answered) / self.requests if self.requests else 0.0


def step_of(rate: float, outcomes: Sequence[Outcome], effort: Effort, limits: Limits) -> Step:
    """Sum up a step whose requests have all ended. `rate`: requests per second that were planned."""
    answered = [one for one in outcomes if one.answered]
    offered = pace_of([one.planned for one in outcomes])
    ended = pace_of(sorted(one.ended for one in answered if one.ended is not None))
    measured = sorted(one.latency(0.0) for one in outcomes if one.ended is not None and one.failure in {None, TIMEOUT})
    step = Step(
        offered_per_second=rate,
        answered_per_second=_answered_rate(rate, offered, ended, len(answered) / len(outcomes) if outcomes else 0.0),
        requests=len(outcomes),
        answered=len(answered),
        failures=dict(Counter(one.failure for one in outcomes if one.failure is not None)),
        seconds=effort.seconds,
        latency_p50_seconds=percentile(measured, 0.5),
        latency_p90_seconds=percentile(measured, 0.9),
        latency_p99_seconds=percentile(measured, 0.99),
        late_p99_seconds=percentile(sorted(o.sent - o.planned for o in outcomes if o.sent is not None), 0.99) or 0.0,
        generator_cores=effort.cores,
        verdict="kept up",
        because="",
        **_tokens(answered, effort.seconds),
    )
    verdict, because = _judged(step, offered, ended, limits)
    return msgspec.structs.replace(step, verdict=verdict, because=because)


def _answered_rate(rate: float, offered: Pace | None, ended: Pace | None, ratio: float) -> float:
    """Answers per second: no more than were asked for, which chance may show. Few answers: their share of the rate."""
    if offered is None or ended is None:
        return rate * ratio
    return rate * min(1.0, ended.per_second / offered.per_second)


def _judged(step: Step, offered: Pace | None, ended: Pace | None, limits: Limits) -> tuple[Verdict, str]:
    """A generator that was late explains latencies, and so much of the time that the answers took."""
    lost = [*_failed(step), *_behind(step, offered, ended, limits.spread + step.late_p99_seconds)]
    because = "; ".join([*lost, *_slow(step, limits)])
    if because and not lost and step.late_p99_seconds > limits.late_p99:
        late = f"p99 of {_ms(step.late_p99_seconds)} late when sent is over {_ms(limits.late_p99)}"
        return "generator saturated", f"{late}, so that nothing is known of the service ({because})"
    return ("fell behind", because) if because else ("kept up", "")


def _failed(step: Step) -> list[str]:
    if step.failed_ratio <= MOST_FAILED_RATIO:
        return []
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(step.failures.items(), key=lambda item: -item[1]))
    return [f"{step.failed_ratio:.1%} were not answered ({kinds})"]


def _behind(step: Step, offered: Pace | None, ended: Pace | None, allowed_seconds: float) -> list[str]:
    ratio = step.answered_per_second / step.offered_per_second
    if offered is None or ended is None or ended.seconds - offered.seconds <= allowed_seconds:
        return []
    return [f"{ratio:.0%} of the rate was answered"] if ratio < LEAST_ANSWERED_RATIO else []


def _slow(step: Step, limits: Limits) -> list[str]:
    points = (
        ("p99", step.latency_p99_seconds, limits.latency_p99),
        ("p99 of the first token", step.first_token_p99_seconds, limits.first_token_p99),
    )
    return [
        f"{name} of {_ms(seconds)} is over {_ms(limit)}"
        for name, seconds, limit in points
        if seconds is not None and limit is not None and seconds > limit
    ]


def _tokens(answered: Sequence[Outcome], seconds: float) -> dict[str, float | None]:
    streamed = [one for one in answered if one.first_token is not None]
    if not streamed:
        return {}
    first = sorted(one.first_token - one.planned for one in streamed if one.first_token is not None)
    between = sorted(
        (one.last_token - one.first_token) / (one.tokens - 1)
        for one in streamed
        if one.first_token is not None and one.last_token is not None and one.tokens > 1
    )
    return {
        "first_token_p50_seconds": percentile(first, 0.5),
        "first_token_p99_seconds": percentile(first, 0.99),
        "between_tokens_p50_seconds": percentile(between, 0.5),
        "between_tokens_p99_seconds": percentile(between, 0.99),
        "tokens_per_second": sum(one.tokens for one in streamed) / seconds if seconds > 0 else None,
    }


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms"
