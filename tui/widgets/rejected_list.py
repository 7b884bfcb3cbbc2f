"""Which causes look alike, and what ruled them out?"""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from advisor.finding import Rejected
from tui import format as fmt
from tui.lines import heading, lines
from tui.palette import QUIET


class RejectedList(Widget):
    """One line a look-alike."""

    DEFAULT_CSS = """
    RejectedList { height: auto; padding: 1 0 0 0; }
    """
    rejected: reactive[tuple[Rejected, ...]] = reactive((), layout=True)

    def render(self) -> Content:
        rows = [Content.assemble(f"{fmt.plain(one.cause)}: ", (fmt.plain(one.because), QUIET)) for one in self.rejected]
        return lines([heading("looked alike, ruled out"), *rows])
