"""What is everything that is known about the chosen process?"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from advisor.documents import ThreadStatus
from tui import format as fmt
from tui.chart import chart, time_axis
from tui.lines import heading
from tui.palette import QUIET
from tui.source import Picture
from tui.widgets.line_view import LineView
from tui.worker_facts import finding_lines, head, limit_lines, missing_lines, setting_lines
from tui.worker_history import SPAN_SECONDS, STEPS, History
from tui.worker_rows import Row
from tui.worker_threads import ThreadMap, thread_map

_MARGIN = 2
_SIDEWAYS = 8
_TALL = 36
"""A page of so many lines has room for charts of several rows."""
_CHART_ROWS = 4
_LEAST_CORES = 0.01
"""To which an axis of cores reaches: two digits tell nothing below it."""
_FINDINGS = 6
"""Of a process or service that many findings mean, where there is room."""
_BLANK = Content("")


class WorkerPage(LineView):
    """Numbers, findings, limits, threads, history and settings. Where there is room the threads stand last; where there is
    little, they come before what can wait. Of a service, all but its threads."""

    DEFAULT_CSS = """
    WorkerPage { border-left: solid $panel-lighten-1; }
    WorkerPage:focus { border-left: solid $primary; }
    .-narrow WorkerPage, .-narrow WorkerPage:focus { border-left: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll_lines(1)", show=False),
        Binding("up,k", "scroll_lines(-1)", show=False),
        Binding("pagedown", "scroll_pages(1)", show=False),
        Binding("pageup", "scroll_pages(-1)", show=False),
        Binding("home", "scroll_ends(0)", show=False),
        Binding("end", "scroll_ends(1)", show=False),
        Binding("right,l", "sideways(1)", show=False),
        Binding("left,h", "sideways(-1)", show=False),
        Binding("right_square_bracket", "section(1)", show=False),
        Binding("left_square_bracket", "section(-1)", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.row: Row | None = None
        self.picture: Picture | None = None
        self.threads: tuple[ThreadStatus, ...] | None = None
        """All of the process; None = not known (yet)."""
        self.history: History | None = None
        self.map: ThreadMap | None = None
        self._above: list[Content] = []
        """All before the threads."""
        self._below: list[Content] = []
        self._sections: list[int] = []
        """Numbers of the lines with which a part begins."""
        self._start = 0

    def show(
        self, row: Row, picture: Picture, threads: tuple[ThreadStatus, ...] | None, history: History | None
    ) -> None:
        """`threads` and `history` None: not known (yet)."""
        if self.row is None or self.row.id != row.id:
            self.scroll_to(y=0, animate=False, immediate=True)
            self._start = 0
        self.row, self.picture, self.threads, self.history = row, picture, threads, history
        self.changed()

    def changed(self) -> None:
        if self.row is not None and self.picture is not None:
            self.map = self._map(self.row, self.picture)
            self._build(self.row, self.picture)
        super().changed()

    def _map(self, row: Row, picture: Picture) -> ThreadMap | None:
        if row.worker is None:
            return None
        width = self.width - _MARGIN
        drawn = thread_map(row.worker, self.threads, picture.node.cores, picture.workers, width)
        return drawn.moved(self._start)

    def line_count(self) -> int:
        return len(self._above) + self._thread_count + len(self._below)

    @property
    def _thread_count(self) -> int:
        return 0 if self.map is None else len(self.map.threads)

    def line(self, index: int) -> Content:
        """Only those of the threads are made anew."""
        thread, below = index - len(self._above), index - len(self._above) - self._thread_count
        if thread < 0:
            return Content.assemble(" ", self._above[index])
        if self.map is not None and below < 0:
            return Content.assemble(" ", self.map.line(thread))
        return Content.assemble(" ", self._below[below]) if below < len(self._below) else Content("")

    def action_scroll_lines(self, by: int) -> None:
        self.scroll_relative(y=by, animate=False, immediate=True)

    def action_scroll_pages(self, by: int) -> None:
        """What stays at the top is no part of a page."""
        height = self.scrollable_content_region.height - len(self.sticky)
        self.action_scroll_lines(by * max(1, height))

    def action_scroll_ends(self, end: int) -> None:
        self.scroll_to(y=end * self.line_count(), animate=False, immediate=True)

    def action_sideways(self, by: int) -> None:
        """Move the map of the CPUs, where it is wider than there is room."""
        if self.map is not None and self.row is not None and self.picture is not None:
            self.map = self.map.moved(by * _SIDEWAYS)
            self._start = self.map.start
            self._build(self.row, self.picture)
            self.refresh()

    def action_section(self, by: int) -> None:
        """To the beginning of the next part, or of the one before."""
        top = self.scroll_offset.y
        later = [line for line in self._sections if line > top]
        earlier = [line for line in self._sections if line < top]
        target = min(later, default=top) if by > 0 else max(earlier, default=0)
        self.scroll_to(y=target, animate=False, immediate=True)

    def _build(self, row: Row, picture: Picture) -> None:
        width, tall = self.width - _MARGIN, self.size.height >= _TALL
        findings = finding_lines(picture.advice.findings, row, width, _FINDINGS if tall else 1)
        first = [*head(row, width), *findings, *missing_lines(row, width)]
        charts, limits = self._charts(row, width), limit_lines(row, picture.node, picture.workers, width)
        settings, threads = setting_lines(row.service, width), [] if self.map is None else self.map.above()
        above = [first, charts, limits, settings, threads] if tall else [[*first, *limits[1:]], threads]
        below = [] if tall else [charts, settings]
        header = [] if self.map is None else self.map.header()
        self._above, starts = _joined(above)
        self._above += header if self.map is not None else [_BLANK]
        self.sticky = range(len(self._above) - len(header), len(self._above))
        self.sticky_end = len(self._above) + self._thread_count
        self._below, later = _joined(below)
        if self._below and self.map is not None:
            self._below.insert(0, _BLANK)
        before = self.line_count() - len(self._below) + (1 if self.map is not None else 0)
        self._sections = [*starts, *(before + start for start in later)]

    def _charts(self, row: Row, width: int) -> list[Content]:
        """Nothing of a service: what is stored is stored by process."""
        if row.worker is None:
            return []
        history = self.history if self.history is not None and self.history.worker == row.id else None
        title = heading(f"last {fmt.duration(SPAN_SECONDS)}")
        if history is None:
            return [title, Content.styled("asked for; the answer is on its way", QUIET)]
        if history.problem is not None:
            text = f"{fmt.plain(history.problem.message)} ({fmt.plain(history.problem.hint)})"
            return [title, *Content.styled(text, QUIET).wrap(width)]
        rows = _CHART_ROWS if self.size.height >= _TALL else 1
        return [
            title,
            *chart("cores", history.cores, fmt.cores, width, rows, least=_LEAST_CORES),
            *chart("waiting", history.waiting, fmt.cores, width, rows, least=_LEAST_CORES),
            *chart("memory", history.resident_bytes, fmt.size, width, rows, from_zero=False),
            time_axis([None] * STEPS, SPAN_SECONDS, width),
        ]


def _joined(parts: Iterable[Sequence[Content]]) -> tuple[list[Content], list[int]]:
    """The lines of the parts that have any, a blank one between two, and the numbers of those with which a part begins."""
    lines: list[Content] = []
    starts = []
    for part in parts:
        if part:
            lines += [_BLANK] if lines else []
            starts.append(len(lines))
            lines += part
    return lines, starts
