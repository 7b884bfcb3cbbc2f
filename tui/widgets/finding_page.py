"""What is everything that is known about the chosen finding?"""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from advisor.documents import FindingEvent
from advisor.finding import Finding, Inconclusive
from tui.widgets.change_list import ChangeList
from tui.widgets.evidence_table import EvidenceTable
from tui.widgets.finding_head import FindingHead
from tui.widgets.gain_chart import GainChart
from tui.widgets.history_list import HistoryList
from tui.widgets.need_page import NeedPage
from tui.widgets.rejected_list import RejectedList


class FindingPage(VerticalScroll):
    """A finding's parts below each other, or what a rule without a conclusion needs."""

    DEFAULT_CSS = """
    FindingPage { padding: 0 1; scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", show=False),
        Binding("k", "scroll_up", show=False),
    ]

    def compose(self) -> ComposeResult:
        yield FindingHead()
        yield ChangeList()
        yield GainChart()
        yield EvidenceTable()
        yield RejectedList()
        yield HistoryList()
        yield NeedPage()

    def show(self, finding: Finding, cause: str | None, history: tuple[FindingEvent, ...]) -> None:
        head, changes = self.query_one(FindingHead), self.query_one(ChangeList)
        if head.finding is None or head.finding.id != finding.id:
            self.scroll_home(animate=False)
        head.finding, head.cause, changes.changes = finding, cause, finding.changes
        self.query_one(GainChart).gains = finding.gains
        self.query_one(EvidenceTable).evidence = finding.evidence
        self.query_one(RejectedList).rejected = finding.rejected
        self.query_one(HistoryList).events = tuple(one for one in history if one.finding == finding.id)
        self._display(finding, None)

    def show_need(self, inconclusive: Inconclusive) -> None:
        self.query_one(NeedPage).inconclusive = inconclusive
        self._display(None, inconclusive)

    def _display(self, finding: Finding | None, inconclusive: Inconclusive | None) -> None:
        self.query_one(NeedPage).display = inconclusive is not None
        self.query_one(FindingHead).display = finding is not None
        self.query_one(EvidenceTable).display = finding is not None
        self.query_one(ChangeList).display = finding is not None and bool(finding.changes)
        self.query_one(GainChart).display = finding is not None and bool(finding.gains)
        self.query_one(RejectedList).display = finding is not None and bool(finding.rejected)
        history = self.query_one(HistoryList)
        history.display = finding is not None and bool(history.events)
