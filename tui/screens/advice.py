"""What should be changed, in which order, and why?"""

from typing import ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import ContentSwitcher, OptionList

from advisor.finding import Finding
from tui import format as fmt
from tui.messages import ActWanted, HistoryWanted
from tui.screens.base import StateScreen
from tui.source import Picture
from tui.widgets.finding_list import FindingList, inconclusive_id
from tui.widgets.finding_page import FindingPage
from tui.widgets.notice import Notice


class AdviceScreen(StateScreen):
    """The ranked list at the left, the chosen finding at the right."""

    NAME, LETTER, LABEL = "advice", "a", "Advice"
    KEYS = (
        ("enter, →, ←", "from the list to the page and back"),
        ("m, z, u", "acknowledge a finding, snooze it, open it again"),
    )
    DEFAULT_CSS = """
    AdviceScreen #findings { width: 32; height: 1fr; }
    AdviceScreen.-wide #findings { width: 48; }
    AdviceScreen FindingPage { width: 1fr; border-left: solid $panel-lighten-1; }
    AdviceScreen FindingPage:focus { border-left: solid $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l", "focus_page", show=False),
        Binding("left,h", "focus_list", show=False),
        Binding("m", "act('acknowledged')", "Ack"),
        Binding("z", "act('snoozed')", "Snooze"),
        Binding("u", "act('open')", "Reopen"),
    ]
    _wanted: str | None = None
    _shown: tuple[str, str, str] | None = None
    """Id, state and severity of the finding on the page."""

    def body(self) -> Widget:
        return _Body(id="body", initial="quiet")

    def show(self, picture: Picture) -> None:
        advice = picture.advice
        body = self.query_one("#body", ContentSwitcher)
        if not advice.findings and not advice.inconclusive:
            self.turn(body, "quiet")
            verdicts = (f"{fmt.plain(one.name)}: {fmt.plain(one.verdict)}" for one in advice.services)
            self.query_one("#quiet", Notice).say("Nothing to change", *verdicts)
            return
        self.turn(body, "split")
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

    def action_act(self, state: Literal["acknowledged", "snoozed", "open"]) -> None:
        if (finding := self._chosen()) is not None:
            self.post_message(ActWanted(finding, state))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What is open can be acknowledged, what is not can be opened."""
        if action != "act":
            return True
        finding = self._chosen()
        return finding is not None and (finding.state == "open") is (parameters != ("open",))

    def _chosen(self) -> Finding | None:
        """The highlighted line, where it is a finding."""
        if not self.is_mounted or self.state is None or self.state.picture is None:
            return None
        chosen = self.query_one(FindingList).chosen
        return next((one for one in self.state.picture.advice.findings if one.id == chosen), None)

    def _show_page(self, picture: Picture) -> None:
        page, finding = self.query_one(FindingPage), self._chosen()
        if finding is not None:
            titles = {one.id: one.title for one in picture.advice.findings}
            page.show(finding, titles.get(finding.because_of or ""), self.state.history if self.state else ())
        chosen = self.query_one(FindingList).chosen
        for one in picture.advice.inconclusive:
            if inconclusive_id(one) == chosen:
                page.show_need(one)
        shown = (finding.id, finding.state, finding.severity.value) if finding is not None else None
        if shown != self._shown:
            self._shown = shown
            self.refresh_bindings()
            if finding is not None:
                self.post_message(HistoryWanted(finding.id))


class _Body(ContentSwitcher):
    def compose(self) -> ComposeResult:
        yield Notice(id="quiet")
        with Horizontal(id="split"):
            yield FindingList(id="findings")
            yield FindingPage(id="page")
