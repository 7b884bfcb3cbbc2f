"""What should be changed, in which order, and why?"""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import ContentSwitcher, OptionList

from tui import format as fmt
from tui.screens.base import StateScreen
from tui.source import Picture
from tui.widgets.finding_list import FindingList, inconclusive_id
from tui.widgets.finding_page import FindingPage
from tui.widgets.notice import Notice


class AdviceScreen(StateScreen):
    """The ranked list at the left, the chosen finding at the right."""

    DEFAULT_CSS = """
    AdviceScreen #findings { width: 32; height: 1fr; }
    AdviceScreen.-wide #findings { width: 48; }
    AdviceScreen FindingPage { width: 1fr; border-left: solid $panel-lighten-1; }
    AdviceScreen FindingPage:focus { border-left: solid $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l", "focus_page", "Page", key_display="→"),
        Binding("left,h", "focus_list", "List", key_display="←"),
    ]
    _wanted: str | None = None

    def body(self) -> Widget:
        return _Body(id="body", initial="quiet")

    def show(self, picture: Picture) -> None:
        advice = picture.advice
        body = self.query_one("#body", ContentSwitcher)
        if not advice.findings and not advice.inconclusive:
            body.current = "quiet"
            verdicts = (f"{fmt.plain(one.name)}: {fmt.plain(one.verdict)}" for one in advice.services)
            self.query_one("#quiet", Notice).say("Nothing to change", *verdicts)
            return
        body.current = "split"
        self.query_one(FindingList).show(advice)
        self._show_page(picture)
        self._choose_wanted(picture)

    def choose(self, service: str) -> None:
        """Go to the first finding of the service called `service`, now or as soon as there is one."""
        self._wanted = service
        if self.is_mounted and self.state is not None and self.state.picture is not None:
            self._choose_wanted(self.state.picture)

    def action_focus_page(self) -> None:
        self.query_one(FindingPage).focus()

    def action_focus_list(self) -> None:
        self.query_one(FindingList).focus()

    @on(OptionList.OptionHighlighted)
    def _highlighted(self) -> None:
        if self.state is not None and self.state.picture is not None:
            self._show_page(self.state.picture)

    @on(OptionList.OptionSelected)
    def _entered(self) -> None:
        self.action_focus_page()

    def _choose_wanted(self, picture: Picture) -> None:
        wanted, self._wanted = self._wanted, None
        findings = self.query_one(FindingList)
        of_service = {finding.id for finding in picture.advice.findings if finding.subject.name == wanted}
        first = next((option.id for option in findings.options if option.id in of_service), None)
        if first is not None:
            findings.choose(first)

    def _show_page(self, picture: Picture) -> None:
        chosen, page = self.query_one(FindingList).chosen, self.query_one(FindingPage)
        titles = {finding.id: finding.title for finding in picture.advice.findings}
        for finding in picture.advice.findings:
            if finding.id == chosen:
                page.show(finding, titles.get(finding.because_of or ""))
        for one in picture.advice.inconclusive:
            if inconclusive_id(one) == chosen:
                page.show_need(one)


class _Body(ContentSwitcher):
    def compose(self) -> ComposeResult:
        yield Notice(id="quiet")
        with Horizontal(id="split"):
            yield FindingList(id="findings")
            yield FindingPage(id="page")
