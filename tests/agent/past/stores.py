"""Stores as a running agent writes them: of a recorded run, and of made-up seconds."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from advisor.documents import Snapshot
from agent.config import Config
from agent.findings_log import FindingsLog
from agent.played import Played, play
from agent.recorded import settings_of
from agent.snapshots import Snapshots
from agent.store.documents import Documents
from agent.store.recorded_ticks import RecordedJudgement
from agent.store.replay import Replay
from agent.store.retention import Retention
from agent.store.ticks import Present, Run, Tick
from agent.store.writer import Writer
from bench.judging import Crowd
from collectors.entities import Service
from collectors.facts import ProcessFacts
from collectors.reading import Instant, Ok, Reading
from collectors.sample import Sample
from collectors.sources.threads import ThreadSample
from collectors.topology import Topology
from tests.agent.pieces import LOADED, write_pieces

SECOND = 1_000_000_000
COLLECTORS = {
    "core": "cpu", "memory": "memory", "listen": "sockets", "cgroup": "cgroup", "worker": "processes", "thread": "threads",
    "thread_class": "threads",
}  # fmt: skip


class Clock:
    """Stands where the last tick was."""

    def __init__(self) -> None:
        self.instant = Instant(0, 0)

    def now(self) -> Instant:
        return self.instant


class Storing:
    """Writes ticks into the store at `db`, one commit each."""

    def __init__(self, db: Path, retention: Retention | None = None) -> None:
        self.clock = Clock()
        self.writer = Writer(db, retention or Retention(), self.clock, {}, 1200)

    def begin(self, run: Run) -> None:
        self.writer.run = run

    def put(self, tick: Tick, documents: Documents | None = None) -> None:
        self.clock.instant = tick.at
        assert self.writer.write(tick.readings, documents or {}, (), [tick]), self.writer.problem

    def close(self) -> None:
        self.writer.close()


def run_at(wall_ns: int, **changes: object) -> Run:
    run = Run(
        started_ns=wall_ns, node="node-1", version="0.0.1", ticks_per_second=100, interval_ns=SECOND,
        topology=msgspec.json.encode(Topology(())),
    )  # fmt: skip
    return msgspec.structs.replace(run, **changes)


class Live:
    """What a recorded run said while it went on: snapshots by their instant (Unix nanoseconds), and its findings' history. The
    rules were told of no profiles, which are not stored."""

    def __init__(self, folder: Path) -> None:
        self.recording = write_pieces(folder)
        with closing(sqlite3.connect(self.recording)) as connection, connection:
            connection.execute("DELETE FROM profile_seen")
        self.documents: Documents = {}
        self.snapshots: dict[int, Snapshot] = {}
        self._log = FindingsLog(
            lambda kind, key, body: self.documents.update({(kind, key): body}),
            lambda kind, key: self.documents.update({(kind, key): None}),
        )
        self._taken: Snapshots | None = None
        self._threads: dict[str, ThreadSample] = {}
        play(LOADED, self.recording, self._look)
        del self.snapshots[max(self.snapshots)]  # the recorder judged once more when it ended

    def _look(self, played: Played, judgement: RecordedJudgement) -> None:
        self._taken = self._taken or Snapshots(played)
        snapshot = self._taken.take(0)
        self._log.take(snapshot, played.judging, judgement.at)
        self.snapshots[judgement.at.wall_ns] = snapshot

    def ticks(self) -> Iterator[Tick]:
        """As the agent would have kept them."""
        with Replay(self.recording) as replay:
            settings = replay.meta.settings or b""
            present = Present((), {}, settings)
            for tick in replay.ticks():
                if tick.change is not None:
                    services = [msgspec.json.decode(replay.document(n), type=Service) for n in tick.change.services]
                    facts = [msgspec.json.decode(replay.document(n), type=ProcessFacts) for n in tick.change.processes]
                    present = Present(tuple(services), {one.key: one for one in facts}, settings)
                judged = tick.at.wall_ns in self.snapshots
                readings = tuple(self._judged_busy(reading) for reading in tick.readings)
                yield Tick(at=tick.at, readings=readings, judged=judged, present=present)

    def _judged_busy(self, reading: Reading) -> Reading:
        """The recording is from a time in which threads that waited without running were not worth storing."""
        if reading.collector != "threads":
            return reading
        found: list[Sample] = []
        for sample in reading.samples:
            if isinstance(sample, ThreadSample):
                before = self._threads.get(sample.entity, sample)
                self._threads[sample.entity] = sample
                waited = (sample.delay_ns or 0) - (before.delay_ns or 0) >= 0.05 * SECOND
                sample = msgspec.structs.replace(sample, busy=int(bool(sample.busy) or waited))
            found.append(sample)
        return msgspec.structs.replace(reading, outcome=Ok(tuple(found)))

    def run(self, before_seconds: float = 0.5) -> Run:
        """That began so long before the first tick."""
        with Replay(self.recording) as replay:
            meta, first = replay.meta, next(replay.ticks()).at.wall_ns
        assert meta.topology is not None
        return Run(
            started_ns=first - round(before_seconds * 1e9), node=meta.node, version=meta.version,
            ticks_per_second=meta.ticks_per_second, interval_ns=SECOND, topology=meta.topology,
            rules=meta.rules,
        )  # fmt: skip

    def store(self, db: Path, before_seconds: float = 0.5) -> None:
        storing = Storing(db)
        storing.begin(self.run(before_seconds))
        for tick in self.ticks():
            storing.put(tick)
        storing.writer.write((), self.documents)
        storing.close()


def crowd_ticks(
    seconds: int,
    wall_ns: Callable[[int], int],
    *,
    mono_ns: int = 0,
    crowd: Crowd | None = None,
    config: Config | None = None,
) -> Iterator[Tick]:
    """So many seconds of a small crowd; `wall_ns`: of each second, whose monotonic instant is `mono_ns` and the second."""
    crowd = crowd or Crowd(services=2, workers=2)
    present = Present(crowd.services, crowd.facts(), settings_of(config or Config()))
    for second in range(seconds):
        _, samples = crowd.second()
        at = Instant(mono_ns + second * SECOND, wall_ns(second))
        yield Tick(at=at, readings=tuple(readings_of(at, samples)), judged=second % 2 == 1, present=present)


def readings_of(at: Instant, samples: Sequence[Sample]) -> Iterable[Reading]:
    for name in dict.fromkeys(COLLECTORS.values()):
        own = tuple(sample for sample in samples if COLLECTORS[sample.kind] == name)
        yield Reading(collector=name, at=at, duration_ns=100_000, cpu_ns=0, late_ns=0, outcome=Ok(own))
