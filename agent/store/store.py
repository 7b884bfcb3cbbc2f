"""How does the rest of the agent hand over what it wants kept, without ever waiting for a disk?"""

from collections import deque
from pathlib import Path
from threading import Condition, Thread

from advisor.profiling.stored import StoredProfile
from agent.store.documents import DocumentKind, Documents, check
from agent.store.files import size_bytes
from agent.store.lock import WriterLock
from agent.store.profiles import PreparedProfile, prepare
from agent.store.retention import Retention
from agent.store.ticks import Run, Tick
from agent.store.trends import TrendRow
from agent.store.writer import MOST_PROFILES, MOST_TICKS, MOST_TRENDS, Writer
from collectors.host import Clock
from collectors.reading import Reading

COMMIT_SECONDS = 1.0
"""What was put is committed about this long after it: SIGKILL loses two seconds at most."""
MOST_QUEUED = 1200
"""Readings: about 100 s of a node's. The oldest are dropped beyond that."""


class Store:
    """The state file and its raw shards, written by one thread. All methods may be called from any thread.

    A kill costs the rows of the last two seconds, and the minute rows of the open minute; `close` costs nothing.
    """

    def __init__(self, state_path: Path, writer: Writer, lock: WriterLock) -> None:
        """Use `open`."""
        self._path = state_path
        self._writer = writer
        self._lock = lock
        self._condition = Condition()
        self._queue: deque[Reading] = deque(maxlen=MOST_QUEUED)
        self._documents: Documents = {}
        self._profiles: deque[PreparedProfile] = deque(maxlen=MOST_PROFILES)
        self._trends: deque[TrendRow] = deque(maxlen=MOST_TRENDS)
        self._ticks: deque[Tick] = deque(maxlen=MOST_TICKS)
        self._dropped = 0
        self._dropped_profiles = 0
        self._asked = 1
        self._answered = 0
        self._all_written = False
        self._closing = False
        self._thread = Thread(target=self._run, name="store-writer", daemon=True)

    @classmethod
    def open(
        cls, state_path: Path, *, retention: Retention, clock: Clock, labels: dict[str, str] | None = None
    ) -> "Store":
        """Open or create the files and start the writer. Files that cannot be written make a `problem`, no error.

        `labels` names entities for people; it is read, also later, when an entity is first stored.
        Raises AlreadyRunning where another process holds the database, OSError where its folder cannot be used.
        """
        state_path.parent.mkdir(parents=True, exist_ok=True)
        lock = WriterLock(state_path)
        writer = Writer(state_path, retention, clock, {} if labels is None else labels, MOST_QUEUED)
        store = cls(state_path, writer, lock)
        store._thread.start()
        store.flush(10.0)
        return store

    @property
    def problem(self) -> str | None:
        """One line on what is wrong with the files; None while all is well."""
        if not self._thread.is_alive() and not self._closing:
            return "the store's writer ended unexpectedly; see the log and restart nodewright"
        return self._writer.problem

    @property
    def dropped(self) -> int:
        """Readings that were not stored because the disk could not keep up or could not be written."""
        return self._dropped + self._writer.dropped

    @property
    def dropped_profiles(self) -> int:
        """Profiles that were not stored, for the same reasons."""
        return self._dropped_profiles + self._writer.dropped_profiles

    def put(self, reading: Reading) -> None:
        """Queue a reading. Never blocks: the oldest one is dropped where the queue is full."""
        with self._condition:
            self._dropped += len(self._queue) == MOST_QUEUED
            self._queue.append(reading)

    def save_document(self, kind: DocumentKind, key: str, body: bytes) -> None:
        """Queue a finding, an acknowledgement or a service's facts (JSON); the newest body of a key counts.

        Raises msgspec.DecodeError where `body` lacks what its kind needs.
        """
        check(kind, body)
        with self._condition:
            self._documents[kind, key] = body

    def forget_document(self, kind: DocumentKind, key: str) -> None:
        """Queue the removal of a document; one that is not there is no error."""
        with self._condition:
            self._documents[kind, key] = None

    def put_profile(self, profile: StoredProfile) -> None:
        """Queue a profile; one of the same id is replaced. Never blocks: the oldest is dropped where the queue is full.

        Raises ValueError for a number that cannot be stored.
        """
        prepared = prepare(profile)
        with self._condition:
            self._dropped_profiles += len(self._profiles) == MOST_PROFILES
            self._profiles.append(prepared)

    def put_trend(self, row: TrendRow) -> None:
        """Queue a minute or an hour of a service. Never blocks: the oldest is dropped where the queue is full."""
        with self._condition:
            self._trends.append(row)

    def begin_run(self, run: Run) -> None:
        """Keep ticks from now on, as those of this run of the agent. Call it once, before the first."""
        self._writer.run = run

    def put_tick(self, tick: Tick) -> None:
        """Queue a tick whose readings were put. Never blocks: the oldest is dropped where the queue is full."""
        with self._condition:
            self._ticks.append(tick)

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until all that was queued before is committed; False if it was not within the time, or cannot be."""
        with self._condition:
            self._asked += 1
            asked = self._asked
            self._condition.notify_all()
            answered = self._condition.wait_for(lambda: self._answered >= asked, timeout_seconds)
            return answered and self._all_written

    def close(self, timeout_seconds: float) -> bool:
        """Store everything, the open minute included, and end the writer; False if a hung disk did not let it."""
        with self._condition:
            self._closing = True
            self._condition.notify_all()
        self._thread.join(timeout_seconds)
        if self._thread.is_alive():
            return False
        self._lock.release()
        return True

    def size_bytes(self) -> int:
        """What the files take on disk."""
        return size_bytes(self._path)

    def _run(self) -> None:
        closing = False
        while not closing:
            with self._condition:
                self._condition.wait_for(self._is_wanted, COMMIT_SECONDS)
                closing, asked = self._closing, self._asked
                readings, self._queue = self._queue, deque(maxlen=MOST_QUEUED)
                documents, self._documents = self._documents, {}
                profiles, self._profiles = self._profiles, deque(maxlen=MOST_PROFILES)
                trends, self._trends = self._trends, deque(maxlen=MOST_TRENDS)
                ticks, self._ticks = self._ticks, deque(maxlen=MOST_TICKS)
            self._writer.add_trends(trends)
            written = self._writer.write(readings, documents, profiles, ticks)
            if closing:
                self._writer.close()
            with self._condition:
                self._answered, self._all_written = asked, written
                self._condition.notify_all()

    def _is_wanted(self) -> bool:
        return self._closing or self._answered < self._asked
