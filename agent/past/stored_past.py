"""What does a running agent answer of a moment that it has stored?

A process of its own works it out, one at a time; the moments around it come along, and are kept for whoever asks next.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from math import floor
from pathlib import Path

from advisor.board import timestamp
from advisor.documents import Problem, Snapshot, Timeline, TimelineStretch
from agent.http.deps import NotNow
from agent.http.past_snapshot import AnySnapshot, PastSnapshot
from agent.past.jobs import FAILED_SECONDS, RANGE_MS, Job, Jobs
from agent.past.messages import unpacked
from agent.past.worker import Worker
from agent.store.stored_moments import StoredMoments
from collectors.reading import Instant

MOST_MOMENTS = 10_000
DEFAULT_SPAN_SECONDS = 3600.0
_KEPT_SNAPSHOTS = 2
"""A reader asks for the parts of one moment one after the other."""


class StoredPast:
    """All methods are called in the event loop's thread."""

    def __init__(self, db: Path, worker: Worker, newest: Callable[[], Snapshot | None]) -> None:
        """`db`: state.db. `newest`: what is known now."""
        self._newest = newest
        self._moments = StoredMoments(db)
        self.jobs = Jobs(db.parent, worker)
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
        await self.jobs.close()

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
        job: Job | None = None
        while True:
            packed = self.jobs.packed(number, time_ms, nearest=job is not None and job.ended)
            if packed is not None:
                return await self._unpacked(time_ms, packed)
            job = self.jobs.job(number, loop.time())
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


def _computing(job: Job) -> Problem:
    done = f"{100 * job.done // job.of} %" if job.of else "not begun yet"
    return Problem("past.computing", f"being worked out: {done}", "ask again in a second")


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
