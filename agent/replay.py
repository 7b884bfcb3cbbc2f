"""Serves a recording, once it has been played to its end, read-only."""

import asyncio
import os
import signal
from pathlib import Path

from advisor.catalogue import pages
from advisor.documents import Snapshot
from advisor.view import ThreadView
from agent.config import LoadedConfig
from agent.http.app import build_app
from agent.http.deps import HttpDeps
from agent.http.server import serve
from agent.http.updates import Updates
from agent.listen import parse_listen
from agent.paths import find_paths, make_state_folders
from agent.played import Played, play
from agent.self_cost import SelfCost
from agent.status import NodePicture, model_statuses, service_status, threads_of, worker_status
from agent.store.reader import StoreReader
from agent.token import ensure_token
from nodewright import __version__


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
    threads: dict[int, tuple[ThreadView, ...]] = {}
    verdicts = {s.name: s.verdict for s in played.advice.services}
    for service in played.services:
        view, facts = played.judging.view(service), played.judging.facts(service)
        statuses.append(service_status(service, view, facts, verdicts[service.name]))
        models += model_statuses(service, view)
        workers += [worker_status(w, view, facts) for w in service.workers]
        threads |= threads_of(view)
    return Snapshot(
        migrations=played.judging.migrations.known(played.services),
        generation=1,
        node=NodePicture(played.advice.node, played.topology).take(
            played.latest.samples(), collectors, played.now, played.judging.gpus(), played.services
        ),
        services=tuple(statuses),
        workers=tuple(workers),
        models=tuple(models),
        self_status=SelfCost(__version__).status(played.beat, 1.0, collectors),
        advice=played.advice,
        threads=threads,
    )
