"""Which node is shown, of what moment, and how is the connection?"""

from collections.abc import Sequence

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from tui import format as fmt
from tui.lines import DOT, clipped, dotted, filled
from tui.palette import BAD, GOOD, QUIET
from tui.state import Going, Notice, State
from tui.travel import Moment

_LEAST_NAME = 8


class StatusLine(Widget):
    """One line at the top of every screen: the node at the left, the connection at the right; for a while instead, what
    came of something that the user did."""

    DEFAULT_CSS = """
    StatusLine { height: 1; background: $panel; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    StatusLine.-past { background: $past; color: $on-past; text-style: bold; }
    """
    state: reactive[State | None] = reactive(None)

    def watch_state(self) -> None:
        state = self.state
        self.set_class(state is not None and (state.moment is not None or state.going is not None), "-past")

    def render(self) -> Content:
        if self.state is None:
            return Content("nodewright")
        if self.state.notice is not None:
            return clipped(notice_part(self.state.notice), self.size.width)
        if self.state.going is not None:
            return going_part(self.state, self.state.going, self.size.width)
        if self.state.moment is not None:
            return past_part(self.state, self.state.moment, self.size.width)
        right = connection_part(self.state)
        return both_parts(node_part(self.state, self.size.width - 2 - right.cell_length), right, self.size.width)


def both_parts(left: Content, right: Content, width: int) -> Content:
    """At both ends of the line. Where there is no room for both, each may have half, and what the other leaves."""
    half = (width - 2) // 2
    left = clipped(left, max(half, width - 2 - right.cell_length))
    right = clipped(right, width - 2 - left.cell_length)
    return Content.assemble(left, " " * max(2, width - left.cell_length - right.cell_length), right)


def notice_part(notice: Notice) -> Content:
    return Content.styled(f"{'✓' if notice.good else '✗'} {fmt.plain(notice.text)}", GOOD if notice.good else BAD)


def past_part(state: State, moment: Moment, width: int) -> Content:
    """That it is the past, of when, how old, and how to come back: the name of the node gives way."""
    at = "" if state.picture is None else state.picture.node.at
    parts = [
        "► PAST, playing" if moment.playing else "‖ PAST, paused" if moment.age_seconds else "‖ PAUSED",
        fmt.clock(at),
        age_text(moment),
        "" if moment.number is None else f"{moment.number}/{moment.count}",
        short_part(state),
        f"after a gap of {fmt.age(moment.gap_seconds)}" if moment.gap_seconds is not None else "",
        f"✗ {fmt.plain(state.problem.message)}" if state.problem is not None else "",
    ]
    return _with_way_back(state, parts, "[ ] step  . now", width)


def going_part(state: State, going: Going, width: int) -> Content:
    """Which moment is waited for, and how far it is; what is shown meanwhile."""
    at = "" if state.picture is None else state.picture.node.at
    parts = [
        f"… going to {fmt.instant(going.at)}",
        fmt.plain(going.said),
        f"shown: {fmt.clock(at)}" if at else "",
        f"✗ {fmt.plain(state.problem.message)}" if state.problem is not None else "",
    ]
    return _with_way_back(state, parts, ". now", width)


def short_part(state: State) -> str:
    """Where less of the time before it was played than rules may ask for."""
    past = None if state.picture is None else state.picture.node.past
    return f"judged on {fmt.age(past.seen_seconds)} only" if past is not None and past.shorter is not None else ""


def _with_way_back(state: State, parts: Sequence[str], way: str, width: int) -> Content:
    """The name of the node gives way."""
    left, right = Content(DOT.join(part for part in parts if part)), Content(way)
    room = max(8, width - right.cell_length - 2)
    if state.picture is not None and (left_over := room - left.cell_length - len(DOT)) >= _LEAST_NAME:
        left = Content.assemble(left, DOT, clipped(Content(fmt.plain(state.picture.node.node)), left_over))
    return Content.assemble(filled(left, room, False), "  ", right)


def age_text(moment: Moment) -> str:
    if not moment.age_seconds:
        return "the newest"
    return f"{fmt.age(moment.age_seconds)} {'before its end' if moment.recorded else 'ago'}"


def node_part(state: State, room: int) -> Content:
    """The name of the node gives way to the time."""
    name = Content.styled("nodewright", "bold")
    if state.picture is None:
        return name
    node, clock = Content(fmt.plain(state.picture.node.node)), fmt.clock(state.picture.node.at)
    return dotted((name, clipped(node, max(8, room - dotted((name, " ", clock)).cell_length)), clock))


def connection_part(state: State) -> Content:
    if state.problem is not None:
        words = f"✗ {fmt.plain(state.problem.message)}, attempt {state.failures}"
        return Content.styled(words, BAD)
    if state.picture is None:
        return Content.styled(f"… {fmt.plain(state.origin)}", QUIET)
    return Content.styled(f"● {fmt.plain(state.origin)}", GOOD)
