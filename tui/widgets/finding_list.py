"""Which findings are there, the one to act on first at the top, and what could not be concluded?"""

from collections.abc import Sequence

from textual.content import Content
from textual.widgets.option_list import Option

from advisor.documents import AdviceDocument
from advisor.finding import Finding, Inconclusive
from tui import format as fmt
from tui.lines import lines
from tui.palette import QUIET, SEVERITY_COLOURS, STRONG
from tui.widgets.kept_list import KeptList

_WORD_WIDTH = 8


class FindingList(KeptList):
    """Two lines a finding; below them, the rules that could not tell."""

    def show(self, advice: AdviceDocument) -> None:
        """Replace the lines; the highlight stays on the same finding."""
        options = [Option(finding_prompt(finding), id=finding.id) for finding in ranked(advice.findings)]
        self.put(
            [*options, *(Option(inconclusive_prompt(one), id=inconclusive_id(one)) for one in advice.inconclusive)]
        )


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
