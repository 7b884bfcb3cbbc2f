"""Is an interval drawn where its numbers are, on a logarithmic scale around "nothing would change"?"""

from collections.abc import Iterable
from math import exp, log
from typing import Any

from tests.tui.accounted import written as w
from tests.tui.accounted.sheet import INTERVAL, Part

NAMES = {
    "throughput_ratio": "throughput", "latency_p99_ratio": "p99 latency", "latency_p50_ratio": "p50 latency",
    "memory_ratio": "memory", "cost_ratio": "cost",
}  # fmt: skip


def reach_of(gains: Iterable[dict[str, Any]]) -> float:
    """Both ends of the scale, as a logarithm: the furthest of all intervals, and at least the double."""
    return max(log(2), *(abs(log(gain[name])) for gain in gains for name in ("p10", "p90")))


def account_axis(part: Part, reach: float) -> None:
    part.row(f"×{w.two_or_three(exp(-reach))}", "×1", f"×{w.two_or_three(exp(reach))}")


def account_interval(part: Part, row: int, gain: dict[str, Any], reach: float) -> None:
    """Its ends and the likely value, to the next cell."""
    found = INTERVAL.search(part.lines[row])
    assert found, part.lines[row]
    drawn, middle = found[0], len(found[0]) // 2

    def cell(ratio: float) -> float:
        return middle + log(ratio) / reach * middle

    low, high = sorted((gain["p10"], gain["p90"]))
    for value, signs in ((low, "├●"), (gain["p50"], "●"), (high, "┤●")):
        places = [place for place, sign in enumerate(drawn) if sign in signs]
        assert any(abs(place - cell(value)) <= 0.51 for place in places), f"{value} is not in its place: {drawn}"
