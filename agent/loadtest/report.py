"""What did a load test find out, as data and as text?"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from advisor.measured import LoadStep
from agent.capacities import CapacityRequest
from agent.loadtest.step import Step

HEAD = f"{'offered/s':>10} {'answered/s':>10} {'p50 ms':>8} {'p90 ms':>8} {'p99 ms':>8} {'failed':>7} {'late ms':>8}"
Ended = Literal["found", "max-rate", "time", "max-requests", "generator", "interrupted"]
_WHY_NO_MORE = {
    "max-rate": "--max-rate was reached",
    "time": "the time was up (--seconds)",
    "max-requests": "the requests were used up (--max-requests)",
    "generator": "the generator could send no faster",
    "interrupted": "it was interrupted",
    "found": "",
}


class LoadTestReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `loadtest --format json` prints in its envelope. Rates per second; None = not found, or not known."""

    url: str
    at: str
    arrivals: str
    seed: int
    unloaded_p50_seconds: float
    unloaded_p99_seconds: float
    latency_limit_seconds: float
    first_token_limit_seconds: float | None
    steps: tuple[Step, ...]
    kept_up_per_second: float | None
    """The highest rate that it kept up with."""
    fell_behind_per_second: float | None
    """The lowest rate that it did not keep up with; the knee lies between the two."""
    ended: Ended
    service: str | None
    workers: int | None
    told: str | None
    """Whether the agent took the result, or why not."""
    notes: tuple[str, ...]


def row(step: Step) -> str:
    """One line of the table."""
    latencies = (step.latency_p50_seconds, step.latency_p90_seconds, step.latency_p99_seconds)
    columns = " ".join(f"{_ms(seconds):>8}" for seconds in latencies)
    verdict = step.verdict if step.kept_up else f"{step.verdict}: {step.because}"
    text = (
        f"{step.offered_per_second:10.4g} {step.answered_per_second:10.4g} {columns} {step.failed_ratio:>7.1%} "
        f"{_ms(step.late_p99_seconds):>8}  {verdict}"
    )
    if step.first_token_p50_seconds is not None:
        text += (
            f"\n{'':10} first token p50 {_ms(step.first_token_p50_seconds)} ms, p99 {_ms(step.first_token_p99_seconds)} ms; "
            f"between tokens p50 {_ms(step.between_tokens_p50_seconds)} ms, p99 {_ms(step.between_tokens_p99_seconds)} ms; "
            f"{step.tokens_per_second or 0:.4g} tokens/s"
        )
    return text


def conclusion(report: LoadTestReport) -> list[str]:
    """The lines below the table."""
    good, bad = report.kept_up_per_second, report.fell_behind_per_second
    lines = []
    if good is None:
        lines.append("it kept up with none of the rates that were offered")
    elif bad is None:
        lines.append(
            f"it kept up with {good:.4g}/s, the highest rate offered: a lower bound, as {_WHY_NO_MORE[report.ended]}"
        )
    else:
        wide = "" if report.ended == "found" else f"; not closer, as {_WHY_NO_MORE[report.ended]}"
        lines.append(f"the knee lies between {good:.4g}/s, which it kept up with, and {bad:.4g}/s{wide}")
    if good is not None:
        lines.append(_one_and_all(report, good))
    cores = max((step.generator_cores for step in report.steps), default=0.0)
    if report.steps:
        lines.append(f"the generator itself took up to {cores:.2f} cores of this node")
    lines += [f"note: {note}" for note in report.notes]
    if report.told is not None:
        lines.append(report.told)
    return lines


def capacity_of(report: LoadTestReport, generation: int) -> CapacityRequest | None:
    """What an agent is told; None where the service kept up with nothing."""
    if report.kept_up_per_second is None:
        return None
    return CapacityRequest(
        generation=generation,
        knee_per_second=report.kept_up_per_second,
        upper_per_second=report.fell_behind_per_second,
        bound="lower bound" if report.fell_behind_per_second is None else "measured",
        unloaded_p50_seconds=report.unloaded_p50_seconds,
        steps=_load_steps(report.steps),
    )


def _load_steps(steps: Sequence[Step]) -> tuple[LoadStep, ...]:
    return tuple(
        LoadStep(
            offered_per_second=step.offered_per_second,
            answered_per_second=step.answered_per_second,
            errors_ratio=step.failed_ratio,
            latency_p50_seconds=step.latency_p50_seconds,
            latency_p99_seconds=step.latency_p99_seconds,
            kept_up=step.kept_up,
        )
        for step in steps
        if step.verdict != "generator saturated"
        and step.latency_p50_seconds is not None
        and step.latency_p99_seconds is not None
    )


def _one_and_all(report: LoadTestReport, good: float) -> str:
    alone = 1 / report.unloaded_p50_seconds
    text = f"one request after the other takes {_ms(report.unloaded_p50_seconds)} ms each, {alone:.4g}/s"
    bound = "at least " if report.fell_behind_per_second is None else ""
    times = f"kept up with {bound}{good / alone:.3g} times that"
    if report.workers is None:
        return f"{text}; side by side it {times}"
    processes = "1 worker" if report.workers == 1 else f"{report.workers} workers"
    return f"{text}; {processes} {times}, {bound}{good / report.workers:.4g}/s each"


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1e3:.4g}"
