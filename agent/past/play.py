"""How is a stretch of the past judged again: which ticks before it are gone through, and what is known from elsewhere?

Of a moment as much before it is played as any rule looks back on single samples. What reaches back further is stored by itself:
minutes and hours of services and devices, what became of findings, and what changes brought.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec

from advisor.board import timestamp
from advisor.documents import Snapshot
from advisor.history import History
from advisor.ledger.snapshot import LedgerSnapshot
from agent.capacities import Capacities
from agent.config import Config
from agent.judging import Judging
from agent.ledger_log import kept
from agent.past.earlier import Earlier
from agent.past.moment import PastMoment, Window
from agent.past.sleepers import Sleepers
from agent.past.standing import Standing
from agent.played import Newest
from agent.prices import node_price
from agent.recorded import with_settings
from agent.store.files import day_of
from agent.store.reader import StoreReader
from agent.store.stored_moments import Stretch, within
from agent.store.stored_ticks import NotKept, StoredTick, StoredTicks
from agent.store.ticks import Present, Run
from collectors.reading import Instant
from collectors.topology import Topology

SECOND_NS = 1_000_000_000
THREADS_SECONDS = 330
"""Threads are looked at that long before the first judgement: no window of theirs is longer."""
JUDGED_SECONDS = 90
"""The rules judge that long before the first moment: a judgement is carried on for 30 s, and a finding opens after another."""
PICTURED_SECONDS = 10
"""Cores are told of the time since the moment before, which is no longer ago."""
_SLACK_SECONDS = 60
"""A clock that is slewed, and readings that were taken before the instant of their tick."""
Look = Callable[[Instant, Snapshot], None]
Progress = Callable[[int, int], None]


def play(
    state_path: Path, stretch: Stretch, since_ns: int, until_ns: int, look: Look,
    progress: Progress = lambda done, of: None,
) -> None:  # fmt: skip
    """Hand each moment of a stretch from `since_ns` to before `until_ns` (Unix time) to `look`, oldest first; `progress` is
    told how many ticks are done, of how many. Raises NotKept, and sqlite3.Error."""
    bounds = within(stretch, since_ns, until_ns)
    if bounds is None:
        return
    with StoredTicks(state_path, stretch.started_ns, _days(stretch, since_ns)) as stored:
        window = _window(stored, since_ns, *bounds)
        player = _Player(state_path, stored, window)
        count = stored.count(window.start_ns, window.last_ns)
        for number, tick in enumerate(stored.ticks(window.start_ns, window.last_ns, player.skips), 1):
            snapshot = player.tick(tick)
            if snapshot is not None and tick.at.mono_ns >= window.first_ns:
                look(tick.at, snapshot)
            progress(number, count)


def _days(stretch: Stretch, since_ns: int) -> range:
    """Of the ticks that are gone through. Where the clock was set over midnight meanwhile, that is less."""
    first = max(since_ns, stretch.first_wall_ns) - (Window.LOOK_BACK_SECONDS + _SLACK_SECONDS) * SECOND_NS
    return range(day_of(first), day_of(stretch.last_wall_ns) + 1)


def _window(stored: StoredTicks, since_ns: int, first_ns: int, last_ns: int) -> Window:
    oldest = stored.first_mono_ns()
    if oldest is None:
        raise NotKept("the ticks of that time are not stored any more")
    start = max(oldest, first_ns - Window.LOOK_BACK_SECONDS * SECOND_NS)
    whole = start == oldest and stored.begins_with(oldest)
    return Window(start_ns=start, first_ns=first_ns, last_ns=last_ns, first_wall_ns=since_ns, whole_run=whole)


class _Player:
    """Goes through ticks as the running agent did, with what it knew then."""

    def __init__(self, state_path: Path, stored: StoredTicks, window: Window) -> None:
        run, self._window = stored.run, window
        self._stored = stored
        reader = StoreReader(state_path)
        self._history = History(run.ticks_per_second)
        topology = msgspec.json.decode(run.topology, type=Topology)
        self._history.know_cpus(topology)
        self._settings = stored.present(window.start_ns).settings
        judging = self._judging = Judging(self._config(), self._history, lambda: self._moment.now)
        judging.cpu = topology.features
        self._newest = Newest()
        self._standing = Standing(reader.turns(), {one.id: one for one in reader.findings()})
        self._moment = PastMoment(judging, self._newest, topology, run, window, self._standing)
        self._moment.price = node_price(self._config().prices)
        self._earlier = Earlier(reader, self._history, judging, run.started_ns / SECOND_NS)
        self._sleepers = Sleepers(self._history)
        self._knows_sleepers = False
        self._services: frozenset[str] = frozenset()
        self._devices: set[str] = set()
        self._muted: frozenset[str] = frozenset()
        self._begun = False
        self._recall(reader, run)

    def skips(self, kind: str, mono_ns: int) -> bool:
        """Threads are most of what is stored, and matter for a few minutes only."""
        return kind == "thread" and not self._sees_threads(mono_ns)

    def tick(self, tick: StoredTick) -> Snapshot | None:
        """Go through one; the moment, where the rules judged after it and its pictures are wanted. One of which something is
        gone is passed over, but for what was there from then on."""
        seconds = tick.at.wall_ns / SECOND_NS
        if not self._begun:
            self._learn(self._stored.present(tick.at.mono_ns), seconds)
        elif tick.present is not None:
            self._learn(tick.present, seconds)
        self._know_sleepers(tick)
        self._begun = True
        if not tick.whole:
            self._moment.lost(tick.at)
            return None
        threads = self._sees_threads(tick.at.mono_ns)
        for reading in tick.readings:
            taken = self._sleepers.joined(reading) if threads else reading
            self._history.add(taken)
            self._newest.take(taken)
        self._history.end_tick(self._moment.services, tick.at)
        self._moment.ticked(tick.at)
        if not tick.judged or not self._judges(tick.at.mono_ns):
            if tick.judged:
                for service in self._moment.services:
                    self._earlier.catch_up(service, seconds)
            return None
        return self._judge(tick.at)

    def _judge(self, now: Instant) -> Snapshot | None:
        self._standing.until(now.wall_ns)
        if not self._moment.judgements and not self._window.whole_run:
            behind = now.wall_ns - now.mono_ns
            stood = self._standing.first_seen()
            found = {name: Instant(first.wall_ns - behind, first.wall_ns) for name, first in stood.items()}
            self._judging.board.recall(found)
        self._mute()
        self._judging.judge(self._moment.services, now)
        self._moment.judgements += 1
        if now.mono_ns < self._window.first_ns - PICTURED_SECONDS * SECOND_NS:
            return None
        snapshot = self._moment.take()
        for gpu in snapshot.node.gpus:
            if gpu.uuid not in self._devices:
                self._devices.add(gpu.uuid)
                self._earlier.device(gpu.uuid, now.wall_ns / SECOND_NS)
        return snapshot

    def _mute(self) -> None:
        """Findings are acknowledged and snoozed as they were then."""
        board, muted = self._judging.board, self._standing.muted
        for name in self._muted - muted.keys():
            board.acknowledge(name, None)
        board.restore(muted)
        self._muted = frozenset(muted)

    def _learn(self, present: Present, seconds: float) -> None:
        if present.settings != self._settings:
            self._settings = present.settings
            config = self._config()
            self._judging.reconfigure(config, present.services, present.facts)
            self._moment.price = node_price(config.prices)
        if self._begun and (present.services, present.facts) == (self._moment.services, self._moment.facts):
            return  # as at the beginning of a day, where all is said again
        self._moment.services, self._moment.facts = present.services, present.facts
        self._judging.learn(present.services, present.facts)
        self._sleepers.keep_only(frozenset(w.key.entity for s in present.services for w in s.workers))
        names = frozenset(service.id for service in present.services)
        for service in present.services:
            if service.id not in self._services:
                if self._begun or self._window.whole_run:
                    self._earlier.appeared(service, seconds)
                else:
                    self._earlier.resume(service, seconds)
        self._services = names

    def _config(self) -> Config:
        return with_settings(Config(), self._settings, self._stored.run.node)

    def _know_sleepers(self, tick: StoredTick) -> None:
        if not self._sees_threads(tick.at.mono_ns):
            return
        if not self._knows_sleepers:
            self._knows_sleepers = True
            self._sleepers.know(self._stored.asleep(tick.at.mono_ns), all_of_them=True)
        elif tick.asleep is not None:
            self._sleepers.know(tick.asleep, all_of_them=tick.all_asleep)

    def _sees_threads(self, mono_ns: int) -> bool:
        first = self._window.first_ns - (JUDGED_SECONDS + THREADS_SECONDS) * SECOND_NS
        return self._window.whole_run or mono_ns >= first

    def _judges(self, mono_ns: int) -> bool:
        return self._window.whole_run or mono_ns >= self._window.first_ns - JUDGED_SECONDS * SECOND_NS

    def _recall(self, reader: StoreReader, run: Run) -> None:
        """Outcomes that were final by then, and load tests that had been made."""
        until = timestamp(Instant(0, self._window.first_wall_ns))
        known = kept(reader.outcomes(), ())
        final = (one for one in known.outcomes if one.final and one.measured_at is not None)
        outcomes = tuple(one for one in final if (one.measured_at or "") <= until)
        self._judging.recall(LedgerSnapshot(outcomes=outcomes))
        capacities = Capacities(lambda kind, key, body: None, lambda kind, key: None)
        capacities.restore(reader.capacities(), timestamp(Instant(0, run.started_ns)), until)
        self._judging.measured_of = capacities.measured
