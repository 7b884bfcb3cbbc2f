"""How busy is each core: one mark a core, its height and its colour both say it?"""

from collections.abc import Iterable
from itertools import groupby

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from advisor.documents import CoreStatus
from tui import format as fmt
from tui.lines import dotted, heading, lines
from tui.palette import HEAT, QUIET

_BLOCKS = "▁▂▃▄▅▆▇█"
_LABEL_WIDTH = 8
_WIDE_CELL = 4
"""Where there is room, a core is drawn this wide."""


class CoreStrip(Widget):
    """The cores, one row per memory node, wrapped; a dot is a core that nobody could read."""

    DEFAULT_CSS = """
    CoreStrip { height: auto; text-wrap: nowrap; }
    """
    cores: reactive[tuple[CoreStatus, ...]] = reactive((), layout=True)

    def render(self) -> Content:
        if not self.cores:
            return lines([heading("cores"), Content.styled("not readable", QUIET)])
        width = max(8, (self.size.width or 80) - _LABEL_WIDTH - 1)
        wide = len(self.cores) * (_WIDE_CELL + 1) <= width
        by_node = [(node, list(group)) for node, group in groupby(self.cores, key=lambda core: core.node)]
        in_a_row = width // (_WIDE_CELL + 1) if wide else width
        rows = [_row(chunk, wide) for _, group in by_node for chunk in _chunks(group, in_a_row)]
        return lines([dotted((heading("cores"), summary(self.cores))), *rows])


def _chunks(cores: list[CoreStatus], size: int) -> Iterable[list[CoreStatus]]:
    return (cores[start : start + size] for start in range(0, len(cores), size))


def _row(cores: list[CoreStatus], wide: bool) -> Content:
    first = f"cpu {cores[0].cpu}"
    label = Content.styled(f"{first:>{_LABEL_WIDTH}} ", QUIET)
    marks = [mark(core.busy_ratio, _WIDE_CELL if wide else 1) for core in cores]
    return Content.assemble(label, Content(" " if wide else "").join(marks))


def mark(busy_ratio: float | None, width: int) -> Content:
    """One core, as high and as warm as it is busy."""
    if busy_ratio is None:
        return Content.styled("·" * width, QUIET)
    step = min(7, int(max(0.0, busy_ratio) * 8))
    return Content.styled(_BLOCKS[step] * width, HEAT[step])


def summary(cores: tuple[CoreStatus, ...]) -> Content:
    """All cores together; steal and iowait only where there is any."""
    known = [core for core in cores if core.busy_ratio is not None]
    if not known:
        return Content.styled("not known yet", QUIET)
    busy = sum(core.busy_ratio or 0.0 for core in known)
    parts = [f"{fmt.cores(busy)} of {len(known)} busy"]
    for name, total in (
        ("steal", sum(core.steal_ratio or 0.0 for core in known)),
        ("iowait", sum(core.iowait_ratio or 0.0 for core in known)),
    ):
        if total >= 0.005:
            parts.append(f"{name} {fmt.cores(total)}")
    if len(known) < len(cores):
        parts.append(f"{len(cores) - len(known)} not readable")
    return Content(" · ".join(parts))
