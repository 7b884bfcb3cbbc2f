"""What is the box under the cursor: its whole name, where its code is, and how much of the time is in it?"""

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from advisor.profiling.frames import split_frame
from tui import format as fmt
from tui.flame.boxes import short
from tui.flame.graph import Graph
from tui.flame.tree import Node
from tui.lines import dotted, lines, right_end
from tui.palette import QUIET, STRONG

Shown = tuple[Graph, Node, tuple[Node, ...]]
"""The picture, the frame, and what is folded into its box."""


class FrameDetail(Widget):
    """Four lines: name, place, its share, and what more is known of it."""

    DEFAULT_CSS = """
    FrameDetail { height: 4; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    shown: reactive[Shown | None] = reactive(None, always_update=True)

    def render(self) -> Content:
        if self.shown is None:
            return Content("")
        graph, node, folded = self.shown
        width = self.size.width
        own, more = dotted(graph.numbers(node)), Content("  ").join(graph.more(node))
        return lines([name_line(node), place_line(node, folded, width), own, more])


def name_line(node: Node) -> Content:
    if node.together:
        return Content.styled(
            f"{fmt.count(node.together, 'frame')}, each too narrow to be drawn: enter zooms in", STRONG
        )
    if node.parent is None:
        return Content.styled("all samples", STRONG)
    return Content.styled(fmt.plain(split_frame(node.name)[0]) or "?", STRONG)


def place_line(node: Node, folded: tuple[Node, ...], width: int) -> Content:
    """File and line, whose end is kept; then through what it was called without anything beside it."""
    callers = [short(one.name) for one in folded[:width] if one.parent is not None]  # each name has a cell
    through = f"called through {' › '.join(callers)}" if callers else ""
    _, file, line = split_frame(node.name)
    if file is None or node.together:
        return Content.styled(through, QUIET)
    place = fmt.plain(file) + ("" if line is None else f":{line}")
    if cell_len(place) > width:
        place = "…" + right_end(place, width - 1)
    return dotted([place, Content.styled(through, QUIET)])
