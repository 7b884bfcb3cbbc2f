"""What does a running agent answer of a moment that it has stored?

A process of its own works it out, one at a time; the moments around it come along, and are kept for whoever asks next.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from math import floor
from pathlib import Path

from advisor.board import timestamp
from advisor.documents import Problem, Snapshot, Timeline, TimelineStretch
from agent.http.deps import NotNow
from agent.http.past_snapshot import AnySnapshot, PastSnapshot
from agent.past.computed import Computed, Results
from agent.past.messages import unpacked
from agent.past.worker import Failed, Worker
from agent.store.stored_moments import StoredMoments
from collectors.reading import Instant

RANGE_SECONDS = 300
"""Moments are worked out so many seconds at a time: what comes before them takes most of the work."""
RANGE_MS = RANGE_SECONDS * 1000
MOST_BYTES = 64 << 20
"""Of what was worked out, on disk."""
MOST_WANTED = 4
"""Ranges that are wanted at once; who asked for the oldest is told to ask again."""
ABANDONED_SECONDS = 5.0
"""What nobody has asked for so long gives way to what somebody waits for."""
FAILED_SECONDS = 10.0
"""What has failed is not tried again sooner."""
MOST_MOMENTS = 10_000
DEFAULT_SPAN_SECONDS = 3600.0
_KEPT_SNAPSHOTS, _KEPT_FAILURES = 2, 32
"""A reader asks for the parts of one moment one after the other."""
log = logging.getLogger("nodewright.past")


@dataclass(slots=True)
class _Job:
    """A stretch that is wanted, or that is being worked out. `asked`: when somebody asked last (the loop's clock)."""

    number: int
    asked: float
    waiting: int = 0
    done: int = 0
    of: int = 0
    computed: Computed | None = None
    ended: bool = False
    problem: Problem | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self) -> None:
        """Wake whoever waits for it."""
        self.news.set()
        self.news = asyncio.Event()

    def end(self, problem: Problem | None) -> None:
        self.ended, self.problem = True, problem
        self.tell()

    def is_abandoned(self, now: float) -> bool:
        return not self.waiting and now - self.asked >= ABANDONED_SECONDS


class StoredPast:
    """All methods are called in the event loop's thread."""

    def __init__(self, db: Path, worker: Worker, newest: Callable[[], Snapshot | None]) -> None:
        """`db`: state.db. `newest`: what is known now."""
        self._folder = db.parent
        self._worker = worker
        self._newest = newest
        self._moments = StoredMoments(db)
        self._results = Results(MOST_BYTES)
        self._jobs: dict[int, _Job] = {}
        self._failed: dict[int, tuple[float, Problem]] = {}
        self._current: tuple[_Job, asyncio.Task[None]] | None = None
        self._runner: asyncio.Task[None] | None = None
        self._snapshots: dict[int, PastSnapshot] = {}

    async def timeline(self, since: float | None, until: float | None) -> Timeline | None:
        """The moments of that time, of the last hour where it is not said; None where nothing is stored."""
        return await asyncio.to_thread(self._timeline, since, until)

    async def at(self, seconds: float, wait_seconds: float) -> AnySnapshot | None:
        """The newest moment that is not after `seconds`; None: nothing so old is stored. Raises NotNow."""
        newest = self._newest()
        if newest is not None and seconds >= _seconds(newest.node.at) + 1:
            return newest
        until = (floor(seconds * 1000 + 0.001) + 1) / 1000  # moments are told to the millisecond
        found = await asyncio.to_thread(self._moments.times, 0.0, until, 1)
        if not found:
            return None
        time_ms = round(found[0] * 1000)
        return self._snapshots.get(time_ms) or await self._snapshot(time_ms, wait_seconds)

    async def close(self) -> None:
        """End what is being worked out."""
        tasks = [task for task in (self._runner, self._current[1] if self._current else None) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._results.close()

    def _timeline(self, since: float | None, until: float | None) -> Timeline | None:
        stretches = self._moments.stretches()
        if not stretches:
            return None
        ticks, judgements = self._moments.counts()
        last = stretches[-1].last_wall_ns
        end = last / 1e9 + 1 if until is None else until
        start = end - DEFAULT_SPAN_SECONDS if since is None else since
        return Timeline(
            first=timestamp(Instant(0, stretches[0].first_wall_ns)),
            last=timestamp(Instant(0, last)),
            ticks=ticks,
            judgements=judgements,
            moments=tuple(self._moments.times(start, end, MOST_MOMENTS)),
            stretches=tuple(
                TimelineStretch(first=one.first_wall_ns / 1e9, last=one.last_wall_ns / 1e9) for one in stretches
            ),
        )

    async def _snapshot(self, time_ms: int, wait_seconds: float) -> PastSnapshot:
        number, loop = time_ms // RANGE_MS, asyncio.get_running_loop()
        end = loop.time() + wait_seconds
        job: _Job | None = None
        while True:
            packed = self._packed(number, time_ms, nearest=job is not None and job.ended)
            if packed is not None:
                return await self._unpacked(time_ms, packed)
            job = self._job(number, loop.time())
            job.waiting += 1
            try:
                async with asyncio.timeout_at(end):
                    await job.news.wait()
            except TimeoutError:
                raise NotNow(_computing(job), 1.0) from None
            finally:
                job.waiting -= 1
                job.asked = loop.time()
            if job.problem is not None:
                raise NotNow(job.problem, FAILED_SECONDS)

    async def _unpacked(self, time_ms: int, packed: bytes) -> PastSnapshot:
        snapshot = await asyncio.to_thread(unpacked, packed)
        while len(self._snapshots) >= _KEPT_SNAPSHOTS:
            del self._snapshots[next(iter(self._snapshots))]
        self._snapshots[time_ms] = snapshot
        return snapshot

    def _packed(self, number: int, time_ms: int, *, nearest: bool) -> bytes | None:
        """The moment, where it was worked out; `nearest`: else the one before it, as some of what was stored of it is gone.
        Raises NotNow."""
        job = self._jobs.get(number)
        for computed in (self._results.get(number), job.computed if job is not None else None):
            if computed is None:
                continue
            found = computed.number_before(time_ms) if nearest else computed.number_of(time_ms)
            if found is not None:
                try:
                    return computed.packed(found)
                except OSError as error:
                    raise NotNow(_no_room(self._folder, error), FAILED_SECONDS) from error
        if nearest:
            gone = Problem("past.not-kept", "what was stored of this moment is gone", "ask for a later moment")
            raise NotNow(gone, None)
        return None

    def _job(self, number: int, now: float) -> _Job:
        """The one that works it out, begun where there is none. Raises NotNow where that failed a moment ago."""
        failed = self._failed.get(number)
        if failed is not None and now - failed[0] < FAILED_SECONDS:
            raise NotNow(failed[1], FAILED_SECONDS)
        job = self._jobs.get(number)
        if job is None:
            job = self._jobs[number] = _Job(number, now)
            self._make_room(now)
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        return job

    def _make_room(self, now: float) -> None:
        current = self._current[0] if self._current is not None else None
        while len(self._jobs) > MOST_WANTED:
            oldest = min((one for one in self._jobs.values() if one is not current), key=lambda one: one.asked)
            del self._jobs[oldest.number]
            oldest.end(Problem("past.busy", f"{MOST_WANTED} later requests are before it", "ask again"))
        if self._current is not None and self._current[0].is_abandoned(now):
            self._current[1].cancel()

    async def _run(self) -> None:
        """Work out what is wanted, what was asked for last first."""
        while self._jobs:
            job = max(self._jobs.values(), key=lambda one: (one.waiting > 0, one.asked))
            task = asyncio.create_task(self._work_out(job))
            self._current = (job, task)
            try:
                await asyncio.wait([task])
            finally:
                task.cancel()
                self._current = None
                self._jobs.pop(job.number, None)
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("working out the past failed", exc_info=error)
                job.end(Problem("past.failed", "the moment could not be worked out", "the agent's log has more"))
            elif not job.ended:
                job.end(Problem("past.busy", "something else was asked for meanwhile", "ask again"))

    async def _work_out(self, job: _Job) -> None:
        problem: Problem | None = None
        loop = asyncio.get_running_loop()

        def moment(time_ms: int, packed: bytes) -> None:
            try:
                computed.add(time_ms, packed)
            except OSError as error:
                raise Failed(_no_room(self._folder, error)) from error
            job.tell()

        def progress(done: int, of: int) -> None:
            job.done, job.of = done, of
            job.tell()

        try:
            computed = job.computed = Computed(self._folder)
            await self._worker.work_out(job.number * RANGE_MS, (job.number + 1) * RANGE_MS, moment, progress)
            self._results.put(job.number, computed)
            self._results.hold_bound()
        except Failed as failed:
            problem = failed.problem
        except OSError as error:
            problem = _no_room(self._folder, error)
        finally:
            if self._results.get(job.number) is not job.computed and job.computed is not None:
                job.computed.close()
                job.computed = None
        if problem is not None:
            self._failed = {job.number: (loop.time(), problem), **dict(list(self._failed.items())[:_KEPT_FAILURES])}
            log.warning("%s (%s)", problem.message, problem.hint)
        job.end(problem)


def _computing(job: _Job) -> Problem:
    done = f"{100 * job.done // job.of} %" if job.of else "not begun yet"
    return Problem("past.computing", f"being worked out: {done}", "ask again in a second")


def _no_room(folder: Path, error: OSError) -> Problem:
    message = f"no room for what is worked out in {folder}: {error.strerror or error}"
    return Problem("past.failed", message, "free some space")


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
