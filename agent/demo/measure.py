"""How much was gained? The bad and the changed server are loaded in turn, and compared within each round."""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from advisor.finding import Gain, Metric
from agent.demo.launch import SEE_LOG, DemoError
from agent.demo.processes import Programs
from agent.demo.serving import Server, start_load

SKIP_SECONDS = 1.0
ANSWER_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What one server did in one window."""

    requests_per_second: float
    latency_p50_ms: float
    latency_p99_ms: float
    memory_bytes: int | None


@dataclass(frozen=True, slots=True)
class Ratio:
    """After / before over the rounds."""

    median: float
    least: float
    most: float

    def improved(self, metric: Metric) -> bool:
        """More throughput is better, less of everything else."""
        return self.median > 1 if metric == "throughput_ratio" else self.median < 1


Pair = tuple[Window, Window]


def measure_window(programs: Programs, server: Server, connections: int, seconds: float) -> Window:
    """Load `server` for `seconds`. DemoError if it answers nothing, or with errors."""
    load = start_load(programs, server.port, connections, seconds, SKIP_SECONDS)
    try:
        output, _ = load.communicate(timeout=seconds + SKIP_SECONDS + ANSWER_SECONDS)
    finally:
        memory_bytes = server.memory_bytes()
        programs.end(load)
    answer = json.loads(output) if load.returncode == 0 else {}
    if not answer.get("n") or answer["errors"]:
        text = f"{answer['errors']} errors" if answer.get("errors") else "nothing was answered"
        raise DemoError(f"a window could not be measured: {text}", SEE_LOG)
    return Window(
        requests_per_second=answer["rps"],
        latency_p50_ms=answer["p50_ms"],
        latency_p99_ms=answer["p99_ms"],
        memory_bytes=memory_bytes,
    )


def measure_pairs(
    measure: Callable[[Server], Window],
    before: Server,
    after: Server,
    *,
    rounds: int,
    deadline: float,
    say: Callable[[str], None],
) -> list[Pair]:
    """One window of each server a round, the order swapped every round. At least two rounds; no new one is begun that
    would end after `deadline` (monotonic seconds)."""
    pairs: list[Pair] = []
    longest = 0.0
    while len(pairs) < rounds and (len(pairs) < 2 or time.monotonic() + longest < deadline):
        began = time.monotonic()
        if len(pairs) % 2:
            second, first = measure(after), measure(before)
        else:
            first, second = measure(before), measure(after)
        pairs.append((first, second))
        longest = max(longest, time.monotonic() - began)
        say(f"  round {len(pairs)}: before {describe(first)} | after {describe(second)}")
    return pairs


def describe(window: Window) -> str:
    p50, p99 = window.latency_p50_ms, window.latency_p99_ms
    return f"{window.requests_per_second:6.1f} req/s, p50 {p50:6.1f} ms, p99 {p99:6.1f} ms"


def ratio(metric: Metric, pairs: Sequence[Pair]) -> Ratio | None:
    """The measured ratio for `metric`; None where it was not measured."""
    quotients: list[float] = []
    for pair in pairs:
        before, after = (_quantity(metric, window) for window in pair)
        if before and after is not None:
            quotients.append(after / before)
    if not quotients:
        return None
    return Ratio(statistics.median(quotients), min(quotients), max(quotients))


def _quantity(metric: Metric, window: Window) -> float | None:
    match metric:
        case "throughput_ratio":
            return window.requests_per_second
        case "latency_p50_ratio":
            return window.latency_p50_ms
        case "latency_p99_ratio":
            return window.latency_p99_ms
        case "memory_ratio":
            return window.memory_bytes
        case _:
            return None


def comparison(metric: Metric, gain: Gain | None, measured: Ratio) -> str:
    """One line: what was predicted, and what was measured."""
    seen = f"measured {measured.median:.3g} ({measured.least:.3g} to {measured.most:.3g})"
    if gain is None:
        return f"  {metric:<18} {'not predicted':<24} {seen}"
    inside = gain.p10 <= measured.median <= gain.p90
    predicted = f"predicted {gain.p10:.3g} to {gain.p90:.3g}"
    return f"  {metric:<18} {predicted:<24} {seen}, {'inside' if inside else 'outside'} the interval"
