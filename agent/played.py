"""How is a recording judged again: the same readings through the same history, at the same instants, by today's rules?"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from advisor.board import Acknowledged
from advisor.catalogue import versions
from advisor.documents import AdviceDocument
from advisor.history import History
from advisor.ledger.snapshot import LedgerSnapshot
from advisor.profiling.view import ProfileView
from agent.config import Config, LoadedConfig
from agent.judging import Judging
from agent.latest import Latest
from agent.old_recording import facts_of, inferred_ticks
from agent.recorded import with_settings
from agent.sampler import Beat
from agent.store.errors import BadRecording
from agent.store.recorded_ticks import RecordedJudgement, RecordedProfile, RecordedTick
from agent.store.recording import RecordingMeta
from agent.store.replay import Replay
from collectors.collector import all_collectors
from collectors.entities import Service
from collectors.facts import ProcessFacts
from collectors.reading import Instant, Ok, Reading
from collectors.topology import Topology

T = TypeVar("T")


@dataclass(slots=True)
class Played:
    """A recording while it plays, and at its end. `changed`: rules that are not those of then; None = it does not say."""

    services: tuple[Service, ...]
    judging: Judging
    newest: "Newest"
    topology: Topology
    now: Instant
    beat: Beat
    changed: tuple[str, ...] | None = None
    judgements: int = 0

    @property
    def advice(self) -> AdviceDocument:
        return self.judging.document(self.services, self.now)

    @property
    def latest(self) -> Latest:
        """What was read last of everything, up to now."""
        return self.newest.given()


Look = Callable[[Played, RecordedJudgement], None]
"""Called after each judgement."""


def play(loaded: LoadedConfig, path: Path, look: Look = lambda played, judgement: None) -> Played:
    """Play the whole file, with the settings that were in force then. Raises BadRecording where it is none."""
    with Replay(path) as replay, _readable(path):
        player = _Player(loaded.config, replay)
        for tick in replay.ticks() if replay.has_ticks else inferred_ticks(replay.readings()):
            player.tick(tick, look)
        if not player.played.beat.ticks:
            raise BadRecording(path, "holds no reading", "record for longer")
        if not player.played.judgements:
            player.judge(RecordedJudgement(number=0, at=player.played.now), look)
        return player.played


class _Player:
    def __init__(self, config: Config, replay: Replay) -> None:
        meta = replay.meta
        self._replay = replay
        self._history = History(meta.ticks_per_second)
        self._documents: dict[tuple[type, int], object] = {}
        self._profiles: dict[tuple[str, int], ProfileView] = {}
        topology = Topology(()) if meta.topology is None else msgspec.json.decode(meta.topology, type=Topology)
        self._history.know_cpus(topology)
        judging = Judging(settings(config, meta), self._history, lambda: self.played.now)
        judging.cpu = topology.features
        judging.profile_of = self._profile
        if meta.ledger is not None:
            judging.recall(msgspec.json.decode(meta.ledger, type=LedgerSnapshot))
        self._newest = Newest()
        self.played = Played((), judging, self._newest, topology, Instant(0, 0), Beat(), changed_rules(meta.rules))
        if meta.facts is not None:
            known = facts_of(meta.facts)
            self._learn(known.services, known.processes)

    def tick(self, tick: RecordedTick, look: Look) -> None:
        """One tick with the judgements after it, in the order of a running agent."""
        played = self.played
        if tick.change is not None:
            services = self._all(Service, tick.change.services)
            self._learn(services, self._all(ProcessFacts, tick.change.processes))
        for finding, body in tick.acknowledged.items():
            self._acknowledge(finding, body)
        for reading in tick.readings:
            self._history.add(reading)
            self._newest.take(reading)
        played.now = tick.at
        self._history.end_tick(played.services, tick.at)
        played.beat.ticks += 1
        for judgement in tick.judgements:
            self.judge(judgement, look)

    def judge(self, judgement: RecordedJudgement, look: Look) -> None:
        self._profiles = {(seen.service, seen.generation): self._view(seen) for seen in judgement.profiles}
        self.played.now = judgement.at
        self.played.judging.judge(self.played.services, judgement.at)
        self.played.judgements += 1
        look(self.played, judgement)

    def _learn(self, services: Sequence[Service], processes: Iterable[ProcessFacts]) -> None:
        self.played.services = tuple(services)
        self.played.judging.learn(self.played.services, {known.key: known for known in processes})

    def _acknowledge(self, finding: str, body: bytes | None) -> None:
        if body is None:
            self.played.judging.acknowledge(finding, None)
        else:
            self.played.judging.board.restore({finding: msgspec.json.decode(body, type=Acknowledged)})

    def _profile(self, service: Service, generation: int) -> ProfileView | None:
        """What the judgement that is going on was told then."""
        return self._profiles.get((service.id, generation))

    def _view(self, seen: RecordedProfile) -> ProfileView:
        return msgspec.structs.replace(self._one(ProfileView, seen.document), age_seconds=seen.age_seconds)

    def _all(self, kind: type[T], numbers: Iterable[int]) -> list[T]:
        return [self._one(kind, number) for number in numbers]

    def _one(self, kind: type[T], number: int) -> T:
        """A document, read once."""
        known = self._documents.get((kind, number))
        if not isinstance(known, kind):
            known = self._documents[kind, number] = msgspec.json.decode(self._replay.document(number), type=kind)
        return known


class Newest:
    """What of all readings can still be seen: the newest of each collector, and the newest that read anything. Handed on when
    somebody looks, as most are replaced before."""

    def __init__(self) -> None:
        self._kinds = {c.name: c.samples for c in all_collectors()}
        self._latest = Latest(c.name for c in all_collectors() if c.process is not None)
        self._read: dict[str, Reading] = {}
        self._newest: dict[str, Reading] = {}
        self._runs: dict[str, int] = {}

    def take(self, reading: Reading) -> None:
        name = reading.collector
        self._newest[name] = reading
        self._runs[name] = self._runs.get(name, 0) + 1
        if isinstance(reading.outcome, Ok):
            self._read[name] = reading

    def given(self) -> Latest:
        """The newest samples, with all that came since it was asked for last."""
        for name, newest in self._newest.items():
            read, before = self._read.get(name), 0
            if read is not None and read is not newest:
                before = 1
                self._latest.take(read, self._kinds.get(name, ()))
            self._latest.take(newest, self._kinds.get(name, ()), self._runs[name] - before)
        self._read, self._newest, self._runs = {}, {}, {}
        return self._latest


def settings(config: Config, meta: RecordingMeta) -> Config:
    """What was in force then, as far as the recording says it."""
    if meta.settings is None:
        return dataclasses.replace(config, agent=dataclasses.replace(config.agent, node=meta.node))
    return with_settings(config, meta.settings, meta.node)


def changed_rules(then: Mapping[str, str]) -> tuple[str, ...] | None:
    """Rules that are new, gone or otherwise than those of `then` (version by rule), sorted; None where it is empty."""
    now = versions()
    return tuple(sorted(rule for rule in {**then, **now} if then.get(rule) != now.get(rule))) if then else None


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise BadRecording(path, f"cannot be understood: {error}", "record it again with this version") from error
