"""How is each service, in three lines: its name and state, its verdict, its numbers?"""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from advisor.documents import ServiceStatus
from tui import format as fmt
from tui.lines import dotted, lines
from tui.palette import GOOD, QUIET, STRONG

_STATES = {"loaded": ("●", GOOD), "idle": ("○", QUIET), "starting": ("◌", QUIET)}


class ServiceList(OptionList):
    """The services; the highlighted one is the subject of the worker table and of `enter`."""

    DEFAULT_CSS = """
    ServiceList {
        border: none; background: $background; padding: 0; scrollbar-size-vertical: 1;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    ServiceList:focus { border: none; background: $background; }
    ServiceList > .option-list--option { padding: 0 1; }
    ServiceList > .option-list--option-highlighted { background: $boost; color: $foreground; text-style: none; }
    ServiceList:focus > .option-list--option-highlighted { background: #2b3d55; color: $foreground; text-style: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
    ]

    def show(self, services: tuple[ServiceStatus, ...]) -> None:
        """Replace the lines; the highlight stays on the same service."""
        ids = [option.id for option in self.options]
        if ids == [service.id for service in services]:
            for index, service in enumerate(services):
                self.replace_option_prompt_at_index(index, prompt(service))
            return
        chosen = self.chosen
        self.set_options(Option(prompt(service), id=service.id) for service in services)
        names = [service.id for service in services]
        self.highlighted = names.index(chosen) if chosen in names else 0 if names else None

    @property
    def chosen(self) -> str | None:
        """Id of the highlighted service."""
        return None if self.highlighted is None else self.get_option_at_index(self.highlighted).id


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
        parts.append(f"{service.cost.per_1000_requests:.3g} {fmt.plain(service.cost.currency)}/1000")
    return dotted(Content.styled(part, QUIET) for part in parts)
