"""What was found, how severe is it, and how sure are we?"""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from advisor.finding import Acknowledgement, Finding
from tui import format as fmt
from tui.lines import clipped, dotted, lines, packed
from tui.palette import QUIET, SEVERITY_COLOURS, STRONG


class FindingHead(Widget):
    """Title, severity, confidence, subject, summary."""

    DEFAULT_CSS = """
    FindingHead { height: auto; }
    """
    finding: reactive[Finding | None] = reactive(None, layout=True)
    cause: reactive[str | None] = reactive(None, layout=True)
    """Title of the finding of which this one is a symptom."""
    place: reactive[str] = reactive("", layout=True)
    """Which step of its service's plan it is."""

    def render(self) -> Content:
        finding = self.finding
        if finding is None:
            return Content("")
        facts = dotted(
            (
                Content.styled(finding.severity.value.upper(), SEVERITY_COLOURS[finding.severity]),
                f"confidence {fmt.percent(finding.confidence)}",
                "" if finding.state == "open" else finding.state,
                Content.styled(fmt.plain(finding.rule), QUIET),
            )
        )
        width = self.size.width or 80
        about = clipped(Content.styled(f"{finding.subject.kind} {fmt.plain(finding.subject.name)}", QUIET), width)
        pids = f"pid {fmt.pids(finding.subject.pids)}" if finding.subject.pids else ""
        seen = f"since {fmt.clock(finding.first_seen)}, last seen {fmt.clock(finding.last_seen)}"
        parts = [
            Content.styled(fmt.plain(finding.title), STRONG),
            facts,
            *packed((about, Content.styled(pids, QUIET)), width),
            Content.styled(seen, QUIET),
        ]
        if finding.acknowledgement is not None:
            parts.append(Content.styled(acknowledged_text(finding.acknowledgement), STRONG))
        if self.cause is not None:
            parts.append(Content.styled(f"a symptom of: {fmt.plain(self.cause)}", STRONG))
        if self.place:
            parts.append(Content.styled(self.place, STRONG))
        return lines([*parts, "", fmt.plain(finding.summary)])


def acknowledged_text(entry: Acknowledgement) -> str:
    """By whom, until when, why."""
    until = f" until {fmt.moment(entry.until)}" if entry.until else ""
    why = f": {fmt.plain(entry.reason)}" if entry.reason else ""
    return f"{entry.state} by {fmt.plain(entry.owner)}{until}{why}"
