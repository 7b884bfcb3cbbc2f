"""Of what is a profile taken, for how long, and how deep may it look?"""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Input, Static

from advisor.profiling.request import LONGEST_SECONDS, ProfileRequest
from tui import format as fmt
from tui.lines import lines
from tui.palette import BAD, QUIET, STRONG
from tui.screens.form import FormScreen


class AskProfileScreen(FormScreen[ProfileRequest]):
    """A small form over the profiles; it answers None where it was left."""

    DEFAULT_CSS = """
    AskProfileScreen > Vertical { width: 74; }
    AskProfileScreen Input { margin: 0 0 1 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s", "submit", show=False)]

    def __init__(self, service: str, services: Sequence[str]) -> None:
        """`service`: what is filled in."""
        super().__init__()
        self._service, self._services = service, tuple(services)

    def compose(self) -> ComposeResult:
        with Vertical() as form:
            form.border_subtitle = "enter: next field, then go · space: tick · esc: leave"
            known = ", ".join(map(fmt.plain, self._services)) or "none runs"
            yield Static(lines([Content.styled("Take a profile", STRONG), "", "Service, or the pid of a worker"]))
            yield Input(self._service, id="target", max_length=300)
            yield Static(Content.styled(f"services: {known}", QUIET), id="known")
            yield Static(Content.assemble("Seconds ", (f"1 to {LONGEST_SECONDS}", QUIET)))
            yield Input("10", id="seconds", max_length=6)
            yield Tick("native stacks too: holds the process still at each look", id="native")
            yield Static(id="problem")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        """Enter goes to the next field and, from the last, on."""
        if event.input.id == "target":
            self.query_one("#seconds", Input).focus()
        else:
            self.action_submit()

    def action_submit(self) -> None:
        target, seconds = (self.query_one(name, Input).value.strip() for name in ("#target", "#seconds"))
        native = self.query_one("#native", Tick).value
        problem = problem_of(target, seconds)
        if problem is None:
            asked: int | str = int(target) if target.isascii() and target.isdigit() else target
            self.dismiss(ProfileRequest(target=asked, seconds=float(seconds), native=native))
            return
        field, text = problem
        self.query_one("#problem", Static).update(Content.styled(text, BAD))
        self.query_one(field, Input).focus()


class Tick(Static, can_focus=True):
    """A line that can be ticked: `[x] native stacks too`."""

    DEFAULT_CSS = """
    Tick { height: 1; margin: 0 0 1 0; }
    Tick:focus { background: $cursor; text-style: bold; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "tick", show=False),
        Binding("enter", "screen.submit", show=False),
    ]
    value: reactive[bool] = reactive(False)

    def __init__(self, text: str, id: str) -> None:  # noqa: A002 - as every widget calls it
        super().__init__(id=id)
        self._text = text

    def render(self) -> Content:
        return Content(f"[{'x' if self.value else ' '}] {self._text}")

    def action_tick(self) -> None:
        self.value = not self.value

    def on_click(self) -> None:
        self.action_tick()


def problem_of(target: str, seconds: str) -> tuple[str, str] | None:
    """The field that is wrong, and why."""
    if not target:
        return "#target", "name a service, or the pid of a worker"
    try:
        wanted = float(seconds)
    except ValueError:
        wanted = 0.0
    if not 1 <= wanted <= LONGEST_SECONDS:
        return "#seconds", f"{fmt.plain(seconds) or 'nothing'} is not possible: a number, 1 to {LONGEST_SECONDS}"
    return None
