"""Into which file does what is on the screen go?"""

from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from tui import format as fmt
from tui.export import write
from tui.lines import lines
from tui.palette import BAD, QUIET, STRONG
from tui.screens.form import FormScreen


class ExportScreen(FormScreen[Path]):
    """Asks for a name, and once more where that file is there; answers with the file that was written."""

    DEFAULT_CSS = """
    ExportScreen > Vertical { width: 76; }
    ExportScreen Input { margin: 1 0 0 0; }
    """

    def __init__(self, text: str, svg: str, name: str) -> None:
        super().__init__()
        self._text, self._svg, self._usual = text, svg, name
        self._asked_again: str | None = None

    def compose(self) -> ComposeResult:
        with Vertical() as form:
            form.border_subtitle = "enter: write it · esc: leave"
            yield Static(
                lines(
                    [
                        Content.styled("Write this view into a file", STRONG),
                        Content.styled("As text, or drawn where the name ends in .svg.", QUIET),
                    ]
                )
            )
            yield Input(self._usual, id="name", max_length=1000)
            yield Static(id="problem")

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        if event.value != self._asked_again:
            self._asked_again = None
            self.query_one("#problem", Static).update("")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        name = event.value.strip()
        try:
            path = Path(name).expanduser()
            content = self._svg if path.suffix.lower() == ".svg" else self._text
            write(path, content, overwrite=name == self._asked_again)
        except FileExistsError:
            self._asked_again = name
            self._say("It is there already: enter once more writes over it.")
        except (OSError, RuntimeError, ValueError) as error:
            self._say(f"Not written: {getattr(error, 'strerror', None) or error}")
        else:
            self.dismiss(path)

    def _say(self, text: str) -> None:
        self.query_one("#problem", Static).update(Content.styled(fmt.plain(text), BAD))
