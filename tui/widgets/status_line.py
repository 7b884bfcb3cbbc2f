"""Which node is shown, of what moment, and how is the connection?"""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from tui import format as fmt
from tui.lines import dotted
from tui.palette import BAD, GOOD, QUIET
from tui.state import Notice, State


class StatusLine(Widget):
    """One line at the top of every screen: the node at the left, the connection at the right; for a while instead, what
    came of something that the user did."""

    DEFAULT_CSS = """
    StatusLine { height: 1; background: $panel; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    state: reactive[State | None] = reactive(None)

    def render(self) -> Content:
        if self.state is None:
            return Content("nodewright")
        if self.state.notice is not None:
            return notice_part(self.state.notice)
        left, right = node_part(self.state), connection_part(self.state)
        gap = max(2, self.size.width - left.cell_length - right.cell_length)
        return Content.assemble(left, " " * gap, right)


def notice_part(notice: Notice) -> Content:
    return Content.styled(f"{'✓' if notice.good else '✗'} {fmt.plain(notice.text)}", GOOD if notice.good else BAD)


def node_part(state: State) -> Content:
    name = Content.styled("nodewright", "bold")
    if state.picture is None:
        return name
    node = state.picture.node
    return dotted((name, fmt.plain(node.node), fmt.clock(node.at)))


def connection_part(state: State) -> Content:
    if state.problem is not None:
        words = f"✗ {fmt.plain(state.problem.message)}, attempt {state.failures}"
        return Content.styled(words, BAD)
    if state.picture is None:
        return Content.styled(f"… {fmt.plain(state.origin)}", QUIET)
    return Content.styled(f"● {fmt.plain(state.origin)}", GOOD)
