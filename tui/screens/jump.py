"""To which moment does somebody want to go?"""

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from tui import format as fmt
from tui.jump import HINT, instant_of
from tui.lines import lines
from tui.palette import BAD, QUIET, STRONG
from tui.screens.form import FormScreen


class JumpScreen(FormScreen[float]):
    """Asks for a time; answers with Unix seconds, or None where it was left."""

    DEFAULT_CSS = """
    JumpScreen Input { margin: 1 0 0 0; }
    """

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
