"""What became of the finding, and who had a hand in it?"""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from advisor.documents import FindingEvent
from tui import format as fmt
from tui.lines import heading, lines
from tui.palette import QUIET

SHOWN = 8


class HistoryList(Widget):
    """One line a turn, the newest first."""

    DEFAULT_CSS = """
    HistoryList { height: auto; padding: 1 0 0 0; }
    """
    events: reactive[tuple[FindingEvent, ...]] = reactive((), layout=True)

    def render(self) -> Content:
        more = len(self.events) - SHOWN
        older = [Content.styled(f"and {more} older: nodewright history", QUIET)] if more > 0 else []
        return lines([heading("history"), *map(event_line, self.events[:SHOWN]), *older])


def event_line(event: FindingEvent) -> Content:
    who = f" by {fmt.plain(event.owner)}" if event.owner else ""
    note = f": {fmt.plain(event.note)}" if event.note else ""
    what = event.event.replace("-", " ")
    severity = {"opened": " as ", "severity-changed": " to "}.get(event.event, "")
    severity += event.severity.value if severity else ""
    return Content.assemble((f"{fmt.moment(event.at)}  ", QUIET), f"{what}{severity}{who}", (note, QUIET))
