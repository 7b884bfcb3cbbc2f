"""How is one row of a flame graph written: a letter for its class, its name, and where the next box begins?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from advisor.profiling.frames import split_frame
from tui import format as fmt
from tui.flame.graph import Graph
from tui.flame.layout import Cell
from tui.flame.tree import Node
from tui.palette import FLAME_CURSOR, FLAME_QUIET, FLAME_TEXT, FLAME_UNFOUND

_GAP_FROM = 4
"""Boxes as wide as this end in a free cell, so that one can tell them apart."""
_LONGEST_LABEL = 600
"""Characters; no screen is wider."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """`lines`: fill boxes with a line, as without colours nothing else shows how far they go."""

    graph: Graph
    cursor: Cell | None
    searching: bool
    lines: bool
    blank: Style = Style.null()  # noqa: RUF009 - it cannot change
    """Of what is between boxes."""


def row_strip(cells: Sequence[Cell], width: int, drawing: Drawing) -> Strip:
    segments: list[Segment] = []
    at = 0
    for cell in cells:
        if cell.x > at:
            segments.append(Segment(" " * (cell.x - at), drawing.blank))
        segments += _box(cell, drawing)
        at = cell.x + cell.width
    return Strip(segments, at).adjust_cell_length(width, drawing.blank)


def _box(cell: Cell, drawing: Drawing) -> Iterable[Segment]:
    flame, node = drawing.graph.flame, cell.node
    look = drawing.graph.look(node)
    hit = drawing.searching and any(flame.matches(one) for one in cell.nodes)
    inside = hit or not drawing.searching or flame.matched(node) > 0
    style = _style(look.colour if inside else FLAME_UNFOUND, inside, hit, cell is drawing.cursor)
    room = cell.width - 1 if cell.width >= _GAP_FROM else cell.width
    text = look.mark
    if room >= 2:
        ahead = ("▸" if cell is drawing.cursor else "*" if hit else " ") + drawing.graph.ahead(node)
        text += ahead + label(cell.nodes, room - 1 - len(ahead))
    text = set_cell_size(text, room)
    if drawing.lines and room >= _GAP_FROM:
        bare = text.rstrip(" ")
        if cell_len(bare) + 1 < room:
            text = bare + " " + "─" * (room - cell_len(bare) - 1)
    yield Segment(text, style)
    if room < cell.width:
        yield Segment(" ", drawing.blank)


def label(nodes: Sequence[Node], width: int) -> str:
    """The names of folded frames, outermost first; where there is no room, what they end in."""
    last = nodes[-1]
    if last.together:
        return fmt.count(last.together, "frame")
    name = short(last.name)
    for node in reversed(nodes[:-1]):
        longer = f"{short(node.name)} › {name}"
        if cell_len(longer) > width:
            return f"… › {name}" if cell_len(name) + 4 <= width else name
        name = longer
    return name


@lru_cache(maxsize=50_000)
def short(frame: str) -> str:
    """A frame's name without its place, on one line."""
    name, file, _ = split_frame(frame)
    told = fmt.plain(name[:_LONGEST_LABEL])
    return told or fmt.plain((file or "")[:_LONGEST_LABEL]) or "?"


@cache
def _style(colour: str, inside: bool, hit: bool, chosen: bool) -> Style:
    if chosen:
        return Style(color=FLAME_TEXT, bgcolor=FLAME_CURSOR, bold=True, underline=hit)
    return Style(color=FLAME_TEXT if inside else FLAME_QUIET, bgcolor=colour, bold=hit, underline=hit)
