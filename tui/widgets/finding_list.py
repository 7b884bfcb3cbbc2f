"""Which findings are there, the one to act on first at the top, and what could not be concluded?"""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from advisor.documents import AdviceDocument
from advisor.finding import Finding, Inconclusive
from tui import format as fmt
from tui.lines import lines
from tui.palette import QUIET, SEVERITY_COLOURS, STRONG

_WORD_WIDTH = 8


class FindingList(OptionList):
    """Two lines a finding; below them, the rules that could not tell."""

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

    def show(self, advice: AdviceDocument) -> None:
        """Replace the lines; the highlight stays on the same finding."""
        options = [Option(finding_prompt(finding), id=finding.id) for finding in ranked(advice.findings)]
        options += [Option(inconclusive_prompt(one), id=inconclusive_id(one)) for one in advice.inconclusive]
        ids = [option.id for option in options]
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
