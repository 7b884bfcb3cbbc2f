"""Which keys are there, and what do the words on the screens mean?"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from tui.lines import heading, lines
from tui.screens.base import StateScreen

_KEYS = (
    ("j, k, ↓, ↑", "next and previous line; scroll a page"),
    ("space", "pause; in the past: play on from there"),
    ("[ ], { }", "a judgement back and on, a minute back and on"),
    ("@, .", "go to a moment; back to the present"),
    ("N", "the other nodes, with the worst on each"),
    ("r", "ask again now"),
    ("?", "this page"),
    ("q", "quit"),
)
_WORDS = (
    ("cores", "processor time per second, mean of 15 s"),
    ("waiting", "time that runnable threads had no core, per second"),
    ("pressure", "share of time in which some task waited (PSI)"),
    ("PSS", "memory with shared pages by their share; memory counts them whole"),
    ("faults/s", "page faults that waited for a disk (major faults)"),
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

    def __init__(self, screens: Sequence[type[StateScreen]], over: Screen[object]) -> None:
        """`screens`: in the order of their numbers; `over`: from which it was asked for."""
        super().__init__()
        self._screens, self._over = screens, over

    def compose(self) -> ComposeResult:
        ways = ((f"{number}, {one.LETTER}", one.LABEL) for number, one in enumerate(self._screens, 1))
        here = self._over if isinstance(self._over, StateScreen) else None
        own: list[Content | str] = []
        if here is not None:
            own = [heading(f"keys of {here.LABEL}"), *_terms(here.KEYS), ""]
        with VerticalScroll():
            yield Static(
                lines([*own, heading("keys"), *_terms(ways), *_terms(_KEYS), "", heading("words"), *_terms(_WORDS)])
            )


def _terms(pairs: Iterable[tuple[str, str]]) -> Iterable[Content]:
    return (Content.assemble((f"{term:<{_TERM_WIDTH}}", "bold"), text) for term, text in pairs)
