"""Which devices are there, and which of them is shown below?"""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from advisor.documents import GpuStatus
from tui.widgets.gpu_lines import gpu_lines

_PADDING = 2


class GpuList(OptionList):
    """A line a device; the highlighted one is the subject of the page."""

    DEFAULT_CSS = """
    GpuList {
        border: none; background: $background; padding: 0; scrollbar-size-vertical: 1;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    GpuList:focus { border: none; background: $background; }
    GpuList > .option-list--option { padding: 0 1; }
    GpuList > .option-list--option-highlighted { background: $boost; color: $foreground; text-style: none; }
    GpuList:focus > .option-list--option-highlighted { background: #2b3d55; color: $foreground; text-style: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
    ]
    _gpus: tuple[GpuStatus, ...] = ()

    def show(self, gpus: tuple[GpuStatus, ...]) -> None:
        """Replace the lines; the highlight stays on the same device."""
        self._gpus = gpus
        prompts = gpu_lines(gpus, self._width())
        ids = [gpu.uuid for gpu in gpus]
        if ids == [option.id for option in self.options]:
            for index, prompt in enumerate(prompts):
                self.replace_option_prompt_at_index(index, prompt)
            return
        chosen = self.chosen
        self.set_options(Option(prompt, id=uuid) for prompt, uuid in zip(prompts, ids, strict=True))
        self.highlighted = ids.index(chosen) if chosen in ids else 0 if ids else None

    def on_resize(self) -> None:
        self.show(self._gpus)

    @property
    def chosen(self) -> str | None:
        """UUID of the highlighted device."""
        return None if self.highlighted is None else self.get_option_at_index(self.highlighted).id

    def _width(self) -> int:
        return (self.scrollable_content_region.width or 80) - _PADDING
