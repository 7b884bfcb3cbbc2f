"""Which numbers led to the finding, and from which threshold on do they speak?"""

from collections.abc import Sequence

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from advisor.finding import Evidence
from tui import format as fmt
from tui.lines import aligned, heading, lines
from tui.palette import BAR, QUIET, STRONG, TRACK

_BAR, _LEAST_BAR = 24, 10
_RIGHT = frozenset({1, 2, 3})
_OTHERWISE = frozenset(("seconds", "bytes"))
"""Base units in which names end, while what stands beside them may be milliseconds or GiB."""
_ROOM = 0.15
"""Beyond the larger of both, so that neither stands at the end."""


class EvidenceTable(Widget):
    """One row a number, with a bar in which its threshold is marked; an input of the estimate has none. Where the bar has no
    room beside the numbers, it stands below them."""

    DEFAULT_CSS = """
    EvidenceTable { height: auto; padding: 1 0 0 0; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    evidence: reactive[tuple[Evidence, ...]] = reactive((), layout=True)

    def render(self) -> Content:
        width = self.size.width or 80
        return lines([heading("evidence"), *evidence_lines(self.evidence, width)], width)


def evidence_lines(evidence: Sequence[Evidence], width: int) -> list[Content]:
    names = [Content.styled(name, QUIET) for name in ("", "observed", "threshold", "over")]
    rows = [row(one) for one in evidence]
    left = width - 2 - max(line.cell_length for line in aligned([names, *rows], _RIGHT))
    if left >= _LEAST_BAR:
        drawn: list[list[Content | str]] = [
            [*cells, threshold_bar(one, min(_BAR, left))] for cells, one in zip(rows, evidence, strict=True)
        ]
        return aligned([[*names, ""], *drawn], _RIGHT)
    table = aligned([cells[:2] for cells in rows], _RIGHT, width)
    below = [[line, _below(one, cells, width)] for line, cells, one in zip(table, rows, evidence, strict=True)]
    return [line for pair in below for line in pair]


def row(one: Evidence) -> tuple[str, ...]:
    return (
        fmt.metric_name(one.metric.removesuffix(f"_{one.unit}") if one.unit in _OTHERWISE else one.metric),
        fmt.quantity(one.observed, one.unit),
        fmt.quantity(one.threshold, one.unit),
        f"{fmt.duration(one.window_seconds)}, n={one.samples}",
    )


def threshold_bar(one: Evidence, cells: int) -> Content:
    """`██████┃███░░`: filled as far as was observed, a mark at the threshold; nothing where there is none."""
    if one.threshold is None:
        return Content("")
    low, high = min(0.0, one.observed, one.threshold), max(0.0, one.observed, one.threshold)
    span = (high - low) * (1 + _ROOM) or 1.0
    filled, mark = (min(cells - 1, round((value - low) / span * cells)) for value in (one.observed, one.threshold))
    return Content.assemble(
        ("█" * min(filled, mark), BAR),
        ("░" * max(0, mark - filled), TRACK),
        ("┃", STRONG),
        ("█" * max(0, filled - mark - 1), BAR),
        ("░" * (cells - 1 - max(mark, filled - 1)), TRACK),
    )


def _below(one: Evidence, cells: tuple[str, ...], width: int) -> Content:
    """The bar and its threshold, and over which time and how many looks."""
    _, _, threshold, over = cells
    if one.threshold is None:
        return Content.styled(f"  {over}", QUIET)
    told = f"from {threshold} · {over}"
    return Content.assemble(
        "  ", threshold_bar(one, max(_LEAST_BAR, min(_BAR, width - len(told) - 4))), (f"  {told}", QUIET)
    )
