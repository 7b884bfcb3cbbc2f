"""What does the change promise, drawn as intervals?"""

import math

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from advisor.finding import Gain
from tui import format as fmt
from tui.lines import heading, lines
from tui.palette import DIRECTION, QUIET, TRACK

_NAME_WIDTH = 11
_WIDEST = 61
_NARROWEST_SCALE = math.log(2.0)
"""A scale always reaches to half and to double, so that a gain of 3 % does not look like one of 300 %."""


class GainChart(Widget):
    """After / before: the 10 %, 50 % and 90 % points of each gain on one logarithmic scale around "unchanged"."""

    DEFAULT_CSS = """
    GainChart { height: auto; padding: 1 0 0 0; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    gains: reactive[tuple[Gain, ...]] = reactive((), layout=True)

    def render(self) -> Content:
        cells = max(9, min(_WIDEST, (self.size.width or 80) - _NAME_WIDTH - 1))
        cells -= 1 - cells % 2
        reach = scale_reach(self.gains)
        rows: list[Content] = []
        for gain in self.gains:
            rows += [words(gain), Content.assemble(" " * (_NAME_WIDTH + 1), interval(gain, reach, cells))]
        return lines([heading("expected gain, after / before"), *rows, axis(reach, cells)], self.size.width or 80)


def scale_reach(gains: tuple[Gain, ...]) -> float:
    """Half the width of the scale, as the logarithm of a ratio."""
    points = [abs(log_ratio(point)) for gain in gains for point in (gain.p10, gain.p90)]
    return max([_NARROWEST_SCALE, *points])


def log_ratio(ratio: float) -> float:
    return math.log(max(ratio, 1e-6))


def interval(gain: Gain, reach: float, cells: int) -> Content:
    """`····├──●───┤····` with `│` where nothing would change."""

    def position(ratio: float) -> int:
        return max(0, min(cells - 1, round((log_ratio(ratio) / reach + 1) / 2 * (cells - 1))))

    low, middle, high = (
        position(point) for point in (*sorted((gain.p10, gain.p90))[:1], gain.p50, max(gain.p10, gain.p90))
    )
    drawn = ["·"] * cells
    drawn[cells // 2] = "│"
    drawn[low : high + 1] = "─" * (high + 1 - low)
    drawn[low], drawn[high] = "├", "┤"
    drawn[middle] = "●"
    return Content.assemble(
        ("".join(drawn[:low]), TRACK),
        ("".join(drawn[low : high + 1]), DIRECTION[fmt.gain_direction(gain)]),
        ("".join(drawn[high + 1 :]), TRACK),
    )


def words(gain: Gain) -> Content:
    direction = fmt.gain_direction(gain)
    return Content.assemble(
        f"{fmt.gain_name(gain):<{_NAME_WIDTH}} ",
        f"{fmt.times(gain.p50)} ({fmt.times(gain.p10)}–{fmt.times(gain.p90)})  ",
        (direction, DIRECTION[direction]),
    )


def axis(reach: float, cells: int) -> Content:
    low, high = fmt.times(math.exp(-reach)), fmt.times(math.exp(reach))
    half = cells // 2
    left = low + " " * max(1, half - len(low)) + "×1"
    return Content.styled(" " * (_NAME_WIDTH + 1) + left + high.rjust(max(len(high) + 1, cells - len(left))), QUIET)
