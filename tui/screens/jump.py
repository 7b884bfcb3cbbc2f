"""To which moment does somebody want to go?"""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui import format as fmt
from tui.jump import HINT, instant_of
from tui.lines import lines
from tui.palette import BAD, QUIET, STRONG


class JumpScreen(ModalScreen[float | None]):
    """Asks for a time; answers with Unix seconds, or None where it was left."""

    DEFAULT_CSS = """
    JumpScreen { align: center middle; }
    JumpScreen > Vertical {
        width: 70; max-width: 100%; height: auto; border: round $primary; padding: 0 2; background: $surface;
    }
    JumpScreen Input { border: none; height: 1; padding: 0 1; margin: 1 0 0 0; background: $boost; }
    JumpScreen Input:focus { border: none; background: #2b3d55; }
    JumpScreen #problem { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", show=False)]

    def __init__(self, kept: tuple[str, ...], shown: float, newest: float) -> None:
        """`kept`: sentences that say what can be shown."""
        super().__init__()
        self._kept, self._shown, self._newest = kept, shown, newest

    def compose(self) -> ComposeResult:
        with Vertical() as form:
            form.border_subtitle = "enter: go there · esc: leave"
            yield Static(
                lines(
                    [
                        Content.styled("Go to a moment", STRONG),
                        *(Content.styled(fmt.plain(sentence), QUIET) for sentence in self._kept),
                    ]
                )
            )
            yield Input(id="time", max_length=40, placeholder=HINT)
            yield Static(id="problem")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        try:
            self.dismiss(instant_of(event.value, self._shown, self._newest))
        except ValueError as error:
            self.query_one("#problem", Static).update(Content.styled(str(error), BAD))

    def action_leave(self) -> None:
        self.dismiss(None)
