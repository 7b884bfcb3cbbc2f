"""How do pieces of styled text become lines: columns, bars, and pieces joined by a dot?

Everything here takes foreign text as text: nothing is parsed as markup.
"""

from collections.abc import Iterable, Sequence

from textual.content import Content

from tui.palette import BAR, HEADING, QUIET, TRACK


def lines(parts: Iterable[Content | str]) -> Content:
    return Content("\n").join(Content(part) if isinstance(part, str) else part for part in parts)


def dotted(parts: Iterable[Content | str]) -> Content:
    """The non-empty parts on one line, a dot between two."""
    kept = [Content(part) if isinstance(part, str) else part for part in parts]
    return Content.styled(" · ", QUIET).join(part for part in kept if part.plain)


def bar(ratio: float | None, width: int, colour: str = BAR) -> Content:
    """A filled share of `width` cells; all track where the share is not known."""
    filled = 0 if ratio is None else round(max(0.0, min(1.0, ratio)) * width)
    return Content.assemble(("█" * filled, colour), ("░" * (width - filled), TRACK))


def indented(part: Content, indent: int, width: int) -> Content:
    """`part` wrapped to `width` cells, every line of it moved right by `indent`."""
    wrapped = part.wrap(max(8, width - indent))
    return lines(Content.assemble(" " * indent, line) for line in wrapped)


def columns(
    header: Sequence[str],
    rows: Sequence[Sequence[Content | str]],
    right: frozenset[int] = frozenset(),
    width: int | None = None,
) -> Content:
    """A table as wide as its cells; `right` names the columns that are flush right.

    Where that is more than `width`, the first column gives way.
    """
    cells = [[Content.styled(name, QUIET) for name in header]]
    cells += [[Content(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    widths = [max(row[index].cell_length for row in cells) for index in range(len(header))]
    if width is not None:
        too_wide = sum(widths) + 2 * (len(widths) - 1) - width
        widths[0] = max(6, widths[0] - max(0, too_wide))
    return lines(
        Content("  ").join(_fill(cell, widths[index], index in right) for index, cell in enumerate(row)).rstrip()
        for row in cells
    )


def heading(text: str) -> Content:
    return Content.styled(text, HEADING)


def _fill(cell: Content, width: int, right: bool) -> Content:
    missing = width - cell.cell_length
    if missing < 0:
        return cell.truncate(width, ellipsis=True)
    return cell.pad_left(missing) if right else cell.pad_right(missing)
