"""What can this node not tell, and what would enable it?"""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from advisor.documents import CollectorStatus, NodeStatus
from tui import format as fmt
from tui.gpus import is_told_by_reader
from tui.lines import hanging, heading, lines


class UnreadableList(Widget):
    """Each collector that is unsupported or failed, on as many lines as what helps needs; nothing where every one reads."""

    DEFAULT_CSS = """
    UnreadableList { height: auto; text-wrap: nowrap; }
    """
    collectors: reactive[tuple[CollectorStatus, ...]] = reactive((), layout=True)

    def render(self) -> Content:
        width = self.size.width or 80
        told = (row for collector in self.collectors for row in line(collector, width))
        return lines([heading("not readable here"), *told])

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


def line(collector: CollectorStatus, width: int) -> list[Content]:
    """`pressure  no PSI: boot with psi=1`"""
    hint = f": {fmt.plain(collector.hint)}" if collector.hint else ""
    reason = fmt.plain(collector.reason or collector.status)
    label = f"{fmt.plain(collector.name):>8} "
    return hanging(label, Content(f"{reason}{hint}").wrap(max(8, width - len(label))))
