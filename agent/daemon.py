"""The daemon: sampler and background threads, store, sidecar and HTTP in one process, ended within two seconds."""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from advisor.board import timestamp
from advisor.catalogue import pages
from advisor.documents import ProfilingStatus, Snapshot
from advisor.finding import Finding
from advisor.measured import MeasuredCapacity
from advisor.profiling.stored import StoredProfile
from agent.assembly import assemble, direct_take
from agent.background import FactsReader
from agent.capacities import Capacities, CapacityRequest
from agent.config import Config, LoadedConfig
from agent.errors import CliError
from agent.findings_log import FindingsLog
from agent.gpu_history import last_week
from agent.http.app import build_app
from agent.http.deps import AckRequest, HttpDeps
from agent.http.server import serve
from agent.http.updates import Updates
from agent.known_processes import KnownProcesses
from agent.ledger_log import LedgerLog, kept
from agent.limits import raise_descriptor_limit
from agent.listen import parse_listen
from agent.managed import Managed
from agent.orphans import reap_orphans
from agent.past.stored_past import StoredPast
from agent.past.worker import ProcessWorker
from agent.paths import Paths, find_paths, make_state_folders
from agent.profiling.access import KeptProfiles
from agent.profiling.requests import Requests
from agent.profiling.through_sidecar import through_sidecar
from agent.self_cost import SelfCost
from agent.service_manager import ServiceManager
from agent.sidecar.cost import SidecarMeter
from agent.sidecar.supervisor import SidecarProcess
from agent.store.reader import StoreReader
from agent.store.retention import Retention
from agent.store.store import Store
from agent.tick_log import TickLog, run_of
from agent.token import ensure_token
from agent.trend_history import TrendLog, last_days
from collectors.cgroup_paths import cgroups_of
from collectors.host import SystemClock
from nodewright import __version__

if TYPE_CHECKING:
    from agent.notify.notifier import Notifier
    from agent.profiling.pyroscope import PyroscopePusher

log = logging.getLogger("nodewright")
LAUNCHER = Path(__file__).resolve().parent.parent / "nodewright.py"


def run(loaded: LoadedConfig, *, no_sidecar: bool, reread: Callable[[], LoadedConfig]) -> int:
    """Run until SIGTERM or SIGINT, then 0; `reread` gives the settings as they are on disk by then, or raises CliError.
    Raises CliError: 2 bad configuration, 3 already running on this database."""
    manager = ServiceManager(os.environ)
    paths = find_paths(loaded.config, os.environ)
    make_state_folders(paths)
    raise_descriptor_limit()
    settings = loaded.config.store
    day = 86400
    store = Store.open(
        paths.db,
        retention=Retention(
            raw_days=max(1, round(settings.raw_retention_seconds / day)),
            minute_days=max(1, round(settings.minute_retention_seconds / day)),
            cap_bytes=settings.size_cap_bytes,
            profile_seconds=loaded.config.profiling.keep_seconds,
        ),
        clock=SystemClock(),
    )
    try:
        return asyncio.run(_Daemon(loaded, paths, store, no_sidecar).run(manager, reread))
    finally:
        store.close(1.0)


class _Daemon:
    def __init__(self, loaded: LoadedConfig, paths: Paths, store: Store, no_sidecar: bool) -> None:
        self._loaded, self._config = loaded, loaded.config
        self._paths = paths
        self._store = store
        wanted = loaded.config.agent.sidecar and not no_sidecar
        self._sidecar = sidecar_process(paths, loaded.config) if wanted else None
        self._pyroscope = pyroscope_of(loaded.config)
        hold = loaded.config.advice.hold_down_seconds
        self._findings = FindingsLog(store.save_document, store.forget_document, hold)
        self._notifier = notifier_of(loaded.config)
        self._ledger = LedgerLog(store.save_document, store.forget_document)
        self._updates = Updates()
        self._reader = StoreReader(paths.db)
        meter = SidecarMeter(self._sidecar)
        cost = SelfCost(__version__, meter.read, lambda: (store.size_bytes(), store.problem))
        facts: FactsReader | None = self._sidecar.client.facts if self._sidecar else None
        take = through_sidecar(self._sidecar.client) if self._sidecar else None
        self._stop = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failed = False
        self._watch = assemble(
            loaded.config,
            cost,
            facts=facts,
            take=take,
            memory=self._sidecar.client.memory if self._sidecar else None,
            on_profile=self._keep_profile,
            on_reading=store.put,
            on_snapshot=self._on_snapshot,
            on_failed=self._on_failed,
            witness=TickLog(store.put_tick, loaded.config) if loaded.config.store.moments else None,
        )
        if loaded.config.store.moments:
            store.begin_run(run_of(loaded.config, self._watch.host))
        self._requests = Requests(
            take or direct_take(self._watch.host),
            self._keep_now,
            lambda: self._watch.discovery.services,
            lambda profile: self._watch.profiler.spend(profile, asked=True),
            enabled=loaded.config.profiling.enabled,
        )
        self._capacities = Capacities(store.save_document, store.forget_document)
        self._watch.judging.measured_of = self._capacities.measured
        self._known = KnownProcesses(paths.db.parent, self._watch.host)
        self._gpus_known: set[str] = set()
        self._services_known: frozenset[str] = frozenset()
        self._watch.history.minute_ended = TrendLog(store.put_trend).minute_ended
        cost.profiling = self._profiling
        if self._notifier is not None:
            self._findings.on_news, cost.notify = self._notifier.news, self._notifier.status
        self._past = StoredPast(paths.db, past_worker(loaded.config, paths), lambda: self._watch.snapshot)
        self._restore()

    async def run(self, manager: ServiceManager, reread: Callable[[], LoadedConfig]) -> int:
        """Start everything, wait for the signal, end everything."""
        managed = Managed(manager, self._loaded, reread, self._watch)
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stop.set)
        token, exposed = ensure_token(self._paths.token)
        if exposed:
            log.warning("the token file %s could be read by others; it was tightened, replace it", self._paths.token)
        runner = await serve(build_app(self._deps(token), __version__), self._config.agent.listen)
        try:
            if self._sidecar:
                self._sidecar.start()
            if self._pyroscope is not None:
                self._pyroscope.start()
            if self._notifier is not None:
                self._notifier.start()
            self._watch.start()
            log.info("listening on %s, state in %s", runner.url, self._paths.db)
            managed.start(self._loop, self._stop, runner.url)
            orphans = self._loop.create_task(reap_orphans())
            await self._stop.wait()
            orphans.cancel()
        finally:
            managed.stop()
            self._updates.close()
            self._requests.end()
            await self._past.close()
            await asyncio.to_thread(self._watch.stop, 0.5)
            await asyncio.to_thread(self._requests.stop, 0.4)
            await asyncio.to_thread(self._known.finish, self._watch.discovery)
            await runner.close()
            if self._pyroscope is not None:
                await asyncio.to_thread(self._pyroscope.stop, 0.2)
            if self._notifier is not None:
                await asyncio.to_thread(self._notifier.stop, 0.05)
            if self._sidecar:
                await asyncio.to_thread(self._sidecar.stop, 0.5)
        if self._failed:
            raise CliError("run.failed", "sampling failed", "the log has the reason; please report it", exit_status=70)
        return 0

    def _on_failed(self) -> None:
        """In the sampler thread, as its last act."""
        self._failed = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)

    def _on_snapshot(self, snapshot: Snapshot) -> None:
        """In the sampler thread, after each judgement."""
        self._findings.take(snapshot, self._watch.judging, self._watch.host.clock.now())
        outcomes, dropped, configured, vram = self._watch.judging.learnt()
        self._ledger.take(outcomes, dropped, configured, time.monotonic(), vram)
        self._findings.judged(outcomes, snapshot, self._watch.host.clock.now())
        self._known.take(self._watch.discovery, self._aside)
        for gpu in snapshot.node.gpus:
            if gpu.uuid not in self._gpus_known:
                self._gpus_known.add(gpu.uuid)
                self._aside(partial(self._restore_gpu, f"gpu:{gpu.uuid}"))
        present = frozenset(service.id for service in snapshot.services)
        for service in present - self._services_known:  # one that was away has lost what was remembered of it
            self._aside(partial(self._restore_trend, service))
        self._services_known = present
        self._updates.publish(snapshot.generation)

    def _restore_trend(self, service: str) -> None:
        """What the service did before a restart, of ours or of its own; taken in with a later tick."""
        kept = last_days(self._reader, service, time.time())
        self._watch.history.tracks.restored.append((f"service:{service}", *kept))

    def _restore_gpu(self, entity: str) -> None:
        """What the device did in the last week, before a restart; taken in with a later tick."""
        self._watch.history.tracks.gpus.restored.append((entity, last_week(self._reader, entity, time.time())))

    def _aside(self, task: Callable[[], None]) -> None:
        """Let another thread do what may wait for a disk."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.run_in_executor, None, task)

    def _deps(self, token: str) -> HttpDeps:
        config = self._config
        listen = parse_listen(config.agent.listen)
        return HttpDeps(
            snapshot=lambda: self._watch.snapshot,
            series=self._reader.series,
            several=self._reader.several,
            acknowledge=self._acknowledge,
            rules=pages,
            latest=self._watch.sampler.latest.samples,
            updates=self._updates,
            token=token,
            loopback=listen.loopback,
            allowed_hosts=frozenset(config.http.allowed_hosts),
            service_cgroups=self._service_cgroups,
            most_series=round(config.http.metrics_series),
            learn_capacity=self._learn_capacity,
            profiles=KeptProfiles(self._reader, self._requests),
            kept=self._reader,
            past=self._past,
            outcomes=self._watch.judging.outcomes,
            verify=self._watch.judging.verify,
        )

    def _profiling(self) -> ProfilingStatus:
        """What the profiler says of itself, with what became of its profiles."""
        status = self._watch.profiler.status()
        sent = self._pyroscope.status() if self._pyroscope is not None else None
        return msgspec.structs.replace(
            status,
            dropped=self._store.dropped_profiles,
            sent=sent.sent if sent else 0,
            not_sent=sent.dropped if sent else 0,
            sending_problem=sent.problem if sent else None,
        )

    def _keep_profile(self, profile: StoredProfile) -> None:
        self._store.put_profile(profile)
        if self._pyroscope is not None:
            self._pyroscope.push(profile)

    def _keep_now(self, profile: StoredProfile) -> None:
        """As above, and wait until it is stored."""
        self._keep_profile(profile)
        self._store.flush(1.0)

    def _acknowledge(self, finding: str, request: AckRequest) -> Finding | None:
        """And let the next answers show it, history and advice."""
        now = self._watch.host.clock.now()
        found = self._findings.acknowledge(self._watch.judging, finding, request, now, self._reader.finding)
        if found is not None:
            self._store.flush(1.0)
            self._watch.sampler.judge_soon()
        return found

    def _learn_capacity(self, identity: str, told: CapacityRequest) -> MeasuredCapacity | None:
        """Take in a load test's result, and let rules and the next answers know it."""
        watch = self._watch
        service = next((s for s in watch.discovery.services if s.id == identity), None)
        if service is None:
            return None
        judging, at = watch.judging, timestamp(watch.host.clock.now())
        learnt = self._capacities.learn(service, judging.generation(service), judging.levers(service), told, at)
        self._store.flush(1.0)
        watch.sampler.judge_soon()
        return learnt

    def _service_cgroups(self) -> Mapping[str, str]:
        return cgroups_of(self._watch.discovery.services)

    def _restore(self) -> None:
        """What stood, who had taken note of it, and whose worker a process was, outlive a restart."""
        now = self._watch.host.clock.now()
        self._watch.discovery.recall(self._known.load(), now)
        self._capacities.restore(self._reader.capacities())
        accepted = self._findings.restore(self._reader.findings(), self._reader.acknowledgements(), now)
        self._watch.judging.board.restore(accepted)
        known = kept(self._reader.outcomes(), self._reader.configurations(), self._reader.vram())
        self._watch.judging.recall(known)
        self._ledger.recall(known)


def notifier_of(config: Config) -> "Notifier | None":
    """What tells others of new findings, where somebody is to be told."""
    if not config.notify:
        return None
    from agent.notify.notifier import Notifier

    return Notifier(config.notify, config.node_name)


def pyroscope_of(config: Config) -> "PyroscopePusher | None":
    """The pusher of profiles, where a server is configured."""
    settings = config.profiling
    if settings.pyroscope_url is None:
        return None
    from agent.profiling.pyroscope import PyroscopePusher

    try:
        return PyroscopePusher(
            settings.pyroscope_url,
            token_file=settings.pyroscope_token_file,
            tenant=settings.pyroscope_tenant,
            ca_file=settings.pyroscope_ca_file,
            labels={"node": config.node_name},
        )
    except ValueError as error:
        message = f"profiling.pyroscope_url: {error}"
        raise CliError("config.bad-value", message, "write http://HOST:PORT or https://HOST") from error


def sidecar_process(paths: Paths, config: Config) -> SidecarProcess:
    """The sidecar that runs on its own where the configuration names its socket, which it may make after we started, or where
    one is there; else a child of ours."""
    command = sidecar_command() if config.agent.sidecar_socket is None else None
    return SidecarProcess(command, str(paths.sidecar_socket))


def past_worker(config: Config, paths: Paths) -> ProcessWorker:
    """The process that works out the past: of its own unit where that is configured, else a child of ours."""
    own = config.agent.past_socket
    return ProcessWorker(paths.db, [sys.executable, "-I", str(LAUNCHER), "past"], None if own is None else str(own))


def sidecar_command() -> Sequence[str]:
    """Our own launcher with our own interpreter: nothing on PATH can take its place."""
    return [sys.executable, "-I", str(LAUNCHER), "sidecar"]
