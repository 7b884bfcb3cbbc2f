"""Was a change made that the agent may not have seen, and when?"""

import re

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from advisor.finding import Finding
from collectors.units import parse_duration
from tui import format as fmt
from tui.lines import lines
from tui.palette import BAD, QUIET, STRONG
from tui.places import change_text
from tui.screens.form import FormScreen

_LONGEST_SECONDS = 86400.0


class VerifyScreen(FormScreen[str]):
    """A small form over the advice; it answers how long ago (empty: just now), and None where it was left."""

    def __init__(self, finding: Finding) -> None:
        super().__init__()
        self._finding = finding

    def compose(self) -> ComposeResult:
        with Vertical() as form:
            form.border_subtitle = "enter: measure · esc: leave"
            yield Static(
                lines(
                    [
                        Content.styled(f"Verify: {fmt.plain(self._finding.title)}", STRONG),
                        Content.styled(fmt.plain(self._finding.subject.name), QUIET),
                        "",
                        "This was done, and what came of it is to be measured:",
                        *(f"  {change_text(change)}" for change in self._finding.changes),
                        "",
                        Content.assemble("How long ago ", ("such as 5min; just now if empty", QUIET)),
                    ]
                )
            )
            yield Input(max_length=20)
            yield Static(id="problem")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        since = event.value.strip()
        problem = since_problem(since)
        if problem is None:
            self.dismiss(since)
        else:
            self.query_one("#problem", Static).update(Content.styled(problem, BAD))


def since_problem(since: str) -> str | None:
    """Why it is no time that the agent takes; None where it is one."""
    if not since:
        return None
    try:
        seconds = parse_duration(re.sub(r"\s+", "", since))
    except ValueError as error:
        return fmt.plain(str(error))
    return None if seconds <= _LONGEST_SECONDS else "no more than 24h ago"
