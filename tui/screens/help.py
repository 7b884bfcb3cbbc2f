"""Which keys are there, and what do the words on the screens mean?"""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.lines import heading, lines

_KEYS = (
    ("1, o", "overview"),
    ("2, a", "advice"),
    ("3, g", "GPUs"),
    ("j, k, ↓, ↑", "next and previous line; scroll a page"),
    ("enter", "from a service to its advice, from the list to the page"),
    ("→, l, ←, h", "from the list to the page and back"),
    ("m, z, u", "acknowledge a finding, snooze it, open it again"),
    ("J, K", "scroll the lower part of the overview"),
    ("r", "ask again now"),
    ("?", "this page"),
    ("q", "quit"),
)
_WORDS = (
    ("cores", "processor time per second, mean of 15 s"),
    ("waiting", "time that runnable threads had no core, per second"),
    ("pressure", "share of time in which some task waited (PSI)"),
    ("queued", "connections that the server has not accepted yet"),
    ("busy-time", "a GPU's time in which anything ran: not how much it did"),
    ("×4", "after / before; the dot is the middle of the interval"),
    ("#1", "rank within its service: act on this first"),
    ("–", "not readable here; 0 is zero"),
    ("?", "GPU memory of a process that its driver does not tell"),
)
_TERM_WIDTH = 12


class HelpScreen(ModalScreen[None]):
    """Over the screen from which it was asked for; any of its keys closes it."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen > VerticalScroll {
        width: 76; max-width: 100%; height: auto; max-height: 100%;
        border: round $primary; padding: 0 2; background: $surface; scrollbar-size-vertical: 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q,enter", "dismiss", "Close")]

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(lines([heading("keys"), *_terms(_KEYS), "", heading("words"), *_terms(_WORDS)]))


def _terms(pairs: Iterable[tuple[str, str]]) -> Iterable[Content]:
    return (Content.assemble((f"{term:<{_TERM_WIDTH}}", "bold"), text) for term, text in pairs)
