"""How is each service, in three lines: its name and state, its verdict, its numbers?"""

from textual.content import Content
from textual.widgets.option_list import Option

from advisor.documents import ServiceStatus
from tui import format as fmt
from tui.lines import dotted, lines
from tui.palette import GOOD, QUIET, STRONG
from tui.widgets.kept_list import KeptList

_STATES = {"loaded": ("●", GOOD), "idle": ("○", QUIET), "starting": ("◌", QUIET)}


class ServiceList(KeptList):
    """The services; the highlighted one is the subject of the worker table and of `enter`."""

    def show(self, services: tuple[ServiceStatus, ...]) -> None:
        """Replace the lines; the highlight stays on the same service."""
        self.put(Option(prompt(service), id=service.id) for service in services)


def prompt(service: ServiceStatus) -> Content:
    sign, colour = _STATES.get(service.state, ("?", QUIET))
    state = (f"  {fmt.plain(service.state)}", QUIET)
    name = Content.assemble((f"{sign} ", colour), (fmt.plain(service.name), STRONG), state)
    return lines([name, f"  {fmt.plain(service.verdict)}", Content.assemble("  ", numbers(service))])


def numbers(service: ServiceStatus) -> Content:
    """Cores and waiting always; of the rest what could be read."""
    parts = [
        fmt.count(service.workers, "worker"),
        f"{fmt.cores(service.cores_used)} of {fmt.cores(service.usable_cores)} cores",
        f"{fmt.cores(service.waiting_cores)} waiting",
    ]
    if service.gpus:
        parts.append(f"VRAM {fmt.vram(service.gpu_memory_bytes)}")
    if service.requests_per_second is not None:
        parts.append(fmt.rate(service.requests_per_second))
    if service.accept_queue:
        parts.append(f"{fmt.number(service.accept_queue)} queued")
    if service.server_queue:
        parts.append(f"{fmt.number(service.server_queue)} queued inside")
    if service.latency_p50_seconds is not None:
        parts.append(f"p50 {fmt.duration(service.latency_p50_seconds)}")
    elif service.latency_seconds is not None:
        parts.append(fmt.duration(service.latency_seconds))
    if service.latency_p99_seconds is not None:
        parts.append(f"p99 {fmt.duration(service.latency_p99_seconds)}")
    if service.capacity is not None and service.capacity.utilisation_at_peak is not None:
        parts.append(f"peak at {fmt.percent(service.capacity.utilisation_at_peak)}")
    if service.cost is not None and service.cost.per_1000_requests is not None:
        parts.append(f"{fmt.number(service.cost.per_1000_requests)} {fmt.plain(service.cost.currency)}/1000")
    return dotted(Content.styled(part, QUIET) for part in parts)
