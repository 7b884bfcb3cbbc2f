"""How is the node: its services, its cores, its memory, and what watching costs?"""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.widget import Widget
from textual.widgets import OptionList

from advisor.documents import ServiceStatus
from tui.gpus import pids_on
from tui.messages import AdviceWanted, WorkersWanted
from tui.screens.base import StateScreen
from tui.source import Picture
from tui.widgets.core_strip import CoreStrip
from tui.widgets.gpu_block import GpuBlock
from tui.widgets.meters import Meters
from tui.widgets.own_cost import OwnCost
from tui.widgets.service_list import ServiceList
from tui.widgets.thread_table import ThreadTable
from tui.widgets.unreadable_list import UnreadableList
from tui.widgets.worker_table import WorkerTable


class OverviewScreen(StateScreen):
    """Services at the top, the node below, its GPUs first; where there is room, the processes and threads of the chosen
    service."""

    NAME, LETTER, LABEL = "overview", "o", "Overview"
    KEYS = (
        ("J, K", "scroll what is below the services"),
        ("enter", "to the advice for the service"),
        ("w", "to its processes"),
    )
    DEFAULT_CSS = """
    OverviewScreen #services { height: auto; max-height: 50%; }
    OverviewScreen #node { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    OverviewScreen #machine { height: auto; }
    OverviewScreen #machine > Vertical { height: auto; width: 1fr; }
    OverviewScreen.-wide #machine { layout: horizontal; }
    OverviewScreen.-wide #machine > Vertical { margin: 0 2 0 0; }
    OverviewScreen.-tall .part { margin: 1 0 0 0; }
    OverviewScreen.-short .roomy { display: none; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("J", "scroll_node(1)", show=False),
        Binding("K", "scroll_node(-1)", show=False),
        Binding("w", "workers", "Processes"),
    ]

    def body(self) -> Widget:
        return _Body(id="body")

    def show(self, picture: Picture) -> None:
        self.query_one(ServiceList).show(picture)
        self.query_one(GpuBlock).node = picture.node
        self.query_one(CoreStrip).cores = picture.node.cores
        self.query_one(Meters).node = picture.node
        self.query_one(OwnCost).status = picture.self_status
        self.query_one(UnreadableList).show(picture.node)
        self._show_processes(picture)

    def action_scroll_node(self, lines: int) -> None:
        """What is below the services may be more than fits, and the keys for moving belong to their list."""
        self.query_one("#node").scroll_relative(y=lines, animate=False, immediate=True)

    def action_workers(self) -> None:
        service = None if self.state is None or self.state.picture is None else self._chosen(self.state.picture)
        self.post_message(WorkersWanted("" if service is None else service.id))

    @on(OptionList.OptionHighlighted)
    def _highlighted(self) -> None:
        if self.state is not None and self.state.picture is not None:
            self._show_processes(self.state.picture)

    @on(OptionList.OptionSelected)
    def _entered(self) -> None:
        if self.state is not None and self.state.picture is not None:
            service = self._chosen(self.state.picture)
            if service is not None:
                self.post_message(AdviceWanted(service.name))

    def _chosen(self, picture: Picture) -> ServiceStatus | None:
        chosen = self.query_one(ServiceList).chosen
        return next((service for service in picture.services if service.id == chosen), None)

    def _show_processes(self, picture: Picture) -> None:
        service = self._chosen(picture)
        name = None if service is None else service.name
        processes = tuple(worker for worker in picture.workers if worker.service == name)
        self.query_one(WorkerTable).service = service
        self.query_one(WorkerTable).processes = processes
        self.query_one(WorkerTable).on_gpus = pids_on(picture.node.gpus)
        self.query_one(ThreadTable).processes = processes


class _Body(Vertical):
    def compose(self) -> ComposeResult:
        yield ServiceList(id="services")
        with VerticalScroll(id="node", can_focus=False):
            yield GpuBlock(classes="part")
            with Container(id="machine"):
                with Vertical():
                    yield CoreStrip(classes="part")
                    yield Meters(classes="part")
                with Vertical():
                    yield OwnCost(classes="part")
                    yield UnreadableList(classes="part")
            yield WorkerTable(classes="part roomy")
            yield ThreadTable(classes="part roomy")
