"""Which devices are there, and which of them is shown below?"""

from textual.widgets.option_list import Option

from advisor.documents import GpuStatus
from tui.widgets.gpu_lines import gpu_lines
from tui.widgets.kept_list import KeptList

_PADDING = 2


class GpuList(KeptList):
    """A line a device; the highlighted one is the subject of the page."""

    _gpus: tuple[GpuStatus, ...] = ()

    def show(self, gpus: tuple[GpuStatus, ...]) -> None:
        """Replace the lines; the highlight stays on the same device."""
        self._gpus = gpus
        prompts = gpu_lines(gpus, self._width())
        self.put(Option(prompt, id=gpu.uuid) for prompt, gpu in zip(prompts, gpus, strict=True))

    def on_resize(self) -> None:
        self.show(self._gpus)

    def _width(self) -> int:
        return (self.scrollable_content_region.width or 80) - _PADDING
