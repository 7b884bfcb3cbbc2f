"""Are the charts of evidence as high as the series of `/v1/advice/ID/series`, with threshold and judgement in place?"""

from datetime import UTC, datetime
from itertools import groupby
from math import ceil
from typing import Any

from tests.tui.accounted import written as w
from tests.tui.accounted.sheet import Part

Raw = dict[str, Any]
_ROWS = 4
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_TOLD_AT_EACH = ("seconds", "bytes", "ratio", "bytes_per_second", "watts", "celsius", "hertz")
"""Units that stand beside each number; others stand once, beside the name."""


def account_developed(part: Part, evidence: list[Raw], series: list[Raw]) -> None:
    """In the order of the evidence, those of which there is a series."""
    by_metric = {one["metric"]: one for one in series}
    drawn = [(one, by_metric[one["metric"]]) for one in evidence if one["metric"] in by_metric]
    part.row("as it developed")
    has_threshold = any(one["threshold"] is not None for one, _ in drawn)
    part.row("threshold, reached ·" if has_threshold else "", "◂ observed")
    for one, developed in drawn:
        _chart(part, one, developed)
    for _, alike in groupby((developed for _, developed in drawn), key=_of_time):
        _time(part, next(alike))


def _of_time(series: Raw) -> tuple[float, ...]:
    return (series["start"], series["step_seconds"], len(series["values"]), series["judged_from"], series["judged_to"])


def _time(part: Part, series: Raw) -> None:
    """How long it is, and when the finding was seen last."""
    until = f"{datetime.fromtimestamp(series['judged_to'], UTC):%H:%M:%S} UTC"
    row = next(row for row, line in enumerate(part.lines) if "├" in line and until in line and part.is_free(row))
    length = w.duration(len(series["values"]) * series["step_seconds"])
    told = part.lines[row].split("├")[0].strip()
    assert told in (length, ""), f"{told!r} is not {length!r}"
    part.rest(row, told, "judged" if "judged" in part.lines[row] else "", until)


def _chart(part: Part, one: Raw, series: Raw) -> None:
    threshold, values = one["threshold"], [value for value in series["values"] if value is not None]
    marks = [one["observed"], threshold or 0.0, *values, 0.0]
    low, high = min(marks), max(marks)

    def height(value: float) -> float:
        return (value - low) / (high - low) * _ROWS if high > low else 0.0

    def number(value: float) -> str:
        return w.quantity(value, one["unit"]) if one["unit"] in _TOLD_AT_EACH else w.number(value)

    name = one["metric"].replace("_", " ")
    has_unit = one["unit"] not in (*_TOLD_AT_EACH, "") and one["unit"] not in name
    bottom = part.row(f"{name} ({one['unit']})" if has_unit else name) + _ROWS
    at = None if threshold is None else min(_ROWS - 1, int(height(threshold)))
    labels = {_ROWS - 1: number(high), 0: "0" if low == 0 else number(low)}
    if threshold is not None and at is not None:
        labels[at] = number(threshold)
    observed = max(0, ceil(height(one["observed"])) - 1)
    left = max(part.lines[bottom - row].index(labels[row]) + len(labels[row]) for row in labels) + 1
    for row in range(_ROWS):
        part.rest(bottom - row, labels.get(row, ""), f"◂ {number(one['observed'])}" if row == observed else "")
        _columns(part.lines[bottom - row][left:], row, [height(v) if v is not None else None for v in series["values"]],
                 None if row != at or threshold is None else height(threshold))  # fmt: skip


def _columns(line: str, row: int, heights: list[float | None], threshold: float | None) -> None:
    """Each step is as wide as the others; where the threshold lies in this row it says whether that is reached."""
    drawn = line.split("◂")[0].rstrip()
    width = next(
        cells for cells in (3, 2, 1) if len(drawn) <= len(heights) * cells and cells * len(heights) <= len(line)
    )
    for step, height in enumerate(heights):
        sign = line[step * width]
        if threshold is not None:
            assert sign == ("┿" if height is not None and height >= threshold else "─"), f"step {step}: {line}"
        elif height is None:
            assert sign == " ", f"step {step}: {line}"
        else:
            eighths = max(1.0, height * 8) - row * 8
            assert -0.5 <= _EIGHTHS.index(sign) - min(8.0, max(0.0, eighths)) <= 0.5, f"step {step}, {height}: {line}"
