"""Are the charts of a process as high as the series that `/v1/series` answers?"""

from datetime import datetime
from typing import Any

from tests.tui.accounted import written as w
from tests.tui.accounted.played import Shown
from tests.tui.accounted.sheet import Part

_STEPS, _STEP_SECONDS, _ROWS = 45, 20, 4
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_LEFT = 22
"""Cells left of the columns: the name, and the ends of the axis."""

Values = list[float | None]


async def account_charts(shown: Shown, part: Part, one: dict[str, Any]) -> None:
    part.row("last 15 min")
    threads = await shown.agent.get(f"workers/{one['pid']}/threads")
    worker = f"worker:{one['pid']}:{one['started']}"
    user, system, resident = [
        await _series(shown, "worker", worker, name) for name in ("user_ticks", "system_ticks", "resident_bytes")
    ]
    classes = sorted({thread["thread_class"] for thread in threads})
    waits = [await _series(shown, "thread_class", f"{worker}:{name}", "delay_ns") for name in classes]
    cores = [None if None in pair else sum(pair) for pair in zip(user, system, strict=True)]
    waiting = [
        sum(value for value in step if value is not None) if any(value is not None for value in step) else None
        for step in zip(*waits, strict=True)
    ]
    _chart(part, "cores", cores, w.cores, 0.0, 0.01)
    _chart(part, "waiting", waiting, w.cores, 0.0, 0.01)
    known = [value for value in resident if value is not None]
    _chart(part, "memory", resident, w.size, min(min(known), max(known) * 0.95))
    part.row("15 min ago now")


async def _series(shown: Shown, kind: str, entity: str, field: str) -> Values:
    """A value a step of 20 s, the newest last."""
    at = datetime.fromisoformat((await shown.agent.get("node"))["at"]).timestamp()
    end = (int(at) // _STEP_SECONDS + 1) * _STEP_SECONDS
    start = end - _STEPS * _STEP_SECONDS
    asked = f"series?kind={kind}&entity={entity}&field={field}&start={start}&end={end}&step={_STEP_SECONDS}"
    points = dict((await shown.agent.get(asked))["points"])
    return [points.get(start + step * _STEP_SECONDS) for step in range(_STEPS)]


def _chart(part: Part, name: str, values: Values, write: Any, low: float, least: float = 0.0) -> None:
    """The ends of its axis stand at its left; each step is a column, and a step of which nothing is known none."""
    high = max(least, *(value for value in values if value is not None))
    top = part.row(name, write(high))
    part.rest(top + _ROWS - 1, "0" if low == 0 else write(low))
    drawn = [line[1 + _LEFT :] for line in part.lines[top : top + _ROWS]]
    width = (len(part.lines[0]) - 2 - _LEFT) // _STEPS
    for step, value in enumerate(values):
        column = [line[step * width] if step * width < len(line) else " " for line in drawn]
        eighths = sum(_EIGHTHS.index(cell) for cell in column)
        wanted = 0 if value is None else max(1.0, (value - low) / (high - low or 1.0) * _ROWS * 8)
        assert abs(eighths - wanted) <= 0.5, (
            f"{name}: step {step} is {eighths} of 32 high, and {value} of {low} to {high}"
        )
