"""What should be changed, in which order, and why?"""

import asyncio
from typing import ClassVar, Literal
from urllib.parse import urlencode

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import ContentSwitcher, OptionList

from advisor.documents import AdviceDocument, OutcomesDocument
from advisor.finding import Finding
from advisor.plan import Plan
from advisor.series import EvidenceSeries
from tui import format as fmt
from tui.copied import counted, finding_copy, plan_copy
from tui.lately import Lately
from tui.messages import ActWanted, CopyWanted, HistoryWanted, VerifyWanted
from tui.screens.base import StateScreen
from tui.source import Picture, Unreachable
from tui.widgets.finding_list import FindingList, inconclusive_id, outcome_id, plan_id
from tui.widgets.finding_page import FindingPage
from tui.widgets.notice import Notice
from tui.widgets.plan_page import place_in

SERIES_EVERY_SECONDS = 10.0
REST_SECONDS = 0.2
"""A finding that is only passed on the way through the list is not asked for."""


class AdviceScreen(StateScreen):
    """Plans, ranked findings and changes that were made at the left, the chosen one at the right."""

    NAME, LETTER, LABEL = "advice", "a", "Advice"
    KEYS = (
        ("enter, →, ←", "from the list to the page and back"),
        ("m, z, u", "acknowledge a finding, snooze it, open it again"),
        ("v", "it was done: measure what came of it"),
        ("y", "copy the change with all places (in tmux: set-clipboard on)"),
    )
    DEFAULT_CSS = """
    AdviceScreen #findings { width: 32; height: 1fr; }
    AdviceScreen.-wide #findings { width: 48; }
    AdviceScreen FindingPage { width: 1fr; border-left: solid $panel-lighten-1; }
    AdviceScreen FindingPage:focus { border-left: solid $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l", "focus_page", show=False),
        Binding("left,h", "focus_list", "List", key_display="←"),
        Binding("m", "act('acknowledged')", "Ack"),
        Binding("z", "act('snoozed')", "Snooze"),
        Binding("u", "act('open')", "Reopen"),
        Binding("v", "verify", "Verify"),
        Binding("y", "copy", "Copy"),
        Binding("r", "ask_again", show=False),
    ]
    _wanted: str | None = None
    _shown: tuple[str | None, str, str] | None = None
    """What is on the page; of a finding also its state and severity."""
    _outcomes = OutcomesDocument(outcomes=(), scores=())
    """As the agent said last."""
    _series: tuple[str, tuple[EvidenceSeries, ...]] = ("", ())
    """The last answer, and of which finding it is."""

    def __init__(self) -> None:
        super().__init__()
        self._lately, self._series_lately = Lately(), Lately(SERIES_EVERY_SECONDS)

    def body(self) -> Widget:
        return _Body(id="body", initial="quiet")

    def show(self, picture: Picture) -> None:
        advice = picture.advice
        body = self.query_one("#body", ContentSwitcher)
        self._ask_if_due(picture)
        if not (advice.findings or advice.inconclusive or self._outcomes.outcomes):
            self.turn(body, "quiet")
            verdicts = (f"{fmt.plain(one.name)}: {fmt.plain(one.verdict)}" for one in advice.services)
            self.query_one("#quiet", Notice).say("Nothing to change", *verdicts)
            return
        self.turn(body, "split")
        self.query_one(FindingList).show(advice, self._outcomes.outcomes)
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

    def action_verify(self) -> None:
        if (finding := self._chosen()) is not None and finding.changes:
            self.post_message(VerifyWanted(finding))

    def action_copy(self) -> None:
        finding, plan = self._chosen(), self._chosen_plan()
        if finding is not None and finding.changes:
            self.post_message(CopyWanted(finding_copy(finding), counted(finding.changes)))
        elif plan is not None:
            changes = [change for step in plan.steps for change in step.changes]
            self.post_message(CopyWanted(plan_copy(plan), counted(changes)))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What is open can be acknowledged, what is not can be opened; where nothing is to be changed, nothing is copied."""
        if not super().check_action(action, parameters):
            return False
        finding = self._chosen()
        match action:
            case "act":
                return finding is not None and (finding.state == "open") is (parameters != ("open",))
            case "focus_list":
                return isinstance(self.focused, FindingPage) and self._line is not None
            case "verify":
                return finding is not None and bool(finding.changes)
            case "copy":
                return bool(finding.changes) if finding is not None else self._chosen_plan() is not None
            case _:
                return True

    def action_ask_again(self) -> None:
        self.ask_for_outcomes()
        self.app.action_ask()  # type: ignore[attr-defined]

    def on_screen_resume(self) -> None:
        """Ask for what was not asked for while another screen was looked at: of a moment that stands still no further picture
        comes."""
        if self.state is not None and self.state.picture is not None:
            self._ask_if_due(self.state.picture)
            if (finding := self._chosen()) is not None:
                self._ask_for_series(finding)

    def ask_for_outcomes(self) -> None:
        """Now, as something has become of a change."""
        self.run_worker(self._ask_for_outcomes(), group="outcomes", exclusive=True)

    def _ask_if_due(self, picture: Picture) -> None:
        if self.is_current and self._lately.due(picture.node.at):
            self.ask_for_outcomes()

    async def _ask_for_outcomes(self) -> None:
        try:
            found = await self.ask("outcomes", OutcomesDocument)
        except Unreachable:  # it is no more than an addition to the list
            return
        if found != self._outcomes and self.state is not None and self.state.picture is not None:
            self._outcomes = found
            self.show(self.state.picture)

    def _chosen(self) -> Finding | None:
        """The highlighted line, where it is a finding."""
        chosen = self._line
        return next((one for one in self._advice.findings if one.id == chosen), None) if self._advice else None

    def _chosen_plan(self) -> Plan | None:
        """The highlighted line, where it is a plan."""
        chosen = self._line
        return next((one for one in self._advice.plans if plan_id(one) == chosen), None) if self._advice else None

    @property
    def _advice(self) -> AdviceDocument | None:
        return self.state.picture.advice if self.state is not None and self.state.picture is not None else None

    @property
    def _line(self) -> str | None:
        """Id of the highlighted line."""
        return self.query_one(FindingList).chosen if self.is_mounted else None

    def _show_page(self, picture: Picture) -> None:
        finding = self._chosen()
        if finding is not None:
            self._show_finding(finding, picture.advice)
        else:
            self._show_other(picture.advice)
        shown = (self._line, finding.state, finding.severity.value) if finding is not None else (self._line, "", "")
        if shown != self._shown:
            self._shown = shown
            self.refresh_bindings()
            if finding is not None:
                self.post_message(HistoryWanted(finding.id))

    def _show_finding(self, finding: Finding, advice: AdviceDocument) -> None:
        titles = {one.id: one.title for one in advice.findings}
        place = next((text for plan in advice.plans if (text := place_in(plan, finding.id))), "")
        history = self.state.history if self.state else ()
        cause = titles.get(finding.because_of or "")
        series = self._series[1] if self._series[0] == finding.id else ()
        self.query_one(FindingPage).show(finding, cause, place, history, self._outcomes, series)
        self._ask_for_series(finding)

    def _ask_for_series(self, finding: Finding) -> None:
        """How the figures of its evidence developed, now and from time to time."""
        if not self.is_current or self.state is None or self.state.picture is None:
            return
        is_other = self._series[0] != finding.id
        if is_other:
            self._series = (finding.id, ())
            self._series_lately.forget()
        if self._series_lately.due(self.state.picture.node.at):
            self.run_worker(
                self._take_series(finding, REST_SECONDS if is_other else 0.0), group="series", exclusive=True
            )

    async def _take_series(self, finding: Finding, rest_seconds: float) -> None:
        await asyncio.sleep(rest_seconds)
        name = f"advice/{finding.id}/series?{urlencode({'until': finding.last_seen})}"
        try:
            found = await self.ask(name, tuple[EvidenceSeries, ...])
        except Unreachable:  # an older agent keeps them to itself
            return
        if self._series[0] == finding.id and self.state is not None and self.state.picture is not None:
            self._series = (finding.id, found)
            self._show_page(self.state.picture)

    def _show_other(self, advice: AdviceDocument) -> None:
        page, chosen, plan = self.query_one(FindingPage), self._line, self._chosen_plan()
        if plan is not None:
            page.show_plan(plan, {one.id: one.title for one in advice.findings})
        for inconclusive in advice.inconclusive:
            if inconclusive_id(inconclusive) == chosen:
                page.show_need(inconclusive)
        for outcome in self._outcomes.outcomes:
            if outcome_id(outcome) == chosen:
                page.show_outcome(outcome, self._outcomes.scores)


class _Body(ContentSwitcher):
    def compose(self) -> ComposeResult:
        yield Notice(id="quiet")
        with Horizontal(id="split"):
            yield FindingList(id="findings")
            yield FindingPage(id="page")
