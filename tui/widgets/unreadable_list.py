"""What can this node not tell, and what would enable it?"""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from advisor.documents import CollectorStatus, NodeStatus
from tui import format as fmt
from tui.gpus import is_told_by_reader
from tui.lines import heading, lines
from tui.palette import QUIET


class UnreadableList(Widget):
    """One line a collector that is unsupported or failed; nothing at all where every one reads."""

    DEFAULT_CSS = """
    UnreadableList { height: auto; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    collectors: reactive[tuple[CollectorStatus, ...]] = reactive((), layout=True)

    def render(self) -> Content:
        return lines([heading("not readable here"), *(line(collector) for collector in self.collectors)])

    def watch_collectors(self) -> None:
        self.display = bool(self.collectors)

    def show(self, node: NodeStatus) -> None:
        """What nobody misses, and what the block of GPUs says already, is left out."""
        self.collectors = tuple(
            collector
            for collector in node.collectors
            if collector.status != "ok" and not is_absent(collector) and not is_told_by_reader(collector, node)
        )


def is_absent(collector: CollectorStatus) -> bool:
    """Whether there is nothing of its kind on this node: what could be enabled comes with a hint."""
    return collector.status == "unsupported" and not collector.hint


def line(collector: CollectorStatus) -> Content:
    """`pressure  no PSI: boot with psi=1`"""
    hint = f": {fmt.plain(collector.hint)}" if collector.hint else ""
    reason = fmt.plain(collector.reason or collector.status)
    return Content.assemble((f"{fmt.plain(collector.name):>8} ", QUIET), f"{reason}{hint}")
