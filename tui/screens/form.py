"""What is the same in every small form over a screen: its frame, its fields, and the way out?"""

from typing import ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

Result = TypeVar("Result")


class FormScreen(ModalScreen[Result | None]):
    """It answers None where it was left."""

    DEFAULT_CSS = """
    FormScreen { align: center middle; }
    FormScreen > Vertical {
        width: 70; max-width: 100%; height: auto; border: round $primary; padding: 0 2; background: $surface;
    }
    FormScreen Input { border: none; height: 1; padding: 0 1; background: $boost; }
    FormScreen Input:focus { border: none; background: $cursor; }
    FormScreen #problem { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("down", "app.focus_next", "Next field", show=False),
        Binding("up", "app.focus_previous", "Field before", show=False),
    ]

    def action_leave(self) -> None:
        self.dismiss(None)
