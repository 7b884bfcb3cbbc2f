"""Which threads of one service are busy, and where do they run?"""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from advisor.documents import ThreadStatus, WorkerStatus
from tui import format as fmt
from tui.lines import columns, heading, lines

_HEADER = ("pid", "tid", "class", "cores", "waiting", "last on", "may run on", "state", "name")
_RIGHT = frozenset({0, 1, 3, 4, 5})
_AT_MOST = 12


class ThreadTable(Widget):
    """The busiest threads of the given processes."""

    DEFAULT_CSS = """
    ThreadTable { height: auto; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    processes: reactive[tuple[WorkerStatus, ...]] = reactive((), layout=True)

    def render(self) -> Content:
        busy = sorted(
            ((worker.pid, thread) for worker in self.processes for thread in worker.busiest),
            key=lambda pair: (-(pair[1].cores_used or 0.0) - (pair[1].waiting_cores or 0.0), pair[0], pair[1].tid),
        )
        table = columns(_HEADER, [row(*pair) for pair in busy[:_AT_MOST]], _RIGHT)
        return lines([heading("busiest threads"), table], self.size.width or 80)


def row(pid: int, thread: ThreadStatus) -> tuple[str, ...]:
    return (
        str(pid),
        str(thread.tid),
        thread.thread_class,
        fmt.cores(thread.cores_used),
        fmt.cores(thread.waiting_cores),
        fmt.UNKNOWN if thread.last_cpu is None else f"cpu {thread.last_cpu}",
        fmt.UNKNOWN if thread.allowed_cpus is None else fmt.plain(thread.allowed_cpus),
        fmt.plain(thread.state),
        fmt.plain(thread.name),
    )
