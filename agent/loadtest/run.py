"""How does a load test go, from the first request to what was learnt?"""

import asyncio
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import msgspec

from agent.client import Client
from agent.errors import CliError
from agent.loadtest.agent_link import KnownService, tell
from agent.loadtest.arrivals import arrivals
from agent.loadtest.knee import KneeSearch
from agent.loadtest.limits import limits_of
from agent.loadtest.offering import Plan, Watching, offer
from agent.loadtest.options import LoadTestOptions
from agent.loadtest.payload import Payload, find_payload
from agent.loadtest.probe import Unloaded, first_answer, settled, unloaded
from agent.loadtest.report import Ended, LoadTestReport, capacity_of
from agent.loadtest.sending import Sender, open_session
from agent.loadtest.steadiness import has_settled, is_hopeless
from agent.loadtest.step import Limits, Step, step_of
from agent.loadtest.target import Target

LEAST_REQUESTS = 20
WINDOWS_PER_STEP = 5
LATENCIES_PER_STEP = 5.0
FIRST_RATIO = 0.5
"""The first rate, of what one request after the other makes."""
Say = Callable[[Step], None]


@dataclass(slots=True)
class LoadTest:
    """One run. `known` None: no agent knows the service. `steps` grow while it runs."""

    options: LoadTestOptions
    target: Target
    client: Client | None = None
    known: KnownService | None = None
    slo_p99_seconds: float | None = None
    say: Say = lambda step: None
    steps: list[Step] = field(default_factory=list)
    ended: Ended = "found"
    _requests: int = 0
    _deadline: float = 0.0

    async def run(self) -> LoadTestReport:
        """Raises CliError where nothing can be measured; SIGINT ends it with what was learnt."""
        options = self.options
        self._deadline = time.monotonic() + options.seconds
        session = open_session(self.target, options.headers, options.timeout_seconds, options.fresh_connections)
        async with session:
            payload = await find_payload(self.target.url, options.wanted, session)
            await first_answer(session, payload)
            sender = Sender(session, payload)
            alone = await unloaded(sender, options.seconds / 20)
            limits = limits_of(options, alone, self.slo_p99_seconds)
            search = KneeSearch(min(options.max_rate, FIRST_RATIO / alone.p50), options.max_rate)
            climbing = asyncio.ensure_future(self._climb(search, sender, alone, limits))
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGINT, climbing.cancel)
            try:
                await climbing
            except asyncio.CancelledError:
                self.ended = "interrupted"
            finally:
                loop.remove_signal_handler(signal.SIGINT)
        report = self._report(payload, alone, limits, search)
        return await asyncio.to_thread(self._told, report)

    async def _climb(self, search: KneeSearch, sender: Sender, alone: Unloaded, limits: Limits) -> None:
        """Offer rate after rate until the search is done, or time or requests are used up."""
        while not search.done:
            seconds = self._step_seconds(search.rate, alone)
            if seconds is None:
                return
            step = await self._step(search.rate, seconds, sender, limits)
            self.steps.append(step)
            self.say(step)
            search.take(step)
            if not step.kept_up:
                await settled(sender, limits.latency_p99, min(self.options.timeout_seconds, self._left()))
        if search.bad is None:
            self.ended = "generator" if search.saturated is not None else "max-rate"

    async def _step(self, rate: float, seconds: float, sender: Sender, limits: Limits) -> Step:
        options = self.options
        window = options.step_seconds / WINDOWS_PER_STEP
        plan = Plan(
            due=arrivals(rate, options.pattern, options.seed + len(self.steps)),
            seconds=seconds,
            most_seconds=max(seconds, min(2 * seconds, self._left() - options.step_seconds)),
            most_requests=options.max_requests - self._requests,
            most_in_flight=options.max_in_flight,
            drain_seconds=max(1.0, min(options.timeout_seconds, self._left())),
            window_seconds=window,
        )
        hopeless = partial(is_hopeless, planned_requests=rate * seconds, limit_seconds=limits.latency_p99)
        settled_down = partial(has_settled, window_seconds=window, limit_seconds=limits.latency_p99)
        offered = await offer(plan, sender.send, Watching(plan, hopeless, settled_down))
        self._requests += len(offered.outcomes)
        return step_of(rate, offered.outcomes, offered.effort, limits)

    def _step_seconds(self, rate: float, alone: Unloaded) -> float | None:
        """How long the next step takes: enough requests, and long against their latency. None: what is left is too little."""
        seconds = max(self.options.step_seconds, min(LEAST_REQUESTS / rate, self.options.seconds / 4))
        seconds = max(seconds, min(LATENCIES_PER_STEP * alone.p99, self.options.seconds / 4))
        if seconds > self._left():
            self.ended = "time"
            return None
        if rate * seconds > self.options.max_requests - self._requests:
            self.ended = "max-requests"
            return None
        return seconds

    def _left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def _report(self, payload: Payload, alone: Unloaded, limits: Limits, search: KneeSearch) -> LoadTestReport:
        return LoadTestReport(
            url=str(payload.url),
            at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            arrivals=self.options.pattern,
            seed=self.options.seed,
            unloaded_p50_seconds=alone.p50,
            unloaded_p99_seconds=alone.p99,
            latency_limit_seconds=limits.latency_p99,
            first_token_limit_seconds=limits.first_token_p99,
            steps=tuple(self.steps),
            kept_up_per_second=search.good,
            fell_behind_per_second=search.bad,
            ended=self.ended,
            service=None if self.known is None else self.known.name,
            workers=None if self.known is None else self.known.workers,
            told=None,
            notes=payload.notes,
        )

    def _told(self, report: LoadTestReport) -> LoadTestReport:
        """Give the result to the agent; the report with what came of it."""
        if self.client is None or self.known is None:
            return report
        result = capacity_of(report, self.known.generation)
        if result is None or report.ended == "interrupted":
            return msgspec.structs.replace(report, told="the agent is not told, as the test did not come to an end")
        try:
            tell(self.client, self.known, result)
            told = f"the agent knows it now as the capacity of {self.known.name}"
        except CliError as refused:
            told = f"the agent does not take it: {refused.message} ({refused.hint})"
        return msgspec.structs.replace(report, told=told)
