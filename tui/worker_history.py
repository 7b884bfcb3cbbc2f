"""How did a process develop over the last minutes? What is asked of `/v1/series`, and how the answers become three lines of
values."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from urllib.parse import urlencode

import msgspec

from advisor.documents import Problem, WorkerStatus
from advisor.series import Series
from tui.source import Unreachable

STEPS = 45
STEP_SECONDS = 20
SPAN_SECONDS = STEPS * STEP_SECONDS

Values = tuple[float | None, ...]
"""One a step, oldest first; None = nothing is known of that step."""
Ask = Callable[[str, type[Series]], Awaitable[Series]]


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Cores, cores waited for, bytes. `problem`: why there are none."""

    worker: str
    """Whose it is."""
    cores: Values = ()
    waiting: Values = ()
    resident_bytes: Values = ()
    problem: Problem | None = None


def unix_seconds(at: str) -> float:
    """Of an ISO 8601 instant. Raises ValueError."""
    return datetime.fromisoformat(at).timestamp()


async def ask_history(ask: Ask, worker: WorkerStatus, classes: Iterable[str], at: str, name: str) -> History:
    """The minutes up to `at`. `classes`: of its threads, as waiting is stored by class. `name`: kept as `worker`."""
    entity = f"worker:{worker.pid}:{worker.started}"
    end = (int(unix_seconds(at)) // STEP_SECONDS + 1) * STEP_SECONDS

    async def values(kind: str, whose: str, field: str) -> Values:
        asked = {
            "kind": kind, "entity": whose, "field": field, "start": end - SPAN_SECONDS, "end": end, "step": STEP_SECONDS,
        }  # fmt: skip
        return on_grid(await ask(f"series?{urlencode(asked, safe=':')}", Series), end)

    try:
        user, system, resident, *waiting = await asyncio.gather(
            values("worker", entity, "user_ticks"),
            values("worker", entity, "system_ticks"),
            values("worker", entity, "resident_bytes"),
            *(values("thread_class", f"{entity}:{one}", "delay_ns") for one in sorted(set(classes))),
        )
    except Unreachable as error:
        return History(worker=name, problem=error.problem)
    return History(
        worker=name, cores=sums([user, system], all_known=True), waiting=sums(waiting), resident_bytes=resident
    )


def on_grid(series: Series, end: float) -> Values:
    """The points by their step; a step without one is not known."""
    found: Mapping[int, float | None] = {
        int((time - end) // STEP_SECONDS) + STEPS: value for time, value in series.points
    }
    return tuple(found.get(step) for step in range(STEPS))


def sums(parts: Sequence[Values], *, all_known: bool = False) -> Values:
    """Step by step; None where no part is known, and with `all_known` where one is not."""
    return tuple(_sum(values, all_known) for values in zip(*parts, strict=True))


def _sum(values: Sequence[float | None], all_known: bool) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and not (all_known and len(known) < len(values)) else None
