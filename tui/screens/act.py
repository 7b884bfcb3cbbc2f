"""Why is a finding left as it is, and for how long?"""

import re
from typing import Literal

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from advisor.finding import Finding
from tui import format as fmt
from tui.lines import lines
from tui.palette import BAD, QUIET, STRONG
from tui.screens.form import FormScreen
from tui.source import Act

_DURATION = re.compile(r"[0-9]+(\.[0-9]+)?\s*(s|min|h|d|w|y)", re.ASCII)
_WORDS = {"acknowledged": "Acknowledge", "snoozed": "Snooze"}


class ActScreen(FormScreen[Act]):
    """A small form over the advice; it answers None where it was left."""

    DEFAULT_CSS = """
    ActScreen Input { margin: 0 0 1 0; }
    """

    def __init__(self, finding: Finding, state: Literal["acknowledged", "snoozed"], owner: str) -> None:
        super().__init__()
        self._finding = finding
        self._state: Literal["acknowledged", "snoozed"] = state
        self._owner = owner

    def compose(self) -> ComposeResult:
        default = "for good if empty" if self._state == "acknowledged" else "then it opens by itself"
        with Vertical() as form:
            form.border_subtitle = "enter: next field, then done · esc: leave"
            yield Static(
                lines(
                    [
                        Content.styled(f"{_WORDS[self._state]}: {fmt.plain(self._finding.title)}", STRONG),
                        Content.styled(f"{fmt.plain(self._finding.subject.name)}, as {fmt.plain(self._owner)}", QUIET),
                        "",
                        "Reason",
                    ]
                )
            )
            yield Input(id="reason", max_length=1000)
            yield Static(Content.assemble("For how long ", (f"such as 2h or 7d; {default}", QUIET)))
            yield Input(id="lasts", max_length=20)
            yield Static(id="problem")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        """Enter goes to the next field and, from the last, on."""
        if event.input.id == "reason" and event.value.strip():
            self.query_one("#lasts", Input).focus()
        else:
            self._submit()

    def _submit(self) -> None:
        reason, lasts = (self.query_one(name, Input).value.strip() for name in ("#reason", "#lasts"))
        problem = self._problem(reason, lasts)
        if problem is None:
            self.dismiss(Act(state=self._state, owner=self._owner, reason=reason, expires_in=lasts or None))
            return
        field, text = problem
        self.query_one("#problem", Static).update(Content.styled(text, BAD))
        self.query_one(field, Input).focus()

    def _problem(self, reason: str, lasts: str) -> tuple[str, str] | None:
        """The field that is wrong, and why."""
        if not reason:
            return "#reason", "say why: others will read it"
        if lasts and not _DURATION.fullmatch(lasts):
            return "#lasts", f"{fmt.plain(lasts)} is no duration: write 2h, 7d or 2w"
        if not lasts and self._state == "snoozed":
            return "#lasts", "say for how long: 2h, 7d, 2w"
        return None
