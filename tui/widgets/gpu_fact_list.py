"""What else is known of a device: its link, clocks, power, errors, place and software; and what it does not give?"""

from collections.abc import Sequence

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from advisor.documents import GpuStatus
from tui import format as fmt
from tui.gpu_facts import Row, rows_of
from tui.gpus import called
from tui.lines import hanging, indented, lines, packed
from tui.palette import QUIET

_LABEL_WIDTH = 10


class GpuFactList(Widget):
    """One row a topic, wrapped between facts."""

    DEFAULT_CSS = """
    GpuFactList { height: auto; }
    """
    gpu: reactive[GpuStatus | None] = reactive(None, layout=True)
    instances: reactive[int] = reactive(0, layout=True)

    def render(self) -> Content:
        if self.gpu is None:
            return Content("")
        width = self.size.width or 80
        rows = [line for row in rows_of(self.gpu, called(self.gpu), self.instances) for line in row_lines(row, width)]
        if self.gpu.unsupported:
            rows.append(not_given(self.gpu.unsupported, width))
        return lines(rows)


def row_lines(row: Row, width: int) -> list[Content]:
    return hanging(f"{row.label:>{_LABEL_WIDTH}} ", packed(row.facts, width - _LABEL_WIDTH - 1))


def not_given(names: Sequence[str], width: int) -> Content:
    """What the driver answered to as not supported, in the driver's own words."""
    told = ", ".join(fmt.plain(name) for name in names)
    return indented(Content.styled(f"not given by this device: {told}", QUIET), _LABEL_WIDTH + 1, width)
