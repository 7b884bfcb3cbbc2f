"""Which profile is drawn, which side of it, and from where is it seen?"""

from collections.abc import Mapping, Sequence

import msgspec
from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from advisor.profiling.stored import Side
from tui import format as fmt
from tui.flame.boxes import short
from tui.flame.selection import ORDER, TABS, Filters
from tui.flame.tree import Node
from tui.lines import dotted, lines, right_end
from tui.palette import GOOD, QUIET, STRONG


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What the head says. `found`: what was looked for, and how much holds it."""

    title: tuple[str, ...]
    side: Side
    samples: Mapping[Side, tuple[int, ...]]
    """Of each profile that is drawn."""
    filters: Filters
    has_native: bool
    zoom: tuple[str, ...] = ()
    zoom_share: float = 1.0
    search: str = ""
    missing: tuple[str, ...] = ()
    """What the profile could not see, and what helps."""
    found: str = ""


class ProfileHead(Widget):
    """Title; the sides, the shown one in brackets, with the filters; the way to the zoomed frame, and what was found."""

    DEFAULT_CSS = """
    ProfileHead { height: 3; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; border: none; }
    """
    head: reactive[Head | None] = reactive(None)

    def render(self) -> Content:
        head, width = self.head, self.size.width
        if head is None:
            return Content("")
        third = found_line(head) if head.search else zoom_line(head, width)
        return lines([title_line(head.title, width), sides_line(head, width), third])


def title_line(parts: Sequence[str], width: int) -> Content:
    """As many of the parts as fit, at least the first."""
    texts = [fmt.plain(part) for part in parts]
    while len(texts) > 1 and dotted(texts).cell_length > width:
        texts.pop()
    return dotted([Content.styled(texts[0], STRONG), *texts[1:]])


def sides_line(head: Head, width: int) -> Content:
    """`samples: [on CPU 1000]  native 40  GIL held 250  waiting 90 · per thread`"""
    parts = [Content.styled("samples:", QUIET)]
    for side in ORDER:
        counts = head.samples.get(side, ())
        told = " → ".join(str(count or fmt.UNKNOWN) for count in counts) if any(counts) else fmt.UNKNOWN
        text = f"{TABS[side]} {told}"
        parts.append(Content.styled(f"[{text}]", GOOD + " bold") if side == head.side else Content.styled(text, QUIET))
    filters = ["per thread"] if head.filters.threads else []
    if head.has_native and not head.filters.native:
        filters.append("native left out")
    return dotted([Content("  ").join(parts), *filters])


def zoom_line(head: Head, width: int) -> Content:
    """`zoom 45 %: run › serve › predict`; of a long way its end."""
    if not head.zoom:
        return dotted(
            [Content.styled("whole profile", QUIET), *(Content.styled(f"without {m}", QUIET) for m in head.missing)]
        )
    start = f"zoom {fmt.percent(head.zoom_share)}: "
    room = max(10, width - len(start))
    way = " › ".join(head.zoom[-room:])  # each name has a cell
    if cell_len(way) > room:
        way = "…" + right_end(way, room - 1)
    return Content.assemble((start, QUIET), way)


def found_line(head: Head) -> Content:
    found = head.found or "nothing"
    return Content.assemble((f"/{fmt.plain(head.search)}", STRONG), (" matched ", QUIET), (found, GOOD))


def way_to(node: Node) -> tuple[str, ...]:
    """Names of the frames from the root to `node`."""
    names = tuple(short(one.name) for one in node.path)
    return (*names, fmt.count(node.together, "frame")) if node.together else names
