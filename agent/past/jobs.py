"""Which stretches of the past are wanted, which of them is being worked out, and what came of it?

One process at a time; what was asked for last comes first, and what nobody waits for any more gives way.
"""

import asyncio
import errno
import logging
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from advisor.documents import Problem
from agent.http.deps import NotNow
from agent.past.computed import Computed, Results
from agent.past.worker import Failed, Worker

RANGE_SECONDS = 300
"""Moments are worked out so many seconds at a time: what comes before them takes most of the work."""
RANGE_MS = RANGE_SECONDS * 1000
MOST_BYTES = 64 << 20
"""Of what was worked out, on disk."""
LEAST_FREE_BYTES = 4 * MOST_BYTES
"""With less room on the disk the store itself may soon need it: nothing is worked out."""
MOST_WANTED = 4
"""Stretches that are wanted at once; who asked for the oldest is told to ask again."""
ABANDONED_SECONDS = 5.0
"""What nobody has asked for so long gives way to what somebody waits for."""
FAILED_SECONDS = 10.0
"""What has failed is not tried again sooner."""
_KEPT_FAILURES = 32
_ENDS = Problem("past.busy", "the agent ends", "ask again when it runs")
log = logging.getLogger("nodewright.past")


@dataclass(slots=True)
class Job:
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


class Jobs:
    """Stretches by their number, counted from 1970. All methods are called in the event loop's thread."""

    def __init__(self, folder: Path, worker: Worker) -> None:
        """`folder`: where what is worked out is kept, in files without names."""
        self.wanted: dict[int, Job] = {}
        self.results = Results(MOST_BYTES)
        self._folder = folder
        self._worker = worker
        self._failed: dict[int, tuple[float, Problem]] = {}
        self._current: tuple[Job, asyncio.Task[None]] | None = None
        self._runner: asyncio.Task[None] | None = None
        self._closing = False

    async def close(self) -> None:
        """End what is being worked out, and tell whoever waits."""
        self._closing = True
        wanted = list(self.wanted.values())
        tasks = [task for task in (self._runner, self._current[1] if self._current else None) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for job in wanted:
            job.end(_ENDS)
        self.results.close()

    def packed(self, number: int, time_ms: int, *, nearest: bool) -> bytes | None:
        """The moment, where it was worked out; `nearest`: else the one before it, as some of what was stored of it is gone.
        Raises NotNow."""
        job = self.wanted.get(number)
        for computed in (self.results.get(number), job.computed if job is not None else None):
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

    def job(self, number: int, now: float) -> Job:
        """The one that works it out, begun where there is none. Raises NotNow where that failed a moment ago, or all ends."""
        if self._closing:
            raise NotNow(_ENDS, FAILED_SECONDS)
        failed = self._failed.get(number)
        if failed is not None and now - failed[0] < FAILED_SECONDS:
            raise NotNow(failed[1], FAILED_SECONDS)
        job = self.wanted.get(number)
        if job is None:
            job = self.wanted[number] = Job(number, now)
            self._make_room(now)
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        return job

    def _make_room(self, now: float) -> None:
        current = self._current[0] if self._current is not None else None
        while len(self.wanted) > MOST_WANTED:
            oldest = min((one for one in self.wanted.values() if one is not current), key=lambda one: one.asked)
            del self.wanted[oldest.number]
            oldest.end(Problem("past.busy", f"{MOST_WANTED} later requests are before it", "ask again"))
        if self._current is not None and self._current[0].is_abandoned(now):
            self._current[1].cancel()

    async def _run(self) -> None:
        """Work out what is wanted, what was asked for last first."""
        while self.wanted:
            job = max(self.wanted.values(), key=lambda one: (one.waiting > 0, one.asked))
            task = asyncio.create_task(self._work_out(job))
            self._current = (job, task)
            try:
                await asyncio.wait([task])
            finally:
                task.cancel()
                self._current = None
                self.wanted.pop(job.number, None)
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("working out the past failed", exc_info=error)
                job.end(Problem("past.failed", "the moment could not be worked out", "the agent's log has more"))
            elif not job.ended:
                job.end(Problem("past.busy", "something else was asked for meanwhile", "ask again"))

    async def _work_out(self, job: Job) -> None:
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
            if shutil.disk_usage(self._folder).free < LEAST_FREE_BYTES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            computed = job.computed = Computed(self._folder)
            await self._worker.work_out(job.number * RANGE_MS, (job.number + 1) * RANGE_MS, moment, progress)
            self.results.put(job.number, computed)
            self.results.hold_bound()
        except Failed as failed:
            problem = failed.problem
        except OSError as error:
            problem = _no_room(self._folder, error)
        finally:
            if self.results.get(job.number) is not job.computed and job.computed is not None:
                job.computed.close()
                job.computed = None
        if problem is not None:
            self._failed = {job.number: (loop.time(), problem), **dict(list(self._failed.items())[:_KEPT_FAILURES])}
            log.warning("%s (%s)", problem.message, problem.hint)
        job.end(problem)


def _no_room(folder: Path, error: OSError) -> Problem:
    message = f"no room for what is worked out in {folder}: {error.strerror or error}"
    return Problem("past.failed", message, "free some space")
