"""What is everything that is known about the chosen finding, plan, or change that was made?"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget

from advisor.documents import FindingEvent, OutcomesDocument
from advisor.finding import Finding, Inconclusive
from advisor.ledger.outcome import Outcome
from advisor.ledger.scores import Score
from advisor.plan import Plan
from advisor.series import EvidenceSeries
from tui.evidence_chart import plots
from tui.widgets.change_list import ChangeList
from tui.widgets.evidence_charts import EvidenceCharts
from tui.widgets.evidence_table import EvidenceTable
from tui.widgets.finding_head import FindingHead
from tui.widgets.gain_chart import GainChart
from tui.widgets.history_list import HistoryList
from tui.widgets.need_page import NeedPage
from tui.widgets.outcome_list import OutcomeList, of_finding
from tui.widgets.plan_page import PlanPage
from tui.widgets.rejected_list import RejectedList


class FindingPage(VerticalScroll):
    """A finding's parts below each other, or one of: a plan, what came of a change, what a rule without a conclusion needs."""

    DEFAULT_CSS = """
    FindingPage { padding: 0 1; scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", show=False),
        Binding("k", "scroll_up", show=False),
    ]

    _subject: str | None = None

    def compose(self) -> ComposeResult:
        yield FindingHead()
        yield ChangeList()
        yield GainChart()
        yield EvidenceTable()
        yield EvidenceCharts()
        yield RejectedList()
        yield OutcomeList()
        yield HistoryList()
        yield NeedPage()
        yield PlanPage()

    def show(
        self, finding: Finding, cause: str | None, place: str, history: tuple[FindingEvent, ...],
        outcomes: OutcomesDocument, series: Sequence[EvidenceSeries] = (),
    ) -> None:  # fmt: skip
        """`cause`: title of the finding of which it is a symptom; `place`: in its service's plan; `series`: of its evidence."""
        self._turn_to(finding.id)
        head, changes, came = self.query_one(FindingHead), self.query_one(ChangeList), self.query_one(OutcomeList)
        head.finding, head.cause, head.place, changes.changes = finding, cause, place, finding.changes
        self.query_one(GainChart).gains = finding.gains
        self.query_one(EvidenceTable).evidence = finding.evidence
        self.query_one(EvidenceCharts).plots = tuple(plots(finding.evidence, series))
        self.query_one(RejectedList).rejected = finding.rejected
        self.query_one(HistoryList).events = tuple(one for one in history if one.finding == finding.id)
        came.finding, came.outcomes = finding.id, of_finding(outcomes.outcomes, finding.id)
        came.scores = tuple(one for one in outcomes.scores if one.rule == finding.rule)
        self._display(finding, came if came.outcomes or came.scores else None)

    def show_need(self, inconclusive: Inconclusive) -> None:
        self._turn_to(f"{inconclusive.rule} {inconclusive.subject.identity}")
        page = self.query_one(NeedPage)
        page.inconclusive = inconclusive
        self._display(None, page)

    def show_plan(self, plan: Plan, titles: Mapping[str, str]) -> None:
        """`titles`: of the findings, by id."""
        self._turn_to(f"plan {plan.service}")
        page = self.query_one(PlanPage)
        page.plan, page.titles = plan, titles
        self._display(None, page)

    def show_outcome(self, outcome: Outcome, scores: tuple[Score, ...]) -> None:
        """`scores`: of all rules."""
        self._turn_to(f"outcome {outcome.id}")
        rules, came = {promise.rule for promise in outcome.promises}, self.query_one(OutcomeList)
        came.finding, came.outcomes = None, (outcome,)
        came.scores = tuple(one for one in scores if one.rule in rules)
        self._display(None, came)

    def _turn_to(self, subject: str) -> None:
        """Of another subject the page is seen from its top."""
        if subject != self._subject:
            self._subject = subject
            self.scroll_home(animate=False)

    def _display(self, finding: Finding | None, beside: Widget | None) -> None:
        """The parts of a finding that have something to say, and what stands beside or instead of them."""
        for part in (self.query_one(kind) for kind in (NeedPage, PlanPage, OutcomeList)):
            part.display = part is beside
        self.query_one(FindingHead).display = finding is not None
        self.query_one(EvidenceTable).display = finding is not None
        self.query_one(ChangeList).display = finding is not None and bool(finding.changes)
        self.query_one(GainChart).display = finding is not None and bool(finding.gains)
        self.query_one(RejectedList).display = finding is not None and bool(finding.rejected)
        charts, history = self.query_one(EvidenceCharts), self.query_one(HistoryList)
        charts.display = finding is not None and bool(charts.plots)
        history.display = finding is not None and bool(history.events)
