"""Plays a recording: the same readings through the same history and rules, served read-only."""

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from advisor.catalogue import pages
from advisor.documents import AdviceDocument, Snapshot
from advisor.history import History
from agent.config import LoadedConfig
from agent.http.app import build_app
from agent.http.deps import HttpDeps
from agent.http.server import serve
from agent.http.updates import Updates
from agent.judging import Judging
from agent.latest import Latest
from agent.listen import parse_listen
from agent.paths import find_paths, make_state_folders
from agent.recorded import Recorded
from agent.sampler import Beat
from agent.self_cost import SelfCost
from agent.status import NodePicture, model_statuses, service_status, worker_status
from agent.store.errors import BadRecording
from agent.store.reader import StoreReader
from agent.store.replay import Replay
from agent.token import ensure_token
from collectors.collector import all_collectors
from collectors.entities import Service
from collectors.reading import Instant, Reading
from collectors.topology import Topology
from nodewright import __version__

JUDGE_EVERY_TICKS = 2


@dataclass(slots=True)
class Played:
    """A recording, played to its end."""

    node: str
    services: tuple[Service, ...]
    judging: Judging
    latest: Latest
    now: Instant
    beat: Beat

    @property
    def advice(self) -> AdviceDocument:
        return msgspec.structs.replace(self.judging.document(self.services, self.now), node=self.node)


def play(loaded: LoadedConfig, path: Path) -> Played:
    """Play the whole file. Raises BadRecording where it is none."""
    with Replay(path) as replay:
        return _play(loaded, path, replay)


def _play(loaded: LoadedConfig, path: Path, replay: Replay) -> Played:
    known = _facts(path, replay.meta.facts)
    apart = (c.name for c in all_collectors() if c.process is not None)
    history, latest, beat = History(), Latest(apart), Beat()
    now = Instant(0, 0)
    judging = Judging(loaded.config, history, lambda: now)
    judging.learn(known.services, {f.key: f for f in known.processes})
    kinds = {c.name: c.samples for c in all_collectors()}
    for at, tick in ticks(replay.readings()):
        for reading in tick:
            history.add(reading)
            latest.take(reading, kinds.get(reading.collector, ()))
        now = at
        history.end_tick(known.services, now)
        beat.ticks += 1
        if beat.ticks % JUDGE_EVERY_TICKS == 0:
            judging.judge(known.services, now)
    if not beat.ticks:
        raise BadRecording(path, "holds no reading", "record for longer")
    judging.judge(known.services, now)
    return Played(replay.meta.node, known.services, judging, latest, now, beat)


def ticks(readings: Iterator[Reading]) -> Iterator[tuple[Instant, Sequence[Reading]]]:
    """The readings by tick, with its instant: a new one begins where a collector of the sampler comes again. What was read
    beside the sampler is taken in by the next tick after it, behind the sampler's own readings, as in a running agent."""
    own: list[Reading] = []
    waiting: list[Reading] = []
    since: list[Reading] = []
    began: dict[str, Instant] = {}
    beside = {c.name for c in all_collectors() if c.own_thread or c.process is not None}
    for reading in readings:
        if reading.collector in beside:
            since.append(reading)
            continue
        if reading.collector in began:
            yield min(began.values()), [*own, *waiting]
            own, waiting, since, began = [], since, [], {}
        elif not began:
            waiting, since = [*waiting, *since], []
        own.append(reading)
        began[reading.collector] = reading.at
    if began:
        yield min(began.values()), [*own, *waiting, *since]


def judge_recording(loaded: LoadedConfig, path: Path) -> AdviceDocument:
    """What today's rules say of a recording."""
    return play(loaded, path).advice


def replay_file(loaded: LoadedConfig, path: Path) -> int:
    """Serve a recording until SIGTERM or SIGINT."""
    return asyncio.run(_serve(loaded, path))


async def _serve(loaded: LoadedConfig, path: Path) -> int:
    played = await asyncio.to_thread(play, loaded, path)
    snapshot = picture(played)
    updates = Updates()
    paths = find_paths(loaded.config, os.environ)
    make_state_folders(paths)
    token, _ = ensure_token(paths.token)
    deps = HttpDeps(
        snapshot=lambda: snapshot,
        series=StoreReader(path).series,
        acknowledge=lambda finding, request: None,
        rules=pages,
        latest=played.latest.samples,
        updates=updates,
        token=token,
        loopback=parse_listen(loaded.config.agent.listen).loopback,
        allowed_hosts=frozenset(loaded.config.http.allowed_hosts),
        read_only=True,
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = await serve(build_app(deps, __version__), loaded.config.agent.listen)
    print(f"serving {path} on {runner.url}", flush=True)
    await stop.wait()
    updates.close()
    await runner.close()
    return 0


def picture(played: Played) -> Snapshot:
    """The documents of the recording's last moment."""
    collectors = played.latest.collectors()
    statuses, workers, models = [], [], []
    verdicts = {s.name: s.verdict for s in played.advice.services}
    for service in played.services:
        view, facts = played.judging.view(service), played.judging.facts(service)
        statuses.append(service_status(service, view, facts, verdicts[service.name]))
        models += model_statuses(service, view)
        workers += [worker_status(w, view, facts) for w in service.workers]
    return Snapshot(
        generation=1,
        node=NodePicture(played.node, Topology(())).take(
            played.latest.samples(), collectors, played.now, played.judging.gpus(), played.services
        ),
        services=tuple(statuses),
        workers=tuple(workers),
        models=tuple(models),
        self_status=SelfCost(__version__).status(played.beat, 1.0, collectors),
        advice=played.advice,
    )


def _facts(path: Path, raw: bytes | None) -> Recorded:
    if raw is None:
        return Recorded(services=(), processes=())
    try:
        return msgspec.json.decode(raw, type=Recorded)
    except msgspec.DecodeError as error:
        raise BadRecording(path, f"facts cannot be read: {error}", "record it again with this version") from error
