"""Which processes are on a device, how much of its memory has each, and whose are they?"""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from advisor.documents import GpuProcessStatus, GpuStatus
from tui import format as fmt
from tui.lines import columns, dotted, heading, lines
from tui.palette import QUIET

_HEADER = ("pid", "service", "slot", "context", "VRAM", "SM share")
_RIGHT = frozenset({0, 2, 4, 5})
_SERVICE = 1
_AT_MOST = 32
_NOT_LISTED = "this device does not list its processes"


class GpuProcessTable(Widget):
    """One row a process, the largest first; those of which the driver tells no memory last."""

    DEFAULT_CSS = """
    GpuProcessTable { height: auto; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    gpu: reactive[GpuStatus | None] = reactive(None, layout=True)

    def render(self) -> Content:
        if self.gpu is None:
            return Content("")
        processes = sorted(self.gpu.processes, key=lambda p: (p.memory_bytes is None, -(p.memory_bytes or 0), p.pid))
        told = lines([head(self.gpu)])
        if not processes:
            return told
        table = columns(_HEADER, [row(one) for one in processes[:_AT_MOST]], _RIGHT, self.size.width or None, _SERVICE)
        rest = len(processes) - _AT_MOST
        return lines([told, table, *([Content.styled(f"and {rest} more", QUIET)] if rest > 0 else [])])


def head(gpu: GpuStatus) -> Content:
    """How many there are, and what the list does not tell."""
    parts = ["none" if not gpu.processes and gpu.unknown_processes is not None else ""]
    if gpu.unknown_processes is None:
        parts = [_NOT_LISTED]
    return dotted((heading("processes"), *(Content.styled(part, QUIET) for part in parts)))


def row(process: GpuProcessStatus) -> tuple[Content | str, ...]:
    return (
        str(process.pid),
        whose(process),
        "" if process.slot is None else str(process.slot),
        fmt.plain("+".join(process.contexts)) or fmt.UNKNOWN,
        fmt.vram(process.memory_bytes),
        fmt.percent(process.sm_ratio),
    )


def whose(process: GpuProcessStatus) -> Content:
    """Its service; a number that the driver gave may be that of a process which nobody here can see."""
    if process.service is not None:
        return Content(fmt.plain(process.service))
    return Content.styled("no known service" if process.joined else "not of this PID namespace", QUIET)
