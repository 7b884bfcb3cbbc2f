"""Which readers of GPUs cannot read, and what helps?"""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from tui.gpus import Trouble
from tui.lines import hanging, lines
from tui.widgets.gpu_lines import trouble_label, trouble_text


class TroubleList(Widget):
    """The whole of what each of them says, on as many lines as it needs; nothing at all where every one reads."""

    DEFAULT_CSS = """
    TroubleList { height: auto; padding: 0 1; }
    """
    troubles: reactive[tuple[Trouble, ...]] = reactive((), layout=True)

    def render(self) -> Content:
        width = self.size.width or 80
        return lines(line for one in self.troubles for line in trouble_lines(one, width))

    def watch_troubles(self) -> None:
        self.display = bool(self.troubles)


def trouble_lines(trouble: Trouble, width: int) -> list[Content]:
    label = trouble_label(trouble)
    return hanging(label, trouble_text(trouble).wrap(max(8, width - len(label))))
