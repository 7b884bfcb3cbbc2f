"""How is a thread told in a line: its numbers, and where it may run and ran?"""

from collections.abc import Sequence

import msgspec
from textual.content import Content

from advisor.documents import CoreStatus, ThreadStatus, WorkerStatus
from tui import affinity
from tui import format as fmt
from tui.affinity import CpuColumns
from tui.lines import clipped, heading
from tui.palette import QUIET, STRONG

_HEADER = f"{'tid':>7} {'class':<7} {'cores':>5} {'waiting':>7} {'last':>4} "
LEFT = len(_HEADER)
_NAME_WIDTH = 16
"""The kernel keeps 15 bytes of a thread's name."""
_LEAST_MAP = 8
_APART = "   "
_ENOUGH = 40
"""Of so many columns of a map and more, some give way to names."""


class ThreadMap(msgspec.Struct, frozen=True, kw_only=True):
    """The threads of one process and the CPUs of its node, drawn in `width` cells from column `start` on."""

    threads: tuple[ThreadStatus, ...]
    cores: tuple[CoreStatus, ...]
    columns: CpuColumns
    crowded: frozenset[int]
    online: frozenset[int]
    of: int | None
    """How many threads the process has."""
    width: int
    start: int = 0

    @property
    def room(self) -> int:
        """Cells of the map; names stand at its right where enough of it is left beside them."""
        whole = max(_LEAST_MAP, self.width - LEFT)
        beside = whole - _NAME_WIDTH - 1
        return min(whole if beside < _ENOUGH else beside, self.columns.width)

    @property
    def furthest(self) -> int:
        """To which column it can be moved."""
        return max(0, self.columns.width - self.room)

    @property
    def has_names(self) -> bool:
        return self.width - LEFT - self.room > _NAME_WIDTH // 2

    def moved(self, by: int) -> "ThreadMap":
        return msgspec.structs.replace(self, start=max(0, min(self.furthest, self.start + by)))

    def above(self) -> list[Content]:
        """Heading and what the signs mean; they may be scrolled out."""
        count = len(self.threads)
        title = Content.assemble(heading("threads"), (f" · {count}", QUIET))
        if self.of is not None and count < self.of:
            title = Content.assemble(title, (f" of {self.of}, the busiest", QUIET))
        if self.furthest:
            first, last = self.start + 1, self.start + self.room
            title = Content.assemble(title, (f" · columns {first}–{last} of {self.columns.width}: ←, →", QUIET))
        return [title, *_legend(self.width)]

    def header(self) -> list[Content]:
        """The numbers of the CPUs and how busy each is; they stay in sight."""
        rows = self.columns.header(self.start, self.room)
        left = [Content(" " * LEFT)] * (len(rows) - 1) + [Content.styled(_HEADER, QUIET)]
        name = Content.styled(" name", QUIET) if self.has_names else Content("")
        lines = [Content.assemble(label, row) for label, row in zip(left, rows, strict=True)]
        busy = self.columns.line(affinity.busy_marks(self.cores, self.columns), self.start, self.room)
        label = "busy with anything"
        return [
            *lines[:-1],
            Content.assemble(lines[-1], name),
            Content.assemble((f"{label:>{LEFT - 1}} ", QUIET), busy),
        ]

    def line(self, index: int) -> Content:
        thread = self.threads[index]
        last = fmt.UNKNOWN if thread.last_cpu is None else str(thread.last_cpu)
        numbers = (
            f"{thread.tid:>7} {fmt.plain(thread.thread_class):<7.7} {fmt.cores(thread.cores_used):>5} "
            f"{fmt.cores(thread.waiting_cores):>7} {last:>4} "
        )
        style = "" if affinity.runnable(thread) >= affinity.ACTIVE_CORES else QUIET
        marks = affinity.marks(thread, self.columns, self.crowded, self.online)
        line = Content.assemble((numbers, style), self.columns.line(marks, self.start, self.room))
        if not self.has_names:
            return line
        name = clipped(Content.styled(fmt.plain(thread.name), style or STRONG), self.width - LEFT - self.room - 1)
        return Content.assemble(line, " ", name)


def _legend(width: int) -> list[Content]:
    """What the signs mean, on as many lines as that needs; no dots between them, as one of the signs is a dot."""
    rows: list[str] = []
    for part in affinity.LEGEND:
        if rows and len(rows[-1]) + len(_APART) + len(part) <= width:
            rows[-1] += _APART + part
        else:
            rows.append(part)
    return [Content.styled(row, QUIET) for row in rows]


def thread_map(
    worker: WorkerStatus,
    threads: Sequence[ThreadStatus] | None,
    cores: tuple[CoreStatus, ...],
    workers: Sequence[WorkerStatus],
    width: int,
) -> ThreadMap:
    """`threads` None: all are not known, the busiest stand for them."""
    shown = tuple(worker.busiest if threads is None else threads)
    columns = affinity.cpu_columns(cores, shown, max(_LEAST_MAP, width - LEFT))
    online = frozenset(columns.cpus)
    crowded = affinity.crowded_cpus(affinity.with_others(shown, worker.pid, workers), online)
    return ThreadMap(
        threads=shown, cores=cores, columns=columns, crowded=crowded, online=online, of=worker.threads, width=width
    )
