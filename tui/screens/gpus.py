"""What does each GPU do, who is on it, and what of it cannot be read?"""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import OptionList

from advisor.documents import NodeStatus
from tui import format as fmt
from tui.gpus import Trouble, troubles
from tui.screens.base import StateScreen
from tui.source import Picture
from tui.widgets.gpu_list import GpuList
from tui.widgets.gpu_page import GpuPage
from tui.widgets.trouble_list import TroubleList

_KINDS = {"nvidia": "NVIDIA GPUs", "amd": "AMD GPUs", "tpu": "TPUs", "neuron": "Neuron devices"}
"""Names of readers, and what people call what they read."""


class GpusScreen(StateScreen):
    """The devices at the top, the chosen one below. It needs no model server to run."""

    NAME, LETTER, LABEL = "gpus", "g", "GPUs"
    KEYS = (("→, ←", "from the list to the page and back"),)
    DEFAULT_CSS = """
    GpusScreen #gpus { height: auto; max-height: 40%; }
    GpusScreen GpuPage { height: 1fr; }
    GpusScreen.-wide #parts { layout: horizontal; }
    GpusScreen.-wide #use { width: 3fr; margin: 0 2 0 0; }
    GpusScreen.-wide #facts { width: 2fr; }
    GpusScreen.-wide GpuFactList { margin: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l", "focus_page", "Page", key_display="→"),
        Binding("left,h", "focus_list", "List", key_display="←"),
    ]

    def body(self) -> Widget:
        return _Body(id="body")

    def absence(self, picture: Picture) -> tuple[str, ...]:
        node = picture.node
        if node.gpus:
            return ()
        wrong = troubles(node)
        return unreadable_text(node, wrong) if wrong else no_gpu_text(node)

    def show(self, picture: Picture) -> None:
        self.query_one(TroubleList).troubles = troubles(picture.node)
        self.query_one(GpuList).show(picture.node.gpus)
        self._show_page(picture)

    def action_focus_page(self) -> None:
        self.query_one(GpuPage).focus()

    def action_focus_list(self) -> None:
        self.query_one(GpuList).focus()

    @on(OptionList.OptionHighlighted)
    def _highlighted(self) -> None:
        if self.state is not None and self.state.picture is not None:
            self._show_page(self.state.picture)

    @on(OptionList.OptionSelected)
    def _entered(self) -> None:
        self.action_focus_page()

    def _show_page(self, picture: Picture) -> None:
        chosen = self.query_one(GpuList).chosen
        for gpu in picture.node.gpus:
            if gpu.uuid == chosen:
                instances = sum(other.parent == gpu.uuid for other in picture.node.gpus)
                self.query_one(GpuPage).show(gpu, instances)


class _Body(Vertical):
    def compose(self) -> ComposeResult:
        yield TroubleList()
        yield GpuList(id="gpus")
        yield GpuPage(id="page")


def no_gpu_text(node: NodeStatus) -> tuple[str, ...]:
    """What is said of a node without devices, none of whose readers is in trouble."""
    looked = ", ".join(_KINDS.get(reader.name, fmt.plain(reader.name)) for reader in node.gpu_readers)
    return (
        f"No GPU on {node.node}",
        f"Looked for: {looked}." if looked else "No reader of GPUs ran.",
        "One that is passed through to this node or container appears here within a few seconds.",
        "Readers can be started or left out in the configuration: [gpu], nodewright config schema.",
    )


def unreadable_text(node: NodeStatus, wrong: tuple[Trouble, ...]) -> tuple[str, ...]:
    """What is said where readers are in trouble and there is no device to show."""
    if all(one.state == "starting" for one in wrong):
        return (f"The GPUs of {node.node} are about to be read", "The first answer is on its way.")
    return (
        f"No GPU can be read on {node.node}",
        *(sentence for one in wrong for sentence in _told(one)),
        "The reader tries again by itself, about twice a minute.",
    )


def _told(trouble: Trouble) -> tuple[str, ...]:
    """The state and how long it lasts, then what was seen and what helps."""
    since = "" if trouble.since_seconds is None else f", for {fmt.duration(trouble.since_seconds)}"
    again = f"; started again {fmt.count(trouble.restarts, 'time')}" if trouble.restarts else ""
    answered = (
        "" if trouble.heartbeat_seconds is None else f"; last answer {fmt.duration(trouble.heartbeat_seconds)} ago"
    )
    kind = _KINDS.get(trouble.name, trouble.name)
    return (
        f"{kind}: {trouble.state}{since}{again}{answered}.",
        *([f"Hint: {trouble.detail}."] if trouble.detail else []),
    )
