"""How is a value over time drawn with blocks: one column a step, as many rows as there is room for?"""

from collections.abc import Callable, Sequence

from textual.content import Content

from tui import format as fmt
from tui.palette import BAR, QUIET

_BLOCKS = "▁▂▃▄▅▆▇█"
_LABEL_WIDTH = 8
_SCALE_WIDTH = 13
LEFT = _LABEL_WIDTH + _SCALE_WIDTH + 1
"""Cells left of the columns."""
_LEAST_SPAN = 0.05
"""Of the largest value: what varies less is drawn as one height."""


def fitted(values: Sequence[float | None], room: int) -> tuple[list[float | None], int]:
    """As many values as fit, and how many cells each is wide: neighbours become their mean where there is no room."""
    together = max(1, -(-len(values) // max(1, room)))
    parts = [values[start : start + together] for start in range(0, len(values), together)]
    return [_mean(part) for part in parts], max(1, room // max(1, len(parts)))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def bounds(values: Sequence[float | None], *, from_zero: bool, least: float = 0.0) -> tuple[float, float]:
    """The lower and the upper end of the axis, which reaches to `least` at least."""
    known = [value for value in values if value is not None]
    high, low = max([*known, least]), 0.0 if from_zero else min(known, default=0.0)
    return min(low, high * (1 - _LEAST_SPAN)), high


def chart(
    name: str, values: Sequence[float | None], write: Callable[[float | None], str], room: int, rows: int, *,
    from_zero: bool = True, least: float = 0.0,
) -> list[Content]:  # fmt: skip
    """`rows` lines: the name, the ends of the axis, and the columns in the `room` cells that are left. A gap is empty: what
    is not known is not 0, which has the lowest block. `least`: so far the axis reaches, so that what `write` says is 0 is not
    drawn as the highest."""
    drawn, cell = fitted(values, room - LEFT)
    if all(value is None for value in drawn):
        return [Content.assemble(f"{name:<{_LABEL_WIDTH}}", (f"{'not known':>{_SCALE_WIDTH}}", QUIET))]
    low, high = bounds(drawn, from_zero=from_zero, least=least)
    steps = [None if value is None else eighths(value, low, high, rows) for value in drawn]
    lines = []
    for row in range(rows):
        scale = _span(write, low, high) if rows == 1 else _end(row, rows, write, low, high)
        cells = "".join(block(step, rows - 1 - row) * cell for step in steps)
        label = name if row == 0 else ""
        lines.append(
            Content.assemble(f"{label:<{_LABEL_WIDTH}}", (f"{scale:>{_SCALE_WIDTH}} ", QUIET), (cells.rstrip(), BAR))
        )
    return lines


def _low(write: Callable[[float | None], str], low: float) -> str:
    """The lower end of an axis: 0 needs no unit."""
    return "0" if low == 0 else write(low)


def _span(write: Callable[[float | None], str], low: float, high: float) -> str:
    """`0–1.25`, `160–171 MiB`: a unit that both ends have is said once."""
    start, end = _low(write, low), write(high)
    number, space, unit = start.rpartition(" ")
    text = f"{number if space and end.endswith(f' {unit}') else start}–{end}"
    return text if len(text) <= _SCALE_WIDTH else f"to {end}"


def _end(row: int, rows: int, write: Callable[[float | None], str], low: float, high: float) -> str:
    if row == 0:
        return write(high)
    return _low(write, low) if row == rows - 1 else ""


def eighths(value: float, low: float, high: float, rows: int) -> int:
    """Height in eighths of a row, at least one."""
    share = (value - low) / (high - low) if high > low else (1.0 if value > 0 else 0.0)
    return max(1, round(share * rows * len(_BLOCKS)))


def block(step: int | None, row: int) -> str:
    """What a column of `step` eighths shows in the row that has `row` below it."""
    if step is None:
        return " "
    left = step - row * len(_BLOCKS)
    return " " if left <= 0 else _BLOCKS[min(left, len(_BLOCKS)) - 1]


def time_axis(values: Sequence[float | None], span_seconds: float, room: int) -> Content:
    """`15 min ago` below the first column, `now` below the last."""
    drawn, cell = fitted(values, room - LEFT)
    width = len(drawn) * cell
    first, last = f"{fmt.duration(span_seconds)} ago", "now"
    gap = max(1, width - len(first) - len(last))
    return Content.styled(" " * LEFT + first + " " * gap + last, QUIET)
