"""How full is the memory, and how long do tasks stall (PSI)?"""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from advisor.documents import NodeStatus
from tui import format as fmt
from tui.lines import bar, heading, lines
from tui.palette import QUIET

_LABEL_WIDTH = 8
_VALUE_WIDTH = 24


class Meters(Widget):
    """One bar a row: memory, then the share of time in which some task waited for cpu, memory, io."""

    DEFAULT_CSS = """
    Meters { height: auto; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    node: reactive[NodeStatus | None] = reactive(None, layout=True)

    def render(self) -> Content:
        if self.node is None:
            return Content("")
        width = max(8, min(40, (self.size.width or 80) - _LABEL_WIDTH - _VALUE_WIDTH - 2))
        stalls = (
            ("cpu", self.node.pressure_cpu_ratio),
            ("memory", self.node.pressure_memory_ratio),
            ("io", self.node.pressure_io_ratio),
        )
        return lines(
            [
                heading("memory"),
                _row("used", *memory_share(self.node), width),
                heading("pressure: time in which some task waited"),
                *(_row(name, ratio, stall_text(self.node, ratio), width) for name, ratio in stalls),
            ],
            self.size.width or 80,
        )


def memory_share(node: NodeStatus) -> tuple[float | None, str]:
    """Used share and its text; swap only where some is used."""
    total, available = node.memory_total_bytes, node.memory_available_bytes
    if total is None or available is None or total <= 0:
        return None, "not readable"
    swap = f", swap {fmt.size(node.swap_used_bytes)}" if node.swap_used_bytes else ""
    used = total - available
    return used / total, f"{fmt.size(used)} of {fmt.size(total)}{swap}"


def stall_text(node: NodeStatus, ratio: float | None) -> str:
    """The share, or why this kernel does not tell it."""
    if ratio is not None:
        return fmt.percent(ratio)
    reasons = (c.reason for c in node.collectors if c.name == "pressure" and c.status != "ok")
    return fmt.plain(next(reasons, None) or "not readable")


def _row(label: str, ratio: float | None, text: str, width: int) -> Content:
    return Content.assemble((f"{label:>{_LABEL_WIDTH}} ", QUIET), bar(ratio, width), f" {text}")
