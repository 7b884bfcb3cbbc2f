"""How is each service, in three lines: its name and state, its verdict, its numbers?"""

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets.option_list import Option

from advisor.documents import ServiceStatus
from advisor.finding import Finding
from tui import format as fmt
from tui.lines import DOT, clipped, dotted, lines
from tui.palette import GOOD, QUIET, SEVERITY_COLOURS, STRONG
from tui.source import Picture
from tui.widgets.kept_list import KeptList
from tui.worker_rows import top_findings

_STATES = {"loaded": ("●", GOOD), "idle": ("○", QUIET), "starting": ("◌", QUIET)}


class ServiceList(KeptList):
    """The services; the highlighted one is the subject of the worker table and of `enter`."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select", "Advice", key_display="enter")]
    _services: Sequence[tuple[ServiceStatus, Finding | None]] = ()

    def show(self, picture: Picture) -> None:
        """Replace the lines; the highlight stays on the same service."""
        self._services = by_need(picture)
        self._write()

    def on_resize(self) -> None:
        self._write()

    def _write(self) -> None:
        self.put(Option(prompt(one, finding, self.line_width), id=one.id) for one, finding in self._services)


def by_need(picture: Picture) -> list[tuple[ServiceStatus, Finding | None]]:
    """Those with the severest finding first, each with its finding to act on first; else as the agent has them."""
    of_service, _ = top_findings(picture)
    found = [(service, of_service.get(service.name)) for service in picture.services]
    return sorted(found, key=lambda pair: 0 if pair[1] is None else -pair[1].severity.level)


def prompt(service: ServiceStatus, finding: Finding | None, width: int) -> Content:
    """What is at the end of the first line is told whole, so that a long name gives way."""
    sign, colour = _STATES.get(service.state, ("?", QUIET))
    end = Content.styled(f"  {fmt.plain(service.state)}", QUIET)
    if finding is not None:
        end = Content.assemble(end, "  ", (finding.severity.value.upper(), SEVERITY_COLOURS[finding.severity]))
    room = max(8, width - 2 - end.cell_length)
    name = Content.assemble((f"{sign} ", colour), clipped(Content.styled(fmt.plain(service.name), STRONG), room), end)
    return lines([name, f"  {fmt.plain(service.verdict)}", Content.assemble("  ", numbers(service, width - 2))])


def numbers(service: ServiceStatus, width: int) -> Content:
    """What could be read and has room, what matters most first chosen; each stands at its place, and none is cut."""
    told = list(_told(service))
    room, kept = width, list[int]()
    for number in sorted(range(len(told)), key=lambda number: told[number][0]):
        needed = len(told[number][1]) + (len(DOT) if kept else 0)
        if needed <= room:
            kept.append(number)
            room -= needed
    return dotted(Content.styled(told[number][1], QUIET) for number in sorted(kept))


def _told(service: ServiceStatus) -> Iterator[tuple[int, str]]:
    """In the order in which they stand, each with its rank: the higher it is, the earlier it gives way."""
    yield 6, fmt.count(service.workers, "worker")
    yield 0, f"{fmt.cores(service.cores_used)} of {usable(service)} cores"
    yield 1, f"{fmt.cores(service.waiting_cores)} waiting"
    if service.gpus:
        yield 4, f"VRAM {fmt.vram(service.gpu_memory_bytes)}"
    if service.requests_per_second is not None:
        yield 2, fmt.rate(service.requests_per_second)
    if service.accept_queue:
        yield 5, f"{fmt.number(service.accept_queue)} queued"
    if service.server_queue:
        yield 7, f"{fmt.number(service.server_queue)} queued inside"
    if service.latency_p50_seconds is not None:
        yield 9, f"p50 {fmt.duration(service.latency_p50_seconds)}"
    elif service.latency_seconds is not None:
        yield 3, fmt.duration(service.latency_seconds)
    if service.latency_p99_seconds is not None:
        yield 3, f"p99 {fmt.duration(service.latency_p99_seconds)}"
    if service.capacity is not None and service.capacity.utilisation_at_peak is not None:
        yield 8, f"peak at {fmt.percent(service.capacity.utilisation_at_peak)}"
    if service.cost is not None and service.cost.per_1000_requests is not None:
        yield 10, f"{fmt.number(service.cost.per_1000_requests)} {fmt.plain(service.cost.currency)}/1000"


def usable(service: ServiceStatus) -> str:
    """To the same hundredth as those that are used; without what says nothing where it is whole."""
    return fmt.UNKNOWN if service.usable_cores is None else fmt.number(round(service.usable_cores, 2), 5)
