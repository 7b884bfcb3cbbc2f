"""What do the letters and colours of the boxes mean?"""

from collections.abc import Sequence

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from tui.lines import lines


class ClassLegend(Widget):
    """As many entries as fit on the lines it has, the largest first."""

    DEFAULT_CSS = """
    ClassLegend { height: 1; padding: 0 1; text-wrap: nowrap; }
    """
    entries: reactive[tuple[Content, ...]] = reactive(())

    def render(self) -> Content:
        return lines(rows_of(self.entries, self.size.width)[: self.size.height])


def rows_of(entries: Sequence[Content], width: int) -> list[Content]:
    rows: list[list[Content]] = [[]]
    used = 0
    for one in entries:
        if rows[-1] and used + 2 + one.cell_length > width:
            rows.append([])
            used = 0
        rows[-1].append(one)
        used += one.cell_length + (2 if used else 0)
    return [Content("  ").join(row) for row in rows]
