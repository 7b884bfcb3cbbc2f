"""Which plans and findings are there, what to act on first at the top, what could not be concluded, and what was changed?"""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets.option_list import Option

from advisor.documents import AdviceDocument
from advisor.finding import Finding, Inconclusive
from advisor.ledger.outcome import Outcome
from advisor.plan import Plan
from tui import format as fmt
from tui.lines import lines
from tui.palette import GOOD, QUIET, SEVERITY_COLOURS, STRONG
from tui.widgets.kept_list import KeptList
from tui.widgets.outcome_list import changes_text, state_text

SHOWN_OUTCOMES = 8
_WORD_WIDTH = 8


class FindingList(KeptList):
    """Two lines a plan of several steps, then a finding; below them, the rules that could not tell, and changes that were
    made."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select", "Read", key_display="enter")]

    def show(self, advice: AdviceDocument, outcomes: Sequence[Outcome] = ()) -> None:
        """Replace the lines; the highlight stays on the same finding."""
        prompts = {plan_id(plan): plan_prompt(plan) for plan in plans(advice)}
        prompts |= {finding.id: finding_prompt(finding) for finding in ranked(advice.findings)}
        prompts |= {inconclusive_id(one): inconclusive_prompt(one) for one in advice.inconclusive}
        prompts |= {outcome_id(one): outcome_prompt(one) for one in outcomes[:SHOWN_OUTCOMES]}
        self.put(Option(prompt, id=name) for name, prompt in prompts.items())


def plans(advice: AdviceDocument) -> list[Plan]:
    """Those of several steps: one step is its finding."""
    return [plan for plan in advice.plans if len(plan.steps) > 1]


def ranked(findings: Sequence[Finding]) -> list[Finding]:
    """Open before the rest, the severest first, within a service by rank."""
    return sorted(findings, key=lambda f: (f.state != "open", -f.severity.level, f.rank, f.subject.name, f.rule))


def inconclusive_id(one: Inconclusive) -> str:
    return f"inconclusive/{one.rule}/{one.subject.kind}/{one.subject.name}"


def finding_prompt(finding: Finding) -> Content:
    """Of which service and how urgent; below it what it is, which has the whole line."""
    is_open = finding.state == "open"
    colour, state = (SEVERITY_COLOURS[finding.severity], "") if is_open else (QUIET, f"{finding.state}, ")
    word = f"{finding.severity.value.upper():<{_WORD_WIDTH}}"
    first = Content.assemble((word, colour), (f" #{finding.rank} {state}{fmt.plain(finding.subject.name)}", QUIET))
    return lines([first, Content.styled(f"  {fmt.plain(finding.title)}", STRONG if is_open else QUIET)])


def inconclusive_prompt(one: Inconclusive) -> Content:
    first = Content.assemble((f"{'?':<{_WORD_WIDTH}} ", QUIET), fmt.plain(one.rule))
    return lines([first, Content.styled(f"{'':<{_WORD_WIDTH}} {fmt.plain(one.subject.name)}", QUIET)])


def plan_id(plan: Plan) -> str:
    return f"plan/{plan.service}"


def plan_prompt(plan: Plan) -> Content:
    gain = next(iter(plan.total), None)
    worth = "" if gain is None else f": {fmt.gain_name(gain)} {fmt.times(gain.p50)}"
    first = Content.assemble((f"{'PLAN':<{_WORD_WIDTH}} ", GOOD), (f"{len(plan.steps)} steps{worth}", STRONG))
    return lines([first, Content.styled(f"{'':<{_WORD_WIDTH}} {fmt.plain(plan.service)}", QUIET)])


def outcome_id(outcome: Outcome) -> str:
    return f"outcome/{outcome.id}"


def outcome_prompt(outcome: Outcome) -> Content:
    first = Content.assemble((f"{'CHANGED':<{_WORD_WIDTH}} ", QUIET), changes_text(outcome))
    state = Content.assemble(f"{'':<{_WORD_WIDTH}} ", state_text(outcome), (f" {fmt.plain(outcome.service)}", QUIET))
    return lines([first, state])
