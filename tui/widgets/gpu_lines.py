"""How is a GPU told in one line: its name, its memory, how much of it is used, its power and heat?"""

from collections.abc import Sequence

from textual.content import Content

from advisor.documents import GpuStatus
from tui import format as fmt
from tui.gpus import Trouble, activity_text, memory_share, memory_text, short_name
from tui.lines import aligned, bar
from tui.palette import BAD, QUIET

_LABEL_WIDTH = 8
_BESIDE_BAR = 70
"""Cells that the rest of a line takes at most."""
_RIGHT = frozenset({2, 4, 5})


def gpu_lines(gpus: Sequence[GpuStatus], width: int) -> list[Content]:
    """One line a device in `width` cells, each part below that of the device before."""
    cells = max(6, min(30, width - _BESIDE_BAR))
    return aligned([_row(gpu, cells) for gpu in gpus], _RIGHT, width)


def _row(gpu: GpuStatus, cells: int) -> tuple[Content | str, ...]:
    index = "" if gpu.index is None or gpu.parent is not None else str(gpu.index)
    name = Content.assemble((f"{index:>3} ", QUIET), "  " if gpu.parent is not None else "", short_name(gpu))
    if gpu.state != "ok":
        return name, Content.styled(fmt.plain(gpu.state), BAD), "", "", "", ""
    return (
        name,
        bar(memory_share(gpu), cells),
        memory_text(gpu),
        activity_text(gpu),
        _of_the_chip(gpu, fmt.watts(gpu.power_watts)),
        _of_the_chip(gpu, fmt.celsius(gpu.temperature_celsius)),
    )


def _of_the_chip(gpu: GpuStatus, text: str) -> str:
    """Nothing of an instance: power and heat are those of its device, whose line is above."""
    return "" if gpu.parent is not None and text == fmt.UNKNOWN else text


def trouble_label(trouble: Trouble) -> str:
    return f"{fmt.plain(trouble.name):>{_LABEL_WIDTH}} "


def trouble_text(trouble: Trouble) -> Content:
    detail = f": {fmt.plain(trouble.detail)}" if trouble.detail else ""
    return Content.assemble((fmt.plain(trouble.state), QUIET if trouble.state == "starting" else BAD), detail)
