"""Which services and processes are there, and which of them is meant?"""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.style import Style

from tui.palette import STRONG
from tui.source import Picture
from tui.widgets.line_view import LineView
from tui.worker_columns import AS_SENT, Column, header_line, order_by, row_line, shown_columns
from tui.worker_rows import Row, tree

_MARGIN = 2
"""Cells left of the columns: the cursor's sign, and one more."""


class WorkerTree(LineView):
    """A line a service and, below it, a line a process. The cursor stays on its line when others come and go."""

    DEFAULT_CSS = """
    WorkerTree > .worker-tree--cursor { background: $boost; color: $foreground; }
    WorkerTree:focus > .worker-tree--cursor { background: $cursor; color: $foreground; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"worker-tree--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("pagedown", "move_page(1)", show=False),
        Binding("pageup", "move_page(-1)", show=False),
        Binding("home", "move_to(0)", show=False),
        Binding("end", "move_to(-1)", show=False),
        Binding("enter", "enter", "Open", key_display="enter"),
        Binding("right,l", "unfold", show=False),
        Binding("left,h", "fold", show=False),
    ]
    sticky = range(1)

    class Moved(Message):
        """Another line is meant now, or what is known of it changed."""

    class Entered(Message):
        """The process that is meant was entered."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Row] = []
        self.sought = ""
        self.sorted_by, self.reverse = AS_SENT, False
        self.chosen: str | None = None
        """Id of the line that is meant."""
        self._folded: frozenset[str] = frozenset()
        self._picture: Picture | None = None
        self._place = 0

    def show(self, picture: Picture) -> None:
        self._picture = picture
        self._rebuild()

    @property
    def row(self) -> Row | None:
        """The line that is meant."""
        return self.rows[self._place] if self._place < len(self.rows) else None

    @property
    def columns(self) -> list[tuple[Column, int]]:
        with_vram = any(row.on_gpu for row in self.rows)
        return shown_columns(self.width - _MARGIN, with_vram=with_vram)

    def look_for(self, words: str) -> None:
        self.sought = words
        self._rebuild()
        if words.strip() and (self.row is None or self.row.is_service):
            self._place = next((place for place, row in enumerate(self.rows) if not row.is_service), self._place)
            self.chosen = self.rows[self._place].id if self.rows else self.chosen
        self.bring_into_sight(self._place + 1)

    def sort_next(self) -> None:
        """By the next column that is shown."""
        columns = [column for column, _ in self.columns]
        place = columns.index(self.sorted_by) if self.sorted_by in columns else -1
        self.sort(columns[(place + 1) % len(columns)], reverse=False)

    def sort(self, column: Column, *, reverse: bool) -> None:
        self.sorted_by, self.reverse = column, reverse
        self._rebuild()
        self.bring_into_sight(self._place + 1)

    def choose(self, id_of_row: str) -> None:
        """Go to the line of this id; where its service is folded or filtered out, that is undone."""
        if self.sought and all(row.id != id_of_row for row in self.rows):
            self.sought = ""
        self._folded -= {id_of_row.removeprefix("service/")}
        self.chosen = id_of_row
        self._rebuild()
        self.scroll_to(y=max(0, self._place), animate=False, immediate=True)

    def line_count(self) -> int:
        return len(self.rows) + 1

    def line(self, index: int) -> Content:
        if index == 0:
            return Content.assemble(" " * _MARGIN, header_line(self.columns, self.sorted_by, self.reverse))
        sign = "▌ " if index - 1 == self._place else "  "
        return Content.assemble((sign, STRONG), row_line(self.rows[index - 1], self.columns))

    def line_style(self, index: int) -> Style:
        if index == 0 or index - 1 != self._place:
            return self.visual_style
        return self.visual_style + self.get_visual_style("worker-tree--cursor")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "enter" or bool(self.rows)

    def action_move(self, by: int) -> None:
        self._go(max(0, min(len(self.rows) - 1, self._place + by)))

    def action_move_page(self, by: int) -> None:
        self.action_move(by * max(1, self.scrollable_content_region.height - 2))

    def action_move_to(self, place: int) -> None:
        self._go(place if place >= 0 else max(0, len(self.rows) + place))

    def action_enter(self) -> None:
        row = self.row
        if row is None:
            return
        if row.worker is not None:
            self.post_message(self.Entered())
        else:
            self._set_folded(row, not row.folded)

    def action_unfold(self) -> None:
        row = self.row
        if row is not None and row.is_service and row.folded:
            self._set_folded(row, False)
        elif row is not None and not row.is_service:
            self.post_message(self.Entered())

    def action_fold(self) -> None:
        """Of a process: to its service."""
        row = self.row
        if row is None:
            return
        if row.is_service:
            self._set_folded(row, True)
        else:
            self._go(next(n for n, other in enumerate(self.rows) if other.id == f"service/{row.service.id}"))

    def on_click(self, event: Click) -> None:
        index = self.index_at(event.y)
        if index == 0:
            self._sort_at(event.x)
        elif index - 1 == self._place:
            self.action_enter()
        elif index <= len(self.rows):
            self._go(index - 1)

    def _sort_at(self, x: int) -> None:
        left = _MARGIN
        for column, width in self.columns:
            if left <= x < left + width:
                self.sort(column, reverse=column is self.sorted_by and not self.reverse)
                return
            left += width + 1

    def _set_folded(self, row: Row, folded: bool) -> None:
        self._folded = self._folded | {row.service.id} if folded else self._folded - {row.service.id}
        self._rebuild()

    def _go(self, place: int) -> None:
        if not self.rows:
            return
        before, self._place = self._place, place
        self.chosen = self.rows[place].id
        if place == 0:
            self.scroll_to(y=0, animate=False, immediate=True)
        else:
            self.bring_into_sight(place + 1)
        self.redraw(before + 1, place + 1)
        self.post_message(self.Moved())

    def _rebuild(self) -> None:
        """The cursor stays on its line; where that is gone, at its place. It stays in sight if it was."""
        if self._picture is None:
            return
        in_sight, had_rows = self.is_in_sight(self._place + 1), bool(self.rows)
        self.rows = tree(self._picture, order_by(self.sorted_by, self.reverse), self._folded, self.sought)
        ids = {row.id: place for place, row in enumerate(self.rows)}
        self._place = ids.get(self.chosen or "", min(self._place, max(0, len(self.rows) - 1)))
        self.chosen = self.rows[self._place].id if self.rows else self.chosen
        self.changed()
        if in_sight:
            self.bring_into_sight(self._place + 1)
        if had_rows is not bool(self.rows):
            self.refresh_bindings()
        self.post_message(self.Moved())
