"""How are thousands of lines shown, where a key must be answered at once? Only those on the screen are made."""

from textual.content import Content
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style
from textual.visual import Visual

from tui.lines import clipped


class LineView(ScrollView, can_focus=True):
    """Lines that are made when they are drawn. The `sticky` ones stay at the top once they are scrolled out."""

    DEFAULT_CSS = """
    LineView {
        background: $background; overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    """
    sticky = range(0)
    sticky_end: int | None = None
    """The line before which they leave with what they head; None = they stay."""

    def line_count(self) -> int:
        raise NotImplementedError

    def line(self, index: int) -> Content:
        """One line, no wider than `width`; called for what is on the screen."""
        raise NotImplementedError

    def line_style(self, index: int) -> Style:
        return self.visual_style

    @property
    def width(self) -> int:
        return self.scrollable_content_region.width or 80

    def changed(self) -> None:
        """There are other lines now, or other ones."""
        self.virtual_size = Size(self.width, self.line_count())
        self.refresh()

    def on_resize(self) -> None:
        self.changed()

    def render_line(self, y: int) -> Strip:
        index, style = self.index_at(y), self.visual_style
        if not 0 <= index < self.line_count():
            return Strip.blank(self.size.width, style.rich_style)
        style = self.line_style(index)
        strips = Visual.to_strips(
            self, clipped(self.line(index), self.width), self.width, 1, style, apply_selection=False
        )
        return strips[0].adjust_cell_length(self.size.width, style.rich_style)

    def index_at(self, y: int) -> int:
        """Which line is drawn in row `y` of the widget."""
        top = self.scroll_offset.y
        end = self.line_count() if self.sticky_end is None else self.sticky_end
        if self.sticky and self.sticky.start < top < end - len(self.sticky) and y < len(self.sticky):
            return self.sticky.start + y
        return top + y

    def bring_into_sight(self, index: int) -> None:
        """Scroll no further than is needed to see line `index` below the sticky ones."""
        height, top = self.scrollable_content_region.height, self.scroll_offset.y
        head = len(self.sticky) if index >= self.sticky.stop else 0
        if index < top + head:
            self.scroll_to(y=max(0, index - head), animate=False, immediate=True)
        elif height and index >= top + height:
            self.scroll_to(y=index - height + 1, animate=False, immediate=True)

    def is_in_sight(self, index: int) -> bool:
        top, head = self.scroll_offset.y, len(self.sticky) if index >= self.sticky.stop else 0
        return top + head <= index < top + self.scrollable_content_region.height

    def redraw(self, *indexes: int) -> None:
        """Draw these lines again, where they are on the screen."""
        for index in indexes:
            if self.is_in_sight(index):
                self.refresh(Region(0, index - self.scroll_offset.y, self.size.width, 1))
