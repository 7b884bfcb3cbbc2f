"""Why could a rule not tell, and what would let it?"""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from advisor.finding import Inconclusive
from tui import format as fmt
from tui.lines import heading, lines
from tui.palette import QUIET, STRONG

_NEEDS = {
    "privilege": "needs a privilege",
    "profile": "needs a profile",
    "metrics": "needs the server's metrics",
    "load": "needs more load",
    "time": "needs more time",
    "kernel": "needs something of the kernel",
}


class NeedPage(Widget):
    """The page of a rule without a conclusion."""

    DEFAULT_CSS = """
    NeedPage { height: auto; }
    """
    inconclusive: reactive[Inconclusive | None] = reactive(None, layout=True)

    def render(self) -> Content:
        one = self.inconclusive
        if one is None:
            return Content("")
        pids = f", pid {fmt.pids(one.subject.pids)}" if one.subject.pids else ""
        return lines(
            [
                Content.styled(f"{fmt.plain(one.rule)} could not tell", STRONG),
                Content.styled(f"{one.subject.kind} {fmt.plain(one.subject.name)}{pids}", QUIET),
                "",
                heading(_NEEDS[one.needs.kind]),
                fmt.plain(one.needs.text),
            ]
        )
