"""What is somebody looking for in a list?"""

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui.palette import BAD


class SearchScreen(ModalScreen[int | None]):
    """One line at the bottom; each letter searches. Enter stays there, escape answers with where the highlight was."""

    DEFAULT_CSS = """
    SearchScreen { background: transparent; align: left bottom; }
    SearchScreen > Horizontal { height: 1; background: $panel; }
    SearchScreen Input { border: none; height: 1; width: 1fr; padding: 0; background: $panel; }
    SearchScreen Input:focus { border: none; }
    SearchScreen Static { width: auto; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", show=False)]

    def __init__(self, find: Callable[[str, int], bool], start: int) -> None:
        super().__init__()
        self._find, self._start = find, start

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static("/")
            yield Input(id="text", max_length=100)
            yield Static("enter: stay · then n: next · esc: back", id="told")

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        found = self._find(event.value, self._start)
        told = "enter: stay · then n: next · esc: back" if found or not event.value else "not found"
        self.query_one("#told", Static).update(told if found or not event.value else f"[{BAD}]{told}[/]")

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.dismiss(None)

    def action_leave(self) -> None:
        self.dismiss(self._start)
