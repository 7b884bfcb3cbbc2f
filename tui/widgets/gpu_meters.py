"""How full is the memory of a device, and how much of the device was used?"""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from advisor.documents import GpuStatus
from tui import format as fmt
from tui.gpus import memory_share, memory_text
from tui.lines import bar, dotted, hanging, heading, lines, packed
from tui.palette import QUIET

_LABEL_WIDTH = 10
_VALUE_WIDTH = 6
_WIDEST = 30
_COUNTED = "mean of 15 s"
_NOT_COUNTED = "not counted on this device"
_BUSY_TIME = "anything ran, not how much"


class GpuMeters(Widget):
    """Memory as one bar, activity as two a row. Where a device does not count its activity there is only the time in which
    anything ran."""

    DEFAULT_CSS = """
    GpuMeters { height: auto; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    gpu: reactive[GpuStatus | None] = reactive(None, layout=True)

    def render(self) -> Content:
        if self.gpu is None:
            return Content("")
        width = self.size.width or 80
        cells = max(6, min(_WIDEST, width // 2 - _LABEL_WIDTH - _VALUE_WIDTH - 3))
        return lines([*_memory(self.gpu, cells, width), *_activity(self.gpu, cells)])


def _memory(gpu: GpuStatus, cells: int, width: int) -> list[Content]:
    rest = (
        f"{fmt.size(gpu.memory_reserved_bytes)} reserved",
        f"{fmt.size(gpu.memory_free_bytes)} free",
        f"{fmt.size(gpu.memory_unknown_bytes)} of no known process",
        "shared with the node" if gpu.unified_memory else "",
    )
    return [
        _meter("memory", memory_share(gpu), f"{memory_text(gpu)} used", cells),
        *hanging(" " * (_LABEL_WIDTH + 1), packed(rest, width - _LABEL_WIDTH - 1)),
    ]


def _activity(gpu: GpuStatus, cells: int) -> list[Content]:
    counted = (
        (("SM", gpu.sm_active_ratio), ("tensor", gpu.tensor_active_ratio)),
        (("occupancy", gpu.sm_occupancy_ratio), ("DRAM", gpu.dram_active_ratio)),
    )
    known = any(ratio is not None for pair in counted for _, ratio in pair)
    busy = Content.assemble(f"{fmt.percent(gpu.busy_ratio):<{_VALUE_WIDTH}}", (_BUSY_TIME, QUIET))
    return [
        dotted((heading("activity"), Content.styled(_COUNTED if known else _NOT_COUNTED, QUIET))),
        *(_pair(pair, cells) for pair in counted if known),
        _meter("busy-time", gpu.busy_ratio, busy, cells),
    ]


def _pair(pair: tuple[tuple[str, float | None], tuple[str, float | None]], cells: int) -> Content:
    """Two meters beside each other, each pair below the one before."""
    return Content(" ").join(
        _meter(name, ratio, f"{fmt.percent(ratio):<{_VALUE_WIDTH}}", cells) for name, ratio in pair
    )


def _meter(label: str, ratio: float | None, text: str | Content, cells: int) -> Content:
    return Content.assemble((f"{label:>{_LABEL_WIDTH}} ", QUIET), bar(ratio, cells), " ", text)
