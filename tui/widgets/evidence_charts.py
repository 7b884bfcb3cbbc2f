"""How did the figures of the evidence get to where they were judged?"""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from tui.evidence_chart import Plot, evidence_charts
from tui.lines import heading, lines

_TALL = 36
"""A terminal of so many lines has room for higher charts."""


class EvidenceCharts(Widget):
    """A chart for each figure of which the agent keeps a series."""

    DEFAULT_CSS = """
    EvidenceCharts { height: auto; padding: 1 0 0 0; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    plots: reactive[tuple[Plot, ...]] = reactive((), layout=True)

    def render(self) -> Content:
        width, rows = self.size.width or 80, 4 if self.app.size.height >= _TALL else 3
        return lines([heading("as it developed"), *evidence_charts(self.plots, width, rows)], width)
