"""How are ratios after / before drawn as intervals, all of a list on one logarithmic scale?"""

import math
from collections.abc import Iterable

import msgspec
from textual.content import Content

from advisor.finding import Gain, Metric
from advisor.migration.spread import Percentiles
from tui import format as fmt
from tui.palette import QUIET
from tui.widgets.gain_chart import interval, scale_reach

LABEL_WIDTH = 12
_WORDS_WIDTH = 22
_WIDEST, _NARROWEST = 61, 9
STACKED_BELOW = 60
"""What is read for its intervals has two lines each on a page that is narrower."""


class Scale(msgspec.Struct, frozen=True):
    """`reach`: logarithm of the largest ratio on it; `cells`: how wide it is drawn, an odd number; `stacked`: the numbers stand
    above each interval, not beside it."""

    reach: float
    cells: int
    stacked: bool = False

    @classmethod
    def over(cls, gains: Iterable[Gain], width: int, stacked_below: int = 0) -> "Scale":
        """For lines of `width` cells: a label, the interval, its numbers; of less than `stacked_below` two lines each."""
        stacked = width < stacked_below
        cells = max(_NARROWEST, min(_WIDEST, width - LABEL_WIDTH - (0 if stacked else _WORDS_WIDTH)))
        return cls(scale_reach(tuple(gains)), cells - (1 - cells % 2), stacked)

    def rows(self, label: str, gain: Gain) -> list[Content]:
        """One line, or two where it is stacked."""
        if not self.stacked:
            return [self.drawn(label, gain)]
        words = Content.assemble((f"{label:<{LABEL_WIDTH}}", QUIET), told(gain))
        return [words, Content.assemble(" " * LABEL_WIDTH, interval(gain, self.reach, self.cells))]

    def drawn(self, label: str, gain: Gain) -> Content:
        return Content.assemble(
            (f"{label:<{LABEL_WIDTH}}", QUIET), interval(gain, self.reach, self.cells), f"  {told(gain)}"
        )

    def axis(self) -> Content:
        """Its ends and the middle, where nothing would change."""
        low, high = (f"×{_digits(math.exp(end))}" for end in (-self.reach, self.reach))
        half = self.cells // 2
        left = low.ljust(max(len(low) + 1, half)) + "×1"
        return Content.styled(" " * LABEL_WIDTH + left + high.rjust(max(len(high) + 1, self.cells - len(left))), QUIET)


def gain_of(found: Percentiles, metric: Metric) -> Gain:
    return Gain(metric=metric, p10=found.p10, p50=found.p50, p90=found.p90)


def told(gain: Gain | Percentiles) -> str:
    """`×9.44 (6.36–15.3)`; of what is exact the number alone."""
    if gain.p10 == gain.p90:
        return f"×{_digits(gain.p50)}"
    return f"×{_digits(gain.p50)} ({_digits(gain.p10)}–{_digits(gain.p90)})"


def _digits(ratio: float) -> str:
    """Three digits, below one two; what is too small to be told apart is not 0."""
    return "<0.0001" if ratio < 0.5e-4 else fmt.number(ratio, 3 if ratio >= 1 else 2)
