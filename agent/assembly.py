"""Puts the parts of watching together: the same for the daemon, for one-shot advice and for a recording."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from advisor.documents import Snapshot
from advisor.history import History
from advisor.profiling.table import load_table
from agent.background import Background, FactsReader
from agent.budget import Budget
from agent.config import Config, ProfilingSettings
from agent.judging import Judging
from agent.profiling.profiler import Keep, Profiler, ProfilingLimits, Take
from agent.readers.readers import Readers
from agent.sampler import Sampler
from agent.self_cost import SelfCost
from agent.service_documents import documents_of
from agent.status import NodePicture
from agent.witness import Witness
from collectors.collector import Collector, all_collectors
from collectors.discovery import Discovery
from collectors.entities import WorkerKey
from collectors.facts import ProcessFacts
from collectors.framework import Request
from collectors.host import Host
from collectors.inside import read_facts
from collectors.inside.memory import MemoryReader
from collectors.profiles.profile import Missing, Profile, ProfileSpec
from collectors.reading import Instant, Reading
from collectors.topology import read_topology

if TYPE_CHECKING:
    from collectors.native.symbol_cache import SymbolCache


@dataclass(slots=True)
class Watch:
    """Everything that watches one node. `snapshot` is replaced after each judgement."""

    host: Host
    config: Config
    discovery: Discovery
    judging: Judging
    history: History
    sampler: Sampler
    background: Background
    collectors: Sequence[Collector]
    picture: NodePicture
    cost: SelfCost
    profiler: Profiler
    readers: Readers
    witness: Witness
    snapshot: Snapshot | None = None

    def start(self) -> None:
        self.background.start()
        self.readers.start()
        self.profiler.start()
        self.sampler.start()

    def stop(self, timeout_seconds: float = 1.0) -> None:
        self.readers.end()
        self.profiler.end()  # its profilers need a moment to write what they saw, while the others are waited for
        self.sampler.stop(timeout_seconds)
        self.background.stop(timeout_seconds)
        self.profiler.stop(timeout_seconds)
        self.readers.stop(timeout_seconds)
        for collector in self.collectors:
            collector.close()

    def reconfigure(self, config: Config) -> None:
        """Judge by other settings from the next tick on. Any thread may call it."""

        def task() -> None:
            self.judging.reconfigure(config, self.discovery.services, self.discovery.facts)
            self.witness.reconfigured(config)

        self.sampler.before_next_tick(task)
        self.sampler.judge_soon()

    def take_picture(self, now: Instant) -> Snapshot:
        """The documents of this moment. Called in the sampler thread, after judging."""
        services = self.discovery.services
        self.profiler.update(self.judging.scenes(services))
        advice = self.judging.document(services, now)
        found = documents_of(services, self.judging, advice)
        latest = self.sampler.latest
        collectors = latest.collectors()
        self.snapshot = Snapshot(
            generation=(self.snapshot.generation if self.snapshot else 0) + 1,
            node=self.picture.take(
                latest.samples(),
                collectors,
                now,
                self.judging.gpus(),
                services,
                self.readers.status(),
                self.judging.price,
            ),
            services=found.services,
            workers=found.workers,
            models=found.models,
            migrations=self.judging.migrations.known(services),
            self_status=self.cost.status(self.sampler.beat, self.sampler.interval_seconds, collectors),
            advice=advice,
            threads=found.threads,
        )
        return self.snapshot


def assemble(
    config: Config,
    cost: SelfCost,
    *,
    facts: FactsReader | None = None,
    take: Take | None = None,
    memory: MemoryReader | None = None,
    on_profile: Keep = lambda _: None,
    on_reading: Callable[[Reading], None] = lambda _: None,
    on_snapshot: Callable[[Snapshot], None] = lambda _: None,
    on_failed: Callable[[], None] = lambda: None,
    witness: Witness | None = None,
    host: Host | None = None,
) -> Watch:
    """Build what watches this node. `facts`, `take` and `memory` None: look into processes from this process itself.
    `witness` is told of all that happens."""
    host = replace(host or Host.real(), memory_of=memory)
    told = witness or Witness()
    patterns = {name: s.pattern for name, s in config.service.items() if s.pattern}
    urls = {name: s.metrics_url for name, s in config.service.items() if s.metrics_url}
    discovery = Discovery(patterns=patterns, metrics_urls=urls)
    history = History(host.ticks_per_second)
    topology = read_topology(host)
    history.know_cpus(topology)
    judging = Judging(config, history, host.clock.now)
    judging.cpu = topology.features
    collectors = all_collectors()
    profiler = Profiler(take or direct_take(host), on_profile, limits_of(config.profiling))
    judging.profile_of = profiler.view
    cost.profiling = profiler.status
    background = Background(host, discovery, facts or direct(host), collectors)
    readers = Readers(collectors, host, always=config.gpu.always, never=config.gpu.never)
    cost.readers = readers.status
    watch: Watch

    def judged(now: Instant) -> None:
        snapshot = watch.take_picture(now)
        told.judged(now, snapshot.advice)
        on_snapshot(snapshot)

    def read(reading: Reading) -> None:
        told.took(reading)
        on_reading(reading)

    sampler = Sampler(
        host,
        discovery,
        collectors,
        judging,
        history,
        background,
        interval_seconds=config.agent.interval_seconds,
        evaluate_seconds=config.agent.evaluate_interval_seconds,
        budget=Budget(config.budget.cpu_ratio),
        on_reading=read,
        on_judged=judged,
        on_failed=on_failed,
        on_learnt=told.learnt,
        on_ticked=told.ticked,
        on_ended=told.ended,
        readings=readers.readings,
    )
    readers.on_change = sampler.judge_soon
    watch = Watch(
        host=host,
        config=config,
        discovery=discovery,
        judging=judging,
        history=history,
        sampler=sampler,
        background=background,
        collectors=collectors,
        picture=NodePicture(config.node_name, topology),
        cost=cost,
        profiler=profiler,
        readers=readers,
        witness=told,
    )
    return watch


def limits_of(settings: ProfilingSettings) -> ProfilingLimits:
    return ProfilingLimits(
        enabled=settings.enabled,
        probe=settings.probe,
        node_ratio=settings.cpu_ratio,
        worker_ratio=settings.worker_ratio,
        burst_seconds=settings.burst_seconds,
    )


def direct_take(host: Host) -> Take:
    """Profile with this process's own rights."""

    symbols: list[SymbolCache] = []

    def take(key: WorkerKey, spec: ProfileSpec, end: threading.Event) -> Profile | Missing:
        from collectors.native.symbol_cache import SymbolCache  # only where it is done in this process
        from collectors.profiles.take import take_profile

        if not symbols:
            symbols.append(SymbolCache())
        return take_profile(host, key, spec, load_table().calls, end, symbols[0])

    return take


def direct(host: Host) -> FactsReader:
    """Look into processes with this process's own rights."""

    def read(key: WorkerKey, requests: Sequence[Request]) -> ProcessFacts:
        return read_facts(host, key, requests)

    return read
