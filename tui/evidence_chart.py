"""How did the figures that led to a finding develop: columns over the time that was judged and before it, with the threshold
drawn in and what was observed marked?"""

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from textual.content import Content

from advisor.finding import Evidence
from advisor.series import EvidenceSeries
from tui import format as fmt
from tui.chart import block, eighths, fitted
from tui.lines import dotted
from tui.palette import BAR, QUIET, STRONG, TRACK

UNDER, OVER, OBSERVED = "─", "┿", "◂"
"""The threshold where it is not reached, where it is, and at the right what was observed."""
_WITH_UNIT = frozenset({"seconds", "bytes", "ratio", "bytes_per_second", "watts", "celsius", "hertz"})
"""Units that stand at each number of the axis; others stand once, beside the name."""
_JUDGED = "judged"
_WIDEST_CELL = 3


class Plot(msgspec.Struct, frozen=True):
    """One figure over time, and what is said of it."""

    evidence: Evidence
    series: EvidenceSeries

    @property
    def name(self) -> str:
        name, unit = fmt.metric_name(self.evidence.metric), fmt.plain(self.evidence.unit)
        return name if self.evidence.unit in (*_WITH_UNIT, "") or unit in name else f"{name} ({unit})"

    @property
    def high(self) -> float:
        """The upper end of the axis; the lower is 0, or the lowest value where that is less."""
        return max([self.evidence.observed, self.evidence.threshold or 0.0, *self._known, 0.0])

    @property
    def low(self) -> float:
        return min([self.evidence.observed, self.evidence.threshold or 0.0, *self._known, 0.0])

    @property
    def _known(self) -> list[float]:
        return [value for value in self.series.values if value is not None]

    @property
    def judged(self) -> tuple[int, int]:
        """The first step of what was judged, and the one after the last."""
        one = self.series
        first, end = (one.judged_from - one.start) / one.step_seconds, (one.judged_to - one.start) / one.step_seconds
        count = len(one.values)
        return max(0, min(count - 1, int(first))), max(1, min(count, int(end) + 1))

    def number(self, value: float) -> str:
        return fmt.quantity(value, self.evidence.unit) if self.evidence.unit in _WITH_UNIT else fmt.number(value)

    def row_of(self, value: float, rows: int) -> int:
        """Of `rows`, counted from below, the one in which a value lies."""
        return min(rows - 1, int(self._height(value) * rows))

    def top_row(self, value: float, rows: int) -> int:
        """The one in which its column ends."""
        return max(0, math.ceil(self._height(value) * rows) - 1)

    def _height(self, value: float) -> float:
        """Share of the axis."""
        return (value - self.low) / (self.high - self.low) if self.high > self.low else 0.0

    def labels(self, rows: int) -> Mapping[int, str]:
        """What stands at the axis, by rows from below: both ends, and rather the threshold where they are the same."""
        ends = {rows - 1: self.number(self.high), 0: "0" if self.low == 0 else self.number(self.low)}
        threshold = self.evidence.threshold
        return ends if threshold is None else ends | {self.row_of(threshold, rows): self.number(threshold)}


def plots(evidence: Sequence[Evidence], series: Iterable[EvidenceSeries]) -> list[Plot]:
    """The figures of which there is a series, in the order of the evidence."""
    found = {one.metric: one for one in series if one.values and one.step_seconds > 0}
    return [Plot(one, found[one.metric]) for one in evidence if one.metric in found]


def evidence_charts(drawn: Sequence[Plot], width: int, rows: int) -> list[Content]:
    """One below the other; those of the same time have their axis of time once."""
    if not drawn:
        return []
    left = max(len(label) for one in drawn for label in one.labels(rows).values()) + 1
    right = max(len(one.number(one.evidence.observed)) for one in drawn) + 3
    room = max(8, width - left - right)
    lines = [_legend(drawn)]
    for number, one in enumerate(drawn):
        lines += [Content(one.name), *_rows(one, left, room, rows)]
        if number + 1 == len(drawn) or _time(drawn[number + 1]) != _time(one):
            lines.append(_axis(one, left, room, width))
    return lines


def _legend(drawn: Sequence[Plot]) -> Content:
    has_threshold = any(one.evidence.threshold is not None for one in drawn)
    parts = (f"{UNDER} threshold, {OVER} reached" if has_threshold else "", f"{OBSERVED} observed")
    return dotted(Content.styled(part, QUIET) for part in parts)


def _time(one: Plot) -> tuple[float, ...]:
    return (one.series.start, one.series.step_seconds, len(one.series.values), *one.judged)


def _rows(one: Plot, left: int, room: int, rows: int) -> list[Content]:
    values, cell = fitted(one.series.values, room)
    cell, labels, threshold = min(_WIDEST_CELL, cell), one.labels(rows), one.evidence.threshold
    together = -(-len(one.series.values) // len(values))
    first, end = one.judged
    at = None if threshold is None else one.row_of(threshold, rows)
    observed = one.top_row(one.evidence.observed, rows)
    lines = []
    for row in reversed(range(rows)):
        cells = []
        for number, value in enumerate(values):
            sign = _sign(one, value, row, rows, threshold if row == at else None)
            judged = first // together <= number < -(-end // together)
            style = STRONG if sign in (UNDER, OVER) else BAR if judged else TRACK
            cells.append((sign * cell, style))
        label = labels.get(row, "")
        mark = f" {OBSERVED} {one.number(one.evidence.observed)}" if row == observed else ""
        style = STRONG if row == at else QUIET
        lines.append(Content.assemble((f"{label:>{left - 1}} ", style), *cells, (mark, STRONG)))
    return lines


def _sign(one: Plot, value: float | None, row: int, rows: int, threshold: float | None) -> str:
    """`threshold`: where it lies in this row."""
    if threshold is not None:
        return OVER if value is not None and value >= threshold else UNDER
    return block(None if value is None else eighths(value, one.low, one.high, rows), row)


def _axis(one: Plot, left: int, room: int, width: int) -> Content:
    """How long it is, and below what was judged a bracket, which ends when the finding was seen last."""
    values, cell = fitted(one.series.values, room)
    cell, together = min(_WIDEST_CELL, cell), -(-len(one.series.values) // len(values))
    first, end = (bound // together * cell for bound in (one.judged[0], one.judged[1] + together - 1))
    inner = max(0, end - first - 2)
    word = next((word for word in (f" {_JUDGED} ", _JUDGED, "") if len(word) <= inner), "")
    length = fmt.duration(len(one.series.values) * one.series.step_seconds)
    start = length if len(length) < first else ""
    line, until = f"{' ' * left}{start:<{first}}├{word:─^{inner}}┤", fmt.time_of_day(one.series.judged_to)
    return Content.styled(f"{line} {until}" if len(line) + 1 + len(until) <= width else line, QUIET)
