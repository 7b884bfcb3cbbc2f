"""How do readings and documents reach the files, and when does old data leave them?"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from agent.store.documents import Documents, write_documents
from agent.store.files import day_of
from agent.store.minutes import MINUTE_NS, MinuteAggregator, MinuteRow
from agent.store.open_files import OpenFiles
from agent.store.profiles import PreparedProfile, insert_profile
from agent.store.raw import RawFile, RowsOf
from agent.store.retention import (
    Retention,
    forget_old_minutes,
    forget_old_profiles,
    forget_old_trends,
    hold_cap,
    unlink_old,
)
from agent.store.state import StateFile
from agent.store.ticks import Run, Tick
from agent.store.trends import TrendRow, insert_trends
from collectors.host import Clock
from collectors.reading import Reading

RETRY_NS = 30_000_000_000
_MOST_MINUTE_ROWS = 20_000
_MOST_ROWS_OF = 10_000
MOST_PROFILES = 64
"""That wait; the oldest are dropped beyond that."""
MOST_TRENDS = 5000
"""Likewise: the minutes of a service in three days."""
MOST_TICKS = 150
"""Likewise. Their readings wait as well, and are dropped sooner."""


class Writer:
    """Everything that the one writing thread of a store does. What cannot be written waits, within bounds."""

    def __init__(
        self, state_path: Path, retention: Retention, clock: Clock, labels: Mapping[str, str], most_readings: int
    ) -> None:
        """Opens nothing yet. `labels` (entity → text) is read when an entity is first stored."""
        self._retention = retention
        self._clock = clock
        self._files = OpenFiles(state_path, labels)
        self._minutes = MinuteAggregator()
        self._readings: deque[Reading] = deque(maxlen=most_readings)
        self._minute_rows: deque[MinuteRow] = deque(maxlen=_MOST_MINUTE_ROWS)
        self._documents: Documents = {}
        self._profiles: deque[PreparedProfile] = deque(maxlen=MOST_PROFILES)
        self._trends: deque[TrendRow] = deque(maxlen=MOST_TRENDS)
        self.run: Run | None = None
        """That the ticks are of; without it none is kept."""
        self._ticks: deque[Tick] = deque(maxlen=MOST_TICKS)
        self._rows_of: RowsOf = {}
        self._opened = False
        self._kept_minute: int | None = None
        self._retry_at_ns: int | None = None
        self.dropped = 0
        """Readings that no longer fitted while files could not be written."""
        self.dropped_profiles = 0

    @property
    def problem(self) -> str | None:
        """What is wrong with the files: why nothing can be written now, and what was set aside since the start."""
        blocked = [self._files.blocked] if self._retry_at_ns is not None and self._files.blocked else []
        return "; ".join([*blocked, *self._files.damage]) or None

    def add_trends(self, rows: Iterable[TrendRow]) -> None:
        """Take in minutes and hours of services, to be stored with the next `write`."""
        self._trends += rows

    def write(
        self,
        readings: Iterable[Reading],
        documents: Documents,
        profiles: Iterable[PreparedProfile] = (),
        ticks: Iterable[Tick] = (),
    ) -> bool:
        """Store all that is given and all that waits; False while a file cannot be written (tried every 30 s)."""
        for reading in readings:
            self._minute_rows += self._minutes.add(reading)
            self.dropped += len(self._readings) == self._readings.maxlen
            self._readings.append(reading)
        self._documents.update(documents)
        for profile in profiles:
            self.dropped_profiles += len(self._profiles) == MOST_PROFILES
            self._profiles.append(profile)
        self._ticks += ticks
        now = self._clock.now()
        if self._retry_at_ns is not None and now.mono_ns < self._retry_at_ns:
            return False
        done = (
            self._write_state(now.wall_ns)
            and self._write_readings()
            and self._write_profiles()
            and self._keep(now.wall_ns)
        )
        self._retry_at_ns = None if done else now.mono_ns + RETRY_NS
        return done

    def close(self) -> None:
        """Store the open minute as well and close the files, which folds their logs into them."""
        self._minute_rows += self._minutes.finish()
        self._retry_at_ns = None
        self.write((), {})
        self._files.close()

    def _write_readings(self) -> bool:
        by_day: dict[int, list[Reading]] = {}
        for reading in self._readings:
            by_day.setdefault(day_of(reading.at.wall_ns), []).append(reading)
        for day, readings in by_day.items():
            insert = partial(RawFile.insert, readings=readings, rows_of=None if self.run is None else self._rows_of)
            if self._files.on_shard(day, insert) is None:
                return False
        self._readings.clear()
        return self._write_ticks()

    def _write_ticks(self) -> bool:
        """After the readings that they are of."""
        by_day: dict[int, list[Tick]] = {}
        for tick in self._ticks if self.run is not None else ():
            by_day.setdefault(day_of(tick.at.wall_ns), []).append(tick)
        for day, ticks in by_day.items():
            if self._files.on_shard(day, partial(self._insert_ticks, ticks=ticks)) is None:
                return False
        for tick in self._ticks:
            for reading in tick.readings:
                self._rows_of.pop((reading.collector, reading.at.mono_ns), None)
        self._ticks.clear()
        if len(self._rows_of) > _MOST_ROWS_OF:
            self._rows_of.clear()
        return True

    def _insert_ticks(self, shard: RawFile, ticks: Sequence[Tick]) -> bool:
        if shard.ticks is not None and self.run is not None:
            shard.ticks.insert(ticks, self.run, self._rows_of)
        return True

    def _write_state(self, wall_ns: int) -> bool:
        if self._opened and not (self._minute_rows or self._documents or self._trends):
            return True

        def work(state: StateFile) -> bool:
            state.insert_minutes(self._minute_rows)
            write_documents(state.connection, self._documents.items(), wall_ns // 1_000_000_000)
            if self._trends:
                insert_trends(state.connection, self._trends)
            return True

        self._opened = self._files.on_state(work) is not None
        if self._opened:
            self._minute_rows.clear()
            self._trends.clear()
            self._documents = {}
        return self._opened

    def _write_profiles(self) -> bool:
        """Each in a transaction of its own, so that a large one holds up nobody for long."""

        def work(state: StateFile) -> bool:
            insert_profile(state.connection, self._profiles[0])
            return True

        while self._profiles:
            if self._files.on_state(work) is None:
                return False
            self._profiles.popleft()
        return True

    def _keep(self, wall_ns: int) -> bool:
        """Once a minute: let go of what is too old or too much, and of files that are no longer written."""
        minute = wall_ns // MINUTE_NS
        if minute == self._kept_minute:
            return True
        self._kept_minute = minute
        today = day_of(wall_ns)
        self._files.close_missing()
        self._files.close_shards_but(today, day_of(wall_ns - 2 * MINUTE_NS))
        unlink_old(self._files, today, self._retention)
        return (
            forget_old_minutes(self._files, minute, self._retention)
            and forget_old_profiles(self._files, minute * 60, self._retention)
            and forget_old_trends(self._files, minute * 60, self._retention)
            and hold_cap(self._files, today, minute * 60, self._retention)
        )
