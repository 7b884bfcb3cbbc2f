"""Which device is this, and does it answer?"""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from advisor.documents import GpuStatus
from tui import format as fmt
from tui.gpus import called
from tui.lines import dotted, lines
from tui.palette import BAD, QUIET, STRONG

_LOST = "lost: it does not answer any more; the kernel log has the reason (XID)"


class GpuHead(Widget):
    """Name and UUID, and a state that is not ok."""

    DEFAULT_CSS = """
    GpuHead { height: auto; }
    """
    gpu: reactive[GpuStatus | None] = reactive(None, layout=True)

    def render(self) -> Content:
        gpu = self.gpu
        if gpu is None:
            return Content("")
        name = Content.styled(f"{called(gpu)}  {fmt.plain(gpu.name)}", STRONG)
        parts = [dotted((name, Content.styled(fmt.plain(gpu.uuid), QUIET)))]
        if gpu.state != "ok":
            parts.append(Content.styled(_LOST if gpu.state == "lost" else fmt.plain(gpu.state), BAD))
        return lines(parts)
