"""Which numbers led to the finding, and from which threshold on do they speak?"""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from advisor.finding import Evidence
from tui import format as fmt
from tui.lines import columns, heading, lines


class EvidenceTable(Widget):
    """One row a number; an input of the estimate has no threshold."""

    DEFAULT_CSS = """
    EvidenceTable { height: auto; padding: 1 0 0 0; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    evidence: reactive[tuple[Evidence, ...]] = reactive((), layout=True)

    def render(self) -> Content:
        rows = [row(one) for one in self.evidence]
        table = columns(("", "observed", "threshold", "over"), rows, frozenset({1, 2, 3}), self.size.width or None)
        return lines([heading("evidence"), table])


def row(one: Evidence) -> tuple[str, ...]:
    return (
        fmt.metric_name(one.metric),
        fmt.quantity(one.observed, one.unit),
        fmt.quantity(one.threshold, one.unit),
        f"{fmt.duration(one.window_seconds)}, n={one.samples}",
    )
