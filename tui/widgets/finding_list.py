"""Which plans and findings are there, what to act on first at the top, what could not be concluded, and what was changed?"""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from advisor.documents import AdviceDocument
from advisor.finding import Finding, Inconclusive
from advisor.ledger.outcome import Outcome
from advisor.plan import Plan
from tui import format as fmt
from tui.lines import lines
from tui.palette import GOOD, QUIET, SEVERITY_COLOURS, STRONG
from tui.widgets.outcome_list import changes_text, state_text

SHOWN_OUTCOMES = 8
_WORD_WIDTH = 8


class FindingList(OptionList):
    """Two lines a plan of several steps, then a finding; below them, the rules that could not tell, and changes that were
    made."""

    DEFAULT_CSS = """
    FindingList {
        border: none; background: $background; padding: 0; scrollbar-size-vertical: 1;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    FindingList:focus { border: none; background: $background; }
    FindingList > .option-list--option { padding: 0 1; }
    FindingList > .option-list--option-highlighted { background: $boost; color: $foreground; text-style: none; }
    FindingList:focus > .option-list--option-highlighted { background: #2b3d55; color: $foreground; text-style: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
    ]

    def show(self, advice: AdviceDocument, outcomes: Sequence[Outcome] = ()) -> None:
        """Replace the lines; the highlight stays on the same finding."""
        prompts = {plan_id(plan): plan_prompt(plan) for plan in plans(advice)}
        prompts |= {finding.id: finding_prompt(finding) for finding in ranked(advice.findings)}
        prompts |= {inconclusive_id(one): inconclusive_prompt(one) for one in advice.inconclusive}
        prompts |= {outcome_id(one): outcome_prompt(one) for one in outcomes[:SHOWN_OUTCOMES]}
        options = [Option(prompt, id=name) for name, prompt in prompts.items()]
        ids = list(prompts)
        if ids == [option.id for option in self.options]:
            for index, option in enumerate(options):
                self.replace_option_prompt_at_index(index, option.prompt)
            return
        chosen = self.chosen
        self.set_options(options)
        self.highlighted = ids.index(chosen) if chosen in ids else 0 if ids else None

    @property
    def chosen(self) -> str | None:
        """Id of the highlighted line."""
        return None if self.highlighted is None else self.get_option_at_index(self.highlighted).id

    def choose(self, id_of_line: str) -> None:
        if id_of_line in [option.id for option in self.options]:
            self.highlighted = self.get_option_index(id_of_line)


def plans(advice: AdviceDocument) -> list[Plan]:
    """Those of several steps: one step is its finding."""
    return [plan for plan in advice.plans if len(plan.steps) > 1]


def ranked(findings: Sequence[Finding]) -> list[Finding]:
    """Open before the rest, the severest first, within a service by rank."""
    return sorted(findings, key=lambda f: (f.state != "open", -f.severity.level, f.rank, f.subject.name, f.rule))


def inconclusive_id(one: Inconclusive) -> str:
    return f"inconclusive/{one.rule}/{one.subject.kind}/{one.subject.name}"


def finding_prompt(finding: Finding) -> Content:
    word = f"{finding.severity.value.upper():<{_WORD_WIDTH}} "
    by = f" by {fmt.plain(finding.acknowledgement.owner)}" if finding.acknowledgement is not None else ""
    about = fmt.plain(finding.subject.name) + ("" if finding.state == "open" else f", {finding.state}{by}")
    colour = SEVERITY_COLOURS[finding.severity] if finding.state == "open" else QUIET
    title = (fmt.plain(finding.title), STRONG if finding.state == "open" else QUIET)
    rank = f"#{finding.rank}"
    second = Content.styled(f"{rank:>{_WORD_WIDTH}} {about}", QUIET)
    return lines([Content.assemble((word.rstrip(), colour), " " * (len(word) - len(word.rstrip())), title), second])


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
