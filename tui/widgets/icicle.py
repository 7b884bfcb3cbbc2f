"""Which frames take the time? Drawn with the root at the top; each line is made when the terminal asks for it."""

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui.flame.boxes import Drawing, row_strip
from tui.flame.graph import Graph
from tui.flame.layout import Cell, Layout
from tui.flame.tree import Node


class Icicle(Widget, can_focus=True):
    """The cursor stands on a box; `zoom` is the box that fills the width. Where the same stacks come again, both stay."""

    DEFAULT_CSS = """
    Icicle { height: 1fr; width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "step(1)", show=False),
        Binding("up,k", "step(-1)", show=False),
        Binding("left,h", "aside(-1)", show=False),
        Binding("right,l", "aside(1)", show=False),
        Binding("enter", "zoom", "Zoom", key_display="enter"),
        Binding("backspace", "unzoom", "Back", show=False),
        Binding("0", "unzoom_all", "All", show=False),
        Binding("slash", "screen.search", "Search", key_display="/"),
        Binding("n", "next_match(1)", "Next found", show=False),
        Binding("right_square_bracket", "next_match(1)", show=False),
        Binding("left_square_bracket", "next_match(-1)", show=False),
        Binding("U", "fold", show=False),
    ]
    top: reactive[int] = reactive(0)
    """First row that is shown."""

    class Moved(Message):
        """Cursor, zoom, or what is drawn, is another."""

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - as every widget calls it
        super().__init__(id=id)
        self.graph: Graph | None = None
        self.searching = False
        self.fold = True
        self._layout: Layout | None = None
        self._cursor: Cell | None = None
        self._zooms: list[Node] = []
        self._to: Node | None = None
        """Where the cursor goes as soon as there is room to draw."""

    @property
    def node(self) -> Node | None:
        """On which the cursor stands."""
        return None if self._cursor is None else self._cursor.node

    @property
    def folded(self) -> tuple[Node, ...]:
        """What shares its row, the outermost first."""
        return () if self._cursor is None else self._cursor.nodes[:-1]

    @property
    def zoomed(self) -> Node | None:
        return None if self._layout is None else self._layout.zoom

    @property
    def rows(self) -> int:
        return 0 if self._layout is None else len(self._layout.rows)

    def show(self, graph: Graph) -> None:
        """Another picture, seen from its root; frames that were zoomed into or pointed to are found again by their names."""
        old = [[one.name for one in node.path] for node in self._zooms]
        at = [] if self.node is None else [one.name for one in self.node.path]
        self.graph = graph
        self._zooms = [node for path in old if (node := walk(graph, path, whole=True)) is not None]
        self._layout = self._cursor = None
        self._lay(walk(graph, at) or graph.flame.root)

    def search(self, text: str) -> float | None:
        """Weight of what holds `text`; None where there is nothing to search for."""
        if self.graph is None:
            return None
        self.searching = bool(text)
        weight = self.graph.flame.search(text)
        self.refresh()
        return weight if text else None

    def render_line(self, y: int) -> Strip:
        row, layout = self.top + y, self._layout
        if layout is None or self.graph is None or row >= len(layout.rows):
            return Strip.blank(self.size.width, self.rich_style)
        drawing = Drawing(self.graph, self._cursor, self.searching, self.app.no_color, self.rich_style)
        return row_strip(layout.rows[row], self.size.width, drawing)

    def on_resize(self) -> None:
        if self.graph is not None:
            self._lay(self.node or self._to)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While nothing is searched, its keys go to a moment before and after as everywhere."""
        return action != "next_match" or self.searching

    def action_step(self, rows: int) -> None:
        """To what a frame called (the heaviest of it), or to its caller."""
        if self._cursor is None or self._layout is None:
            return
        if rows < 0:
            self._go(self._cursor.above)
        elif self._cursor.row + 1 < len(self._layout.rows):
            below = self._layout.rows[self._cursor.row + 1]
            self._go(next((cell for cell in below if cell.above is self._cursor), None))

    def action_aside(self, cells: int) -> None:
        if self._cursor is None or self._layout is None:
            return
        row = self._layout.rows[self._cursor.row]
        index = row.index(self._cursor) + cells
        self._go(row[index] if 0 <= index < len(row) else None)

    def action_zoom(self) -> None:
        """The box under the cursor fills the width; at the top, back to the one before."""
        if self._cursor is None or self.zoomed is None:
            return
        if self._cursor.row == 0:
            self.action_unzoom()
            return
        self._zooms.append(self._cursor.node)
        self._lay(self._cursor.node)

    def action_unzoom(self) -> None:
        if self._zooms:
            self._zooms.pop()
            self._lay(self.node)

    def action_unzoom_all(self) -> None:
        self._zooms.clear()
        self._lay(self.node)

    def action_fold(self) -> None:
        self.fold = not self.fold
        self._lay(self.node)

    def action_next_match(self, step: int) -> None:
        """To the next box, row by row, that holds what was looked for."""
        if self._layout is None or self._cursor is None or not self.searching or self.graph is None:
            return
        cells = [cell for row in self._layout.rows for cell in row]
        start = cells.index(self._cursor)
        for distance in range(1, len(cells) + 1):
            cell = cells[(start + step * distance) % len(cells)]
            if any(self.graph.flame.matches(one) for one in cell.nodes):
                self._go(cell)
                return

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Not when the button is let go: being focused may have moved everything by then."""
        if self._layout is None:
            return
        cell = self._layout.at(self.top + event.y, event.x)
        if cell is not None:
            self._go(cell)
            self.action_zoom()

    def on_mouse_scroll_down(self) -> None:
        self._scroll(3)

    def on_mouse_scroll_up(self) -> None:
        self._scroll(-3)

    def _scroll(self, rows: int) -> None:
        self.top = max(0, min(self.top + rows, self.rows - self.size.height))

    def _go(self, cell: Cell | None) -> None:
        if cell is None or cell is self._cursor:
            return
        self._cursor = cell
        self._reveal()
        self.refresh()
        self.post_message(self.Moved())

    def _lay(self, node: Node | None) -> None:
        """Lay the boxes out anew; the cursor goes to `node`, or where that is drawn."""
        self._to = node
        if self.graph is None or self.size.width == 0:
            return
        zoom = self._zooms[-1] if self._zooms else self.graph.flame.root
        self._layout = Layout(self.graph.flame, zoom, self.size.width, self.fold)
        self._cursor = self._layout.find(node or zoom)
        self._reveal()
        self.refresh()
        self.post_message(self.Moved())

    def _reveal(self) -> None:
        """Scroll as little as is needed for the cursor, its caller and what it called to be seen."""
        if self._cursor is None:
            return
        row, height = self._cursor.row, max(1, self.size.height)
        margin = 1 if height >= 4 else 0
        top = min(self.top, max(0, row - margin))
        top = max(top, min(row + margin, self.rows - 1) - height + 1)
        self.top = max(0, min(top, max(0, self.rows - height)))


def walk(graph: Graph, path: list[str], whole: bool = False) -> Node | None:
    """The frame that these lead to from the root, or the last that is there; `whole`: None unless all are."""
    node = graph.flame.root
    for name in path:
        found = next((one for one in graph.flame.below(node) if one.name == name), None)
        if found is None:
            return None if whole else node
        node = found
    return None if whole and not path else node
