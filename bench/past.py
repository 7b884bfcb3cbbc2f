"""How long does it take, and how much memory, to show a moment of the past from what a running agent has stored?

Of the node of `bench/judging.py` with more threads: 16 services with 128 workers and 2,048 threads, of which 384 are busy in
every second. 26 minutes of it are stored as the agent stores them; then the moments of five minutes are worked out, as for
whoever asks for one of them first.
"""

import asyncio
import resource
import sqlite3
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path

import msgspec

from agent.config import Config
from agent.past.worker import ProcessWorker
from agent.recorded import settings_of
from agent.store.retention import Retention
from agent.store.ticks import Present, Tick
from agent.store.writer import Writer
from agent.tick_log import run_of
from bench.judging import SECOND, Crowd
from collectors.collector import all_collectors
from collectors.host import Host
from collectors.reading import Instant, Ok, Reading
from collectors.sample import Sample

SECONDS = 1600
SLEEPING = 13
FIRST_MS = 1_790_001_300_000
"""Of the five minutes that are asked for: the time that is gone through before them is all there."""
LAUNCHER = Path(__file__).resolve().parent.parent / "nodewright.py"


class _Clock:
    def __init__(self) -> None:
        self.instant = Instant(0, 0)

    def now(self) -> Instant:
        return self.instant


def measure(folder: Path, rounds: int) -> None:
    """Store once, and work the last stretch out `rounds` times."""
    db = folder / "state.db"
    write(db, SECONDS)
    worker = ProcessWorker(db, [sys.executable, "-I", str(LAUNCHER), "past"])
    for _ in range(rounds):
        asyncio.run(_round(worker))


def write(db: Path, seconds: int) -> None:
    """A store of so many seconds of the crowd."""
    crowd, clock, kinds = Crowd(sleeping=SLEEPING), _Clock(), _collectors()
    writer = Writer(db, Retention(), clock, {}, 1200)
    present = Present(crowd.services, crowd.facts(), settings_of(Config()))
    run = run_of(Config(), Host.real())
    cpu = 0.0
    for second in range(seconds):
        now, samples = crowd.second()
        clock.instant = now
        began = msgspec.structs.replace(run, started_ns=now.wall_ns - 3600 * SECOND)
        writer.run = writer.run or began
        readings = _readings(now, samples, kinds)
        tick = Tick(at=now, readings=tuple(readings), judged=second % 2 == 0, present=present)
        before = time.thread_time()
        writer.write(readings, {}, (), [tick])
        cpu += time.thread_time() - before
    writer.close()
    shard = next(db.parent.glob("raw-*.db"))
    print(
        f"  stored {seconds} s: {shard.stat().st_size / seconds / 1e3:.1f} kB a second, "
        f"{_kept_bytes(shard) / seconds / 1e3:.2f} of them for ticks, and {cpu / seconds * 1e3:.1f} ms of the writer's CPU time"
    )


def _collectors() -> Mapping[str, str]:
    """Which collector brings a kind of samples, where it is one alone."""
    return {kind.kind: collector.name for collector in all_collectors() for kind in collector.samples}


def _readings(at: Instant, samples: Sequence[Sample], kinds: Mapping[str, str]) -> list[Reading]:
    of = {
        name: list(its) for name, its in groupby(sorted(samples, key=lambda s: kinds[s.kind]), lambda s: kinds[s.kind])
    }
    return [
        Reading(collector=name, at=at, duration_ns=100_000, cpu_ns=90_000, late_ns=200_000, outcome=Ok(tuple(its)))
        for name, its in of.items()
    ]


def _kept_bytes(shard: Path) -> int:
    """What the tables that tell of ticks take: their contents."""
    query = "SELECT sum(length(readings) + 24) FROM kept_tick UNION ALL SELECT sum(length(body)) FROM kept_document"
    more = "UNION ALL SELECT sum(length(body)) FROM kept_change UNION ALL SELECT sum(length(body)) FROM kept_threads"
    with closing(sqlite3.connect(shard)) as connection:
        return sum(row[0] or 0 for row in connection.execute(f"{query} {more}"))


async def _round(worker: ProcessWorker) -> None:
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    came: list[float] = []
    size = 0

    def moment(time_ms: int, packed: bytes) -> None:
        nonlocal size
        came.append(time.monotonic() - began)
        size += len(packed)

    await worker.work_out(FIRST_MS, FIRST_MS + 300_000, moment, lambda done, of: None)
    ended, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"  the first moment after {came[0]:.1f} s, the last of {len(came)} after {ended:.1f} s; {cpu:.1f} s of CPU time, at "
        f"most {after.ru_maxrss / 1024:.0f} MiB; {size / len(came) / 1e3:.0f} kB each",
        flush=True,
    )
