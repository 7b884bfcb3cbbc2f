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
    is_open = finding.state == "open"
    colour, state = (SEVERITY_COLOURS[finding.severity], "") if is_open else (QUIET, f"{finding.state}, ")
    about = f"#{finding.rank} {state}{fmt.plain(finding.subject.name)}"
    return _two_lines(
        finding.severity.value.upper(), colour, about, (fmt.plain(finding.title), STRONG if is_open else QUIET)
    )


def inconclusive_prompt(one: Inconclusive) -> Content:
    return _two_lines("?", QUIET, fmt.plain(one.subject.name), fmt.plain(one.rule))


def plan_id(plan: Plan) -> str:
    return f"plan/{plan.service}"


def plan_prompt(plan: Plan) -> Content:
    gain = next(iter(plan.total), None)
    worth = "" if gain is None else f": {fmt.gain_name(gain)} {fmt.times(gain.p50)}"
    return _two_lines("PLAN", GOOD, fmt.plain(plan.service), (f"{len(plan.steps)} steps{worth}", STRONG))


def outcome_id(outcome: Outcome) -> str:
    return f"outcome/{outcome.id}"


def outcome_prompt(outcome: Outcome) -> Content:
    about = Content.assemble(state_text(outcome), (f" {fmt.plain(outcome.service)}", QUIET))
    return _two_lines("CHANGED", QUIET, about, changes_text(outcome))


def _two_lines(word: str, colour: str, about: Content | str, what: Content | str | tuple[str, str]) -> Content:
    """What kind of line it is and of whom; below it, over the whole width, what there is to say."""
    told = Content.styled(about, QUIET) if isinstance(about, str) else about
    first = Content.assemble((f"{word:<{_WORD_WIDTH}}", colour), " ", told)
    return lines([first, Content.assemble("  ", what)])
