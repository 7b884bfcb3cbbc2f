"""What does watching cost?"""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from advisor.documents import ReaderStatus, SelfStatus
from tui import format as fmt
from tui.lines import heading, lines
from tui.palette import BAD, QUIET

_LABEL_WIDTH = 8


class OwnCost(Widget):
    """The agent, its sidecar and its readers since they started, and how late its ticks were. No recording tells it."""

    DEFAULT_CSS = """
    OwnCost { height: auto; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    status: reactive[SelfStatus | None] = reactive(None, layout=True)

    def render(self) -> Content:
        if self.status is None:
            return Content("")
        status, title = self.status, heading("what watching costs")
        if status.replayed:
            return lines([title, Content.styled("not told by a recording", QUIET), _row("ticks", str(status.ticks))])
        rows = [
            title,
            _row("agent", cost(status.cpu_seconds, status.uptime_seconds, status.resident_bytes)),
            _row("sidecar", sidecar(status)),
            *(
                _row(one.name, cost(one.cpu_seconds, status.uptime_seconds, one.resident_bytes))
                for one in running(status)
            ),
            _row("ticks", lateness(status)),
            _row("store", fmt.size(status.store_bytes)),
        ]
        if status.store_problem:
            rows[-1] = _row("store", Content.styled(fmt.plain(status.store_problem), BAD))
        return lines(rows, self.size.width or 80)


def running(status: SelfStatus) -> list[ReaderStatus]:
    """The readers of GPUs that have a process now."""
    return [one for one in status.readers if one.cpu_seconds is not None]


def cost(cpu_seconds: float | None, uptime_seconds: float, resident_bytes: int | None) -> str:
    """Mean share of one core since the start, and memory."""
    if cpu_seconds is None or uptime_seconds <= 0:
        return f"{fmt.UNKNOWN} of a core, {fmt.size(resident_bytes)}"
    return f"{cpu_seconds / uptime_seconds * 100:.2f} % of a core, {fmt.size(resident_bytes)}"


def sidecar(status: SelfStatus) -> str:
    if status.sidecar != "running":
        return status.sidecar or fmt.UNKNOWN
    return cost(status.sidecar_cpu_seconds, status.uptime_seconds, status.sidecar_resident_bytes)


def lateness(status: SelfStatus) -> str:
    if status.ticks is None:
        return fmt.UNKNOWN
    if not status.late_ticks:
        return f"{status.ticks}, none late"
    return f"{status.ticks}, {status.late_ticks} late by at most {fmt.duration(status.worst_late_seconds)}"


def _row(label: str, text: str | Content) -> Content:
    return Content.assemble((f"{label:>{_LABEL_WIDTH}} ", QUIET), text)
