"""Serves a recording, once it has been played to its end, read-only: its last moment, and each one before where it is asked
for."""

import asyncio
import os
import signal
from pathlib import Path

from advisor.catalogue import pages
from advisor.documents import Snapshot
from agent.config import LoadedConfig
from agent.http.app import build_app
from agent.http.deps import HttpDeps
from agent.http.server import serve
from agent.http.updates import Updates
from agent.listen import parse_listen
from agent.moments import Moments, RecordedPast
from agent.paths import find_paths, make_state_folders
from agent.played import Played, play
from agent.store.reader import StoreReader
from agent.store.recorded_ticks import RecordedJudgement
from agent.store.replay import Replay
from agent.token import ensure_token
from agent.transitions import Watcher
from collectors.cgroup_paths import cgroups_of
from nodewright import __version__


def replay_file(loaded: LoadedConfig, path: Path) -> int:
    """Serve a recording until SIGTERM or SIGINT."""
    return asyncio.run(_serve(loaded, path))


class Replayed:
    """A recording that was played to its end. Raises BadRecording."""

    def __init__(self, loaded: LoadedConfig, path: Path) -> None:
        with Replay(path) as replay:
            judgements = replay.judgements
        self.moments = Moments(judgements)
        self.findings = Watcher()
        try:
            self.played = play(loaded, path, self._look)
            self.snapshot: Snapshot = self.moments.last(self.played)
        except BaseException:
            self.moments.close()
            raise

    def _look(self, played: Played, judgement: RecordedJudgement) -> None:
        self.moments.look(played, judgement)
        self.findings.look(played, judgement)


def deps_of(replayed: Replayed, loaded: LoadedConfig, path: Path, token: str) -> HttpDeps:
    """What the interface answers from: the file at `path` and what came of playing it; nothing can be changed."""
    reader, services = StoreReader(path), replayed.played.services
    return HttpDeps(
        snapshot=lambda: replayed.snapshot,
        series=reader.series,
        several=reader.several,
        acknowledge=lambda finding, request: None,
        rules=pages,
        latest=replayed.played.latest.samples,
        updates=Updates(),
        token=token,
        loopback=parse_listen(loaded.config.agent.listen).loopback,
        allowed_hosts=frozenset(loaded.config.http.allowed_hosts),
        read_only=True,
        kept=replayed.findings,
        past=RecordedPast(replayed.moments),
        service_cgroups=lambda: cgroups_of(services),
    )


async def _serve(loaded: LoadedConfig, path: Path) -> int:
    replayed = await asyncio.to_thread(Replayed, loaded, path)
    paths = find_paths(loaded.config, os.environ)
    make_state_folders(paths)
    token, _ = ensure_token(paths.token)
    deps = deps_of(replayed, loaded, path, token)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = await serve(build_app(deps, __version__), loaded.config.agent.listen)
    print(f"serving {path} on {runner.url}", flush=True)
    await stop.wait()
    deps.updates.close()
    await runner.close()
    replayed.moments.close()
    return 0
