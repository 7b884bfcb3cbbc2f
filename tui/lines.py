"""How do pieces of styled text become lines: columns, bars, and pieces joined by a dot?

Everything here takes foreign text as text: nothing is parsed as markup.
"""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from textual.content import Content

from tui.palette import BAR, HEADING, QUIET, TRACK

DOT = " · "
_BETWEEN = " ·,;:(×"
"""What says nothing at the end of a line that was cut."""
_OF_NUMBERS = "0123456789.,"


def lines(parts: Iterable[Content | str], width: int | None = None) -> Content:
    """Below each other; with `width`, none of them is wider."""
    rows = [Content(part) if isinstance(part, str) else part for part in parts]
    if width is not None:
        rows = [clipped(line, width) for row in rows for line in row.split("\n", allow_blank=True)]
    return Content("\n").join(rows)


def clipped(part: Content, width: int) -> Content:
    """At most `width` cells: what has no room is left out from the end of a word on, and no number is cut. An ellipsis says
    so."""
    if part.cell_length <= width:
        return part
    text, end, cells = part.plain, 0, 0
    while cells + (size := cell_len(text[end])) <= width - 1:
        end, cells = end + 1, cells + size
    return Content.assemble(part[: _end_of_word(text, end)], "…")


def _end_of_word(text: str, end: int) -> int:
    """The last index up to `end` at which a word ends; where that would cost half of the text, at least no number is cut."""
    kept = text[:end]
    space = end if text[end].isspace() else kept.rfind(" ")
    if space >= end / 2:
        return len(kept[:space].rstrip(_BETWEEN))
    if text[end] in _OF_NUMBERS and kept[-1:] in _OF_NUMBERS:
        return len(kept.rstrip(_OF_NUMBERS).rstrip(_BETWEEN))
    return end


def dotted(parts: Iterable[Content | str]) -> Content:
    """The non-empty parts on one line, a dot between two."""
    kept = [Content(part) if isinstance(part, str) else part for part in parts]
    return Content.styled(DOT, QUIET).join(part for part in kept if part.plain)


def bar(ratio: float | None, width: int, colour: str = BAR) -> Content:
    """A filled share of `width` cells; all track where the share is not known."""
    filled = 0 if ratio is None else round(max(0.0, min(1.0, ratio)) * width)
    return Content.assemble(("█" * filled, colour), ("░" * (width - filled), TRACK))


def packed(parts: Iterable[Content | str], width: int) -> list[Content]:
    """The non-empty parts joined by dots, on as many lines as they need: none is broken between two lines."""
    rows: list[list[Content]] = []
    used = width
    for part in (Content(part) if isinstance(part, str) else part for part in parts):
        if not part.plain:
            continue
        if rows and used + len(DOT) + part.cell_length <= width:
            rows[-1].append(part)
            used += len(DOT) + part.cell_length
        else:
            rows.append([part])
            used = part.cell_length
    return [dotted(row) for row in rows]


def indented(part: Content, indent: int, width: int) -> Content:
    """`part` wrapped to `width` cells, every line of it moved right by `indent`."""
    wrapped = part.wrap(max(8, width - indent))
    return lines(Content.assemble(" " * indent, line) for line in wrapped)


def hanging(label: str, rows: Iterable[Content]) -> list[Content]:
    """`rows` beside `label`, which stands before the first of them only."""
    return [
        Content.assemble((label if number == 0 else " " * len(label), QUIET), row) for number, row in enumerate(rows)
    ]


def columns(
    header: Sequence[str],
    rows: Sequence[Sequence[Content | str]],
    right: frozenset[int] = frozenset(),
    width: int | None = None,
    yielding: int = 0,
) -> Content:
    """A table as wide as its cells; `right` names the columns that are flush right.

    Where that is more than `width`, the column `yielding` gives way.
    """
    return lines(aligned([[Content.styled(name, QUIET) for name in header], *rows], right, width, yielding))


def aligned(
    rows: Sequence[Sequence[Content | str]],
    right: frozenset[int] = frozenset(),
    width: int | None = None,
    yielding: int = 0,
) -> list[Content]:
    """The lines of a table without a header; see `columns`."""
    cells = [[Content(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    widths = [max(cell.cell_length for cell in column) for column in zip(*cells, strict=True)]
    if width is not None and widths:
        too_wide = sum(widths) + 2 * (len(widths) - 1) - width
        widths[yielding] = max(6, widths[yielding] - max(0, too_wide))
    return [
        Content("  ").join(filled(cell, widths[index], index in right) for index, cell in enumerate(row)).rstrip()
        for row in cells
    ]


def right_end(text: str, cells: int) -> str:
    """As many of its last characters as `cells` have room for."""
    end = text[-cells:] if cells > 0 else ""
    while cell_len(end) > cells:
        end = end[1:]
    return end


def heading(text: str) -> Content:
    return Content.styled(text, HEADING)


def filled(cell: Content, width: int, right: bool) -> Content:
    """Exactly `width` cells."""
    cell = clipped(cell, width)
    missing = width - cell.cell_length
    return cell.pad_left(missing) if right else cell.pad_right(missing)
