"""Two profiles as one flame graph: what takes more or less of the samples than before.

A frame's width is the mean of its share before and after, so that what is gone stays visible as what is new does.
"""

from collections.abc import Mapping
from typing import Literal

from advisor.profiling.difference import Change, change_of
from advisor.profiling.sides import MEANING, shown_side, totals
from advisor.profiling.stored import Side, StoredProfile
from agent.profiling.formats.boxes import Box, Stacks
from agent.profiling.formats.flamegraph import hidden_label, small_note, title_of
from agent.profiling.formats.svg import Legend, Rectangle, draw

DiffColours = Literal["red-blue", "orange-purple"]
_MORE_LESS: Mapping[DiffColours, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    "red-blue": ((239, 95, 80), (86, 148, 214)),
    "orange-purple": ((230, 145, 40), (150, 130, 205)),
}
"""Colour of a large rise and of a large fall, under black text. Both pairs differ in more than red and green."""
_SAME = "#e4e4e4"
_PALEST = 0.25
_FULL_POINTS = 0.2
"""A change of so much of all samples has the full colour."""


def diff_flamegraph(
    base: StoredProfile, other: StoredProfile, *, side: Side | None = None, colours: DiffColours = "red-blue"
) -> str:
    """An SVG file of `other` against `base`; changes within the noise of sampling are grey."""
    shown = side or (shown_side(base) if totals(base)[shown_side(base)] else shown_side(other))
    table, before, after = _table(base, other, shown)
    boxes = table.boxes()
    rectangles = [Rectangle(0, 0.0, 1.0, "all", f"{before} samples before, {after} after", _SAME)]
    for box in boxes:
        change = change_of(round(table.of(box, 0)), before, round(table.of(box, 1)), after, len(boxes))
        rectangles.append(_rectangle(box, change, colours))
    subtitle = f"{MEANING[shown]}: share of samples, {base.id} ({before}) to {other.id} ({after})"
    more, less = (_mixed(rgb, 1.0) for rgb in _MORE_LESS[colours])
    legend = [
        Legend(more, "more than before"), Legend(less, "less than before"), Legend(_SAME, "no change beyond the noise"),
    ]  # fmt: skip
    note = "width: mean of the shares before and after"
    return draw(f"{title_of(other)}: change", subtitle, rectangles, legend, [note, *small_note(boxes)])


def _table(base: StoredProfile, other: StoredProfile, side: Side) -> tuple[Stacks, int, int]:
    """Stacks weighted by the mean of both shares, with the counts of each profile as columns."""
    ours = [one for one in base.stacks if one.side == side and one.count > 0]
    theirs = [one for one in other.stacks if one.side == side and one.count > 0]
    before, after = sum(one.count for one in ours), sum(one.count for one in theirs)
    weights = [one.count / before / 2 for one in ours] + [one.count / after / 2 for one in theirs]
    counts = [one.count for one in ours], [one.count for one in theirs]
    table = Stacks(
        [one.frames for one in (*ours, *theirs)], weights,
        [*counts[0], *[0] * len(theirs)], [*[0] * len(ours), *counts[1]],
    )  # fmt: skip
    return table, before, after


def _rectangle(box: Box, change: Change, colours: DiffColours) -> Rectangle:
    points = f"{100 * change.delta:+.1f}"
    doubt = "" if change.sure else f", within the noise (standard error {100 * change.error:.1f})"
    detail = f"before {100 * change.before:.2f} %, after {100 * change.after:.2f} %: {points} points{doubt}"
    name = hidden_label(box) if box.hidden else box.name
    label = f"{points} {name}" if change.sure else name
    return Rectangle(box.row + 1, box.start, box.width, label, detail, _colour(change, colours))


def _colour(change: Change, colours: DiffColours) -> str:
    if not change.sure:
        return _SAME
    rgb = _MORE_LESS[colours][0 if change.delta > 0 else 1]
    return _mixed(rgb, max(_PALEST, min(1.0, (abs(change.delta) / _FULL_POINTS) ** 0.5)))


def _mixed(rgb: tuple[int, int, int], strength: float) -> str:
    """White with so much of the colour."""
    return "#" + "".join(f"{round(255 + (part - 255) * strength):02x}" for part in rgb)
