"""How are the GPUs of this node, in a line each?"""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from advisor.documents import NodeStatus
from tui.gpus import troubles
from tui.lines import dotted, heading, lines
from tui.palette import BAD, QUIET
from tui.widgets.gpu_lines import gpu_lines
from tui.widgets.trouble_list import trouble_lines

_LEAST = 8


class GpuBlock(Widget):
    """The devices, then the readers that cannot read; nothing at all where there is neither."""

    DEFAULT_CSS = """
    GpuBlock { height: auto; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    node: reactive[NodeStatus | None] = reactive(None, layout=True)

    def render(self) -> Content:
        if self.node is None:
            return Content("")
        at_most = max(_LEAST, self.screen.size.height // 3)
        width = self.size.width or 80
        shown = gpu_lines(self.node.gpus[:at_most], width)
        rest = len(self.node.gpus) - at_most
        more = [Content.styled(f"    and {rest} more: g", QUIET)] if rest > 0 else []
        told = (line for one in troubles(self.node) for line in trouble_lines(one, width))
        return lines([head(self.node), *shown, *more, *told], width)

    def watch_node(self) -> None:
        self.display = self.node is not None and bool(self.node.gpus or troubles(self.node))


def head(node: NodeStatus) -> Content:
    """What the lines are of; how many are lost, as that line may be one of those that are not shown."""
    lost = sum(gpu.state == "lost" for gpu in node.gpus)
    return dotted((heading("gpus"), Content.styled(f"{lost} lost", BAD) if lost else ""))
