"""What do the processes of one service do?"""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from advisor.documents import ServiceStatus, WorkerStatus
from tui import format as fmt
from tui.lines import columns, dotted, heading, lines
from tui.palette import QUIET

_HEADER = ("pid", "role", "slot", "cores", "waiting", "memory")
_HEADER_END = ("threads", "active", "may run on", "command")
_RIGHT = frozenset({0, 2, 3, 4, 5, 6, 7})
_RIGHT_WITH_VRAM = _RIGHT | {8}
_AT_MOST = 32


class WorkerTable(Widget):
    """The highlighted service's settings and its processes."""

    DEFAULT_CSS = """
    WorkerTable { height: auto; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    service: reactive[ServiceStatus | None] = reactive(None, layout=True)
    processes: reactive[tuple[WorkerStatus, ...]] = reactive((), layout=True)
    on_gpus: reactive[frozenset[int]] = reactive(frozenset(), layout=True)
    """Processes of this node that are on a device."""

    def render(self) -> Content:
        if self.service is None:
            return Content("")
        name = Content.assemble(heading("processes of "), heading(fmt.plain(self.service.name)))
        table = self._table(self.service)
        rest = len(self.processes) - _AT_MOST
        more = [Content.styled(f"and {rest} more", QUIET)] if rest > 0 else []
        return lines([name, settings(self.service), table, *more, *missing(self.processes)], self.size.width or 80)

    def _table(self, service: ServiceStatus) -> Content:
        shown = self.processes[:_AT_MOST]
        if not service.gpus:
            return columns((*_HEADER, *_HEADER_END), [row(worker) for worker in shown], _RIGHT)
        rows = [row(worker, vram_text(worker, self.on_gpus)) for worker in shown]
        return columns((*_HEADER, "VRAM", *_HEADER_END), rows, _RIGHT_WITH_VRAM)


def row(worker: WorkerStatus, *vram: str) -> tuple[str, ...]:
    return (
        str(worker.pid),
        worker.role,
        str(worker.slot),
        fmt.cores(worker.cores_used),
        fmt.cores(worker.waiting_cores),
        fmt.size(worker.resident_bytes),
        *vram,
        fmt.UNKNOWN if worker.threads is None else str(worker.threads),
        fmt.UNKNOWN if worker.active_threads is None else str(worker.active_threads),
        fmt.UNKNOWN if worker.allowed_cpus is None else fmt.plain(worker.allowed_cpus),
        fmt.command_line(worker.command),
    )


def vram_text(worker: WorkerStatus, on_gpus: frozenset[int]) -> str:
    """Nothing for a process that is on no device."""
    return fmt.vram(worker.gpu_memory_bytes) if worker.pid in on_gpus or worker.gpu_memory_bytes is not None else ""


def settings(service: ServiceStatus) -> Content:
    """Every known lever with its value and where that comes from."""
    parts = (
        f"{fmt.metric_name(setting.lever)} {fmt.value(setting.value)} ({fmt.plain(setting.origin)})"
        for setting in service.settings
    )
    owner = f"{fmt.plain(service.manager)}: {fmt.plain(service.owner)}" if service.owner else fmt.plain(service.manager)
    return dotted(Content.styled(part, QUIET) for part in (owner, *parts))


def missing(workers: tuple[WorkerStatus, ...]) -> list[Content]:
    """What could not be read, each reason once, with the processes that it holds for."""
    pids: dict[str, list[int]] = {}
    for worker in workers:
        for reason in worker.missing:
            pids.setdefault(reason, []).append(worker.pid)
    return [Content.styled(f"{fmt.plain(reason)}: pid {fmt.pids(of)}", QUIET) for reason, of in pids.items()]
