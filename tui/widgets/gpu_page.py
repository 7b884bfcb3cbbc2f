"""What is everything that is known about the chosen device?"""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical, VerticalScroll

from advisor.documents import GpuStatus
from tui.widgets.gpu_fact_list import GpuFactList
from tui.widgets.gpu_head import GpuHead
from tui.widgets.gpu_meters import GpuMeters
from tui.widgets.gpu_process_table import GpuProcessTable


class GpuPage(VerticalScroll):
    """Meters, processes and facts below each other; where there is room, the facts at the right."""

    DEFAULT_CSS = """
    GpuPage { padding: 0 1; scrollbar-size-vertical: 1; border-top: solid $panel-lighten-1; }
    GpuPage:focus { border-top: solid $primary; }
    GpuPage #parts { height: auto; }
    GpuPage #parts > Vertical { height: auto; width: 1fr; }
    GpuPage GpuProcessTable, GpuPage GpuFactList { margin: 1 0 0 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", show=False),
        Binding("k", "scroll_up", show=False),
    ]

    def compose(self) -> ComposeResult:
        yield GpuHead()
        with Container(id="parts"):
            with Vertical(id="use"):
                yield GpuMeters()
                yield GpuProcessTable()
            with Vertical(id="facts"):
                yield GpuFactList()

    def show(self, gpu: GpuStatus, instances: int) -> None:
        """`instances`: into how many the device is divided."""
        head, facts = self.query_one(GpuHead), self.query_one(GpuFactList)
        if head.gpu is None or head.gpu.uuid != gpu.uuid:
            self.scroll_home(animate=False)
        head.gpu, facts.gpu, facts.instances = gpu, gpu, instances
        self.query_one(GpuMeters).gpu = self.query_one(GpuProcessTable).gpu = gpu
