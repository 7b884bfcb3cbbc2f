"""A loop whose clock jumps to whatever is due next, and a queue that is worked out instead of waited for."""

import asyncio
import heapq
import selectors
from collections.abc import Coroutine
from itertools import takewhile
from typing import Any, TypeVar

from agent.loadtest.arrivals import Pattern, arrivals
from agent.loadtest.outcome import Outcome
from agent.loadtest.step import Effort, Limits, Step, step_of

T = TypeVar("T")
EFFORT = Effort(seconds=10.0, cores=0.1)


class _Jumping(selectors.SelectSelector):
    """Takes no time: what would have been waited is added to `now`."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        self.now += max(0.0, timeout or 0.0)
        return super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run_jumping(coroutine: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(coroutine)


def queue_outcomes(
    rate: float, seconds: float, *, service_seconds: float, servers: int = 1, pattern: Pattern = "constant",
    seed: int = 1, stall_at: float | None = None, stall_seconds: float = 0.0,
) -> list[Outcome]:  # fmt: skip
    """G/D/c: requests in order, each taking `service_seconds` on the server that is free first. At `stall_at` all servers
    stop for `stall_seconds`."""
    free = [0.0] * servers
    outcomes = []
    for due in takewhile(lambda due: due < seconds, arrivals(rate, pattern, seed)):
        begin = max(due, heapq.heappop(free))
        if stall_at is not None and stall_at <= begin < stall_at + stall_seconds:
            begin = stall_at + stall_seconds
        heapq.heappush(free, begin + service_seconds)
        outcomes.append(Outcome(planned=due, sent=due, ended=begin + service_seconds))
    return outcomes


def queue_step(rate: float, limits: Limits, seconds: float = 10.0, **queue: Any) -> Step:
    return step_of(rate, queue_outcomes(rate, seconds, **queue), EFFORT, limits)
