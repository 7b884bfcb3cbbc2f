"""How is one rate offered, so that what is slow never delays the schedule?

A request that is due while as many as allowed are under way is not sent and counts as dropped. Nothing waits for an answer
but the end of the step, which lets what is under way end.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from agent.loadtest.outcome import DROPPED, TIMEOUT, Outcome
from agent.loadtest.step import Effort

LEAD_SECONDS = 0.01
Clock = Callable[[], float]
"""Seconds after the begin of the step."""
Send = Callable[[Outcome, Clock], Awaitable[None]]
"""Sends one request and writes into the outcome what became of it. Raises nothing but CancelledError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One step. `due`: seconds after its begin, without end. It lasts `seconds`, up to `most_seconds` while unsteady."""

    due: Iterator[float]
    seconds: float
    most_seconds: float
    most_requests: int
    most_in_flight: int
    drain_seconds: float
    """How long to wait for the answers after the last request was due."""
    window_seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Offered:
    outcomes: list[Outcome]
    effort: Effort


class Watching:
    """Decides at the end of each window whether a step goes on."""

    def __init__(self, plan: Plan, hopeless: Callable[[list[Outcome], float], bool],
                 steady: Callable[[list[Outcome], float], bool]) -> None:  # fmt: skip
        self._plan = plan
        self._hopeless = hopeless
        self._steady = steady
        self._boundary = plan.window_seconds

    def goes_on(self, outcomes: list[Outcome], due: float) -> bool:
        """Whether the request that is due then is still part of the step."""
        if due >= self._plan.most_seconds or len(outcomes) >= self._plan.most_requests:
            return False
        if due < self._boundary:
            return True
        self._boundary += self._plan.window_seconds * (1 + (due - self._boundary) // self._plan.window_seconds)
        if due >= self._plan.seconds:
            return not self._steady(outcomes, due)
        return due < self._plan.seconds / 2 or not self._hopeless(outcomes, due)


async def offer(plan: Plan, send: Send, watching: Watching) -> Offered:
    """Offer the step and wait for what is under way. What does not end within the drain counts as timed out."""
    loop = asyncio.get_running_loop()
    begin = loop.time() + LEAD_SECONDS
    cpu = time.process_time()
    outcomes: list[Outcome] = []
    flying: set[asyncio.Task[None]] = set()

    def clock() -> float:
        return loop.time() - begin

    try:
        for due in plan.due:
            await asyncio.sleep(max(0.0, due - clock()))
            if not watching.goes_on(outcomes, due):
                break
            outcome = Outcome(due)
            outcomes.append(outcome)
            if len(flying) >= plan.most_in_flight:
                outcome.failure = DROPPED
                continue
            task = asyncio.ensure_future(send(outcome, clock))
            flying.add(task)
            task.add_done_callback(flying.discard)
        effort = Effort(seconds=clock(), cores=(time.process_time() - cpu) / max(clock(), 1e-9))
        if flying:
            await asyncio.wait(set(flying), timeout=plan.drain_seconds)
    finally:
        left = set(flying)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
    for outcome in outcomes:
        if outcome.ended is None and outcome.failure is None:
            outcome.ended, outcome.failure = clock(), TIMEOUT
    return Offered(outcomes, effort)
