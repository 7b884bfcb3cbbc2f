"""Turns the history of the services into findings: one judgement of every service, and the advice document."""

import logging
import threading
from collections.abc import Callable, Sequence

import msgspec

from advisor.board import Acknowledged, Board, Ended, timestamp
from advisor.catalogue import all_rules
from advisor.documents import AdviceDocument, OutcomesDocument, ServiceVerdict
from advisor.engine import Engine, Judgement
from advisor.facts import ServiceFacts
from advisor.finding import Finding, Inconclusive, Severity
from advisor.gist import Gist, gist_of
from advisor.gpu.devices import device_views
from advisor.gpu.view import GpuView
from advisor.gpu.window import HORIZON_SECONDS
from advisor.history import History
from advisor.ledger.calibration import factors
from advisor.ledger.changes import Remembered
from advisor.ledger.configuration import Configuration, configuration_of
from advisor.ledger.ledger import Ledger
from advisor.ledger.outcome import Outcome
from advisor.ledger.scores import scored, scores
from advisor.ledger.snapshot import LedgerSnapshot
from advisor.measured import MeasuredCapacity
from advisor.migration.result import MigrationEstimate
from advisor.migration.vram_calibration import Observed
from advisor.orphaned import orphaned_of
from advisor.plan import Plan, plan_of
from advisor.profiling.view import ProfileView
from advisor.rule import Rule
from advisor.steady import Steady
from advisor.view import View, within
from agent.config import Config
from agent.migrating import Migrations
from agent.prices import node_price, price_without_device
from agent.profiling.scene import ServiceScene, scene_of
from collectors.compute_threads import compute_threads
from collectors.cpu_features import CpuFeatures
from collectors.cpulist import format_cpulist, union
from collectors.entities import Service
from collectors.framework import Facts
from collectors.levers import Lever
from collectors.places import settings_of
from collectors.reading import Instant
from collectors.seen_environment import as_seen

log = logging.getLogger("nodewright.judging")

MeasuredOf = Callable[[str, int, Callable[[], Configuration]], MeasuredCapacity | None]
"""By the id of a service, the generation of its levers, and what tells these."""
Told = Callable[[tuple[Finding, ...], tuple[Inconclusive, ...]], tuple[tuple[Finding, ...], tuple[Inconclusive, ...]]]


class Judging:
    """Engine, board and the facts that both need. One thread uses it; only `acknowledge`, `finding` and `turns` may come
    from another."""

    def __init__(self, config: Config, history: History, now: Callable[[], Instant]) -> None:
        self.board = Board(config.advice.hold_down_seconds)
        self.now = now
        rules = all_rules()
        self._recovers = {rule.id: rule.recovers for rule in rules}
        self._rules = rules
        self._engine = _engine(rules, config)
        self.ledger = Ledger(self._recovers)
        self._config = config
        self._history = history
        self._know_price()
        self._facts: dict[str, ServiceFacts] = {}
        self._views: dict[str, View] = {}
        self._steady = Steady()
        self.migrations = Migrations(config)
        self.cpu = CpuFeatures()
        """Of this node."""
        self._gpus: tuple[GpuView, ...] = ()
        self._generations: dict[str, int] = {}
        self.profile_of: Callable[[Service, int], ProfileView | None] = lambda service, generation: None
        """What is known of a service from profiles of this generation of its levers."""
        self.measured_of: MeasuredOf = lambda service, generation, levers: None
        """What a load test found, where it holds in this generation of a service's levers."""
        self._lock = threading.Lock()

    def learn(self, services: Sequence[Service], processes: Facts) -> None:
        """New services or new facts: settings and objectives are worked out anew."""
        self._facts = {service.id: service_facts(service, processes, self._config) for service in services}

    def reconfigure(self, config: Config, services: Sequence[Service], processes: Facts) -> None:
        """Judge by other settings from now on; what is open and what was learnt stays. Raises CliError as at the start."""
        calibration, migrations = self._engine.calibration, Migrations(config)
        self._config, self._engine = config, _engine(self._rules, config)
        self._engine.calibration = calibration
        migrations.vram, self.migrations = self.migrations.vram, migrations
        self._steady = Steady()
        self._know_price()
        self.learn(services, processes)

    def _know_price(self) -> None:
        self.price = price = node_price(self._config.prices)
        """Of an hour of this node; None where its owner states none."""
        self._history.tracks.price_per_hour = price.hourly if price is not None else None

    def facts(self, service: Service) -> ServiceFacts:
        return self._facts.get(service.id) or ServiceFacts(service=service)

    def view(self, service: Service) -> View | None:
        """The view on which the service was judged last."""
        return self._views.get(service.id)

    def judge(self, services: Sequence[Service], now: Instant) -> None:
        """Judge every service once: anew where anything about it has moved."""
        with self._lock:  # one that left since the last pass may have come back at another port already
            self.ledger.keep_only(services, now)
        self._gpus = self.gpus()
        held: dict[str, tuple[Gist | None, Judgement | None]] = {}
        views: dict[str, View] = {}
        for service in services:  # all before any is judged: some rules look at what runs beside a service
            gist = self._gist(service, now)
            carried = self._steady.carried(service, gist, now)
            view, judgement = carried if carried is not None else (self._view(service), None)
            views[service.id], held[service.id] = view, (gist, judgement)
        self._views = views
        for service in services:
            self._judge_service(service, *held[service.id], now)
        self._steady.keep_only(self._views)
        self.migrations.keep_only(self._views)
        self._engine.calibration = self.ledger.calibration
        devices = device_views(self._history.gpus(), HORIZON_SECONDS)
        for view in devices:
            judgement = self._judge(view, ServiceFacts(service=view.service))
            with self._lock:
                self.board.update(view.service, judgement, view, now)
        with self._lock:
            self.board.keep_only((*services, *(view.service for view in devices)))

    def _view(self, service: Service) -> View:
        horizon = int(self._config.advice.window_seconds)
        return within(self._history.view(service, horizon), self.facts(service).limits)

    def _gist(self, service: Service, now: Instant) -> Gist | None:
        """None where it has to be judged anew in any case."""
        if service.orphaned_ns is not None or self.ledger.watch.is_changing(service):
            return None
        generation = self.generation(service)
        profile, measured = self.profile_of(service, generation), self.measured(service)
        exact = (generation, self.board.standing(service), self._elasticity(service))
        seen = self.migrations.vram.corrections
        same = (self._facts.get(service.id), profile, measured, self._engine.calibration, seen)
        return gist_of(self._history.tracks, service, int(self._config.advice.window_seconds), exact, same)

    def _judge_service(self, service: Service, gist: Gist | None, judgement: Judgement | None, now: Instant) -> None:
        """`judgement`: the last one, where it still holds."""
        view, anew = self._views[service.id], judgement is None
        if judgement is None:
            facts = self._beside(service, view, now)
            if self._changed(service, view, facts, now):
                self.restart(service)
                return
            judgement = self._judge(view, facts)
            self._steady.keep(service, gist, view, judgement, now)
        else:
            self.ledger.watch.hold(service, now)
        with self._lock:
            opened = self.board.update(service, judgement, view, now)
            findings = self.board.findings_of(service, now) if anew or opened else None
            self.ledger.look(service, findings, view.trend, now)

    def _changed(self, service: Service, view: View, facts: ServiceFacts, now: Instant) -> bool:
        """Whether a lever of it was changed: what was said of the configuration before holds no longer."""
        with self._lock:
            changes = self.ledger.changed(service, configuration_of(view, facts), view.trend, now)
            if changes:
                self.board.supersede(service)
        for change in changes:
            log.info("%s: %s was changed from %s to %s", service.name, change.lever, change.old, change.new)
        return bool(changes)

    def verify(self, finding: str, since_seconds: float) -> Outcome | None:
        """Measure from now on what came of a change that somebody made. None: no such finding was seen in the last day."""
        with self._lock:
            return self.ledger.verify(finding, self.now(), since_seconds)

    def recall(self, kept: LedgerSnapshot) -> None:
        """What came of earlier changes, how services were configured, and what models held: before the first judgement."""
        self.ledger.watch.recall(kept.configured)
        self.ledger.restore(kept.outcomes)
        self.migrations.vram.recall(kept.vram)
        self._engine.calibration = self.ledger.calibration

    def learnt(self) -> tuple[list[Outcome], list[str], tuple[Remembered, ...], tuple[Observed, ...]]:
        """Since the last call: outcomes that were opened or have changed, and ids of those that are not kept any longer; and
        how every service is configured, and what models hold of devices."""
        with self._lock:
            news, self.ledger.news = self.ledger.news, []
            dropped, self.ledger.dropped = self.ledger.dropped, []
            return news, dropped, self.ledger.watch.remember(), self.migrations.vram.entries

    def outcomes(self) -> OutcomesDocument:
        with self._lock:
            outcomes = sorted(self.ledger.outcomes.values(), key=lambda one: one.changed_at, reverse=True)
        found = scored(outcomes)
        return OutcomesDocument(outcomes=tuple(outcomes), scores=scores(found, factors(found)))

    def _judge(self, view: View, facts: ServiceFacts) -> Judgement:
        judgement = self._engine.judge(view, facts, self.board.standing(view.service))
        for rule, error in judgement.broken:
            log.error("rule %s failed: %s", rule, error, extra={"once": f"rule {rule}"})
        return judgement

    def gpus(self) -> tuple[GpuView, ...]:
        """Every device over as many seconds as services are judged on."""
        return self._history.gpus(self._config.advice.window_seconds)

    def restart(self, service: Service) -> None:
        """A lever of it was changed: what was seen of it was another configuration."""
        self._history.restart_window(service)
        self._generations[service.id] = self.generation(service) + 1
        self.migrations.vram.restart(service.id)

    def resume(self, service: Service, generation: int) -> None:
        """A lever of it was seen to change so often already in this run of the agent: before its first tick."""
        self._history.tracks.service(f"service:{service.id}").generation = generation
        self._generations[service.id] = generation

    def generation(self, service: Service) -> int:
        """How often a lever of the service was seen to change."""
        return self._generations.get(service.id, 0)

    def levers(self, service: Service) -> Configuration:
        """How it is configured now, as far as its last view tells, with the CPUs of its workers also while they wait."""
        view = self._views.get(service.id)
        if view is None:
            return {}
        masks = [worker.allowed for worker in view.serving if worker.allowed is not None]
        found = configuration_of(view, self.facts(service))
        return found | {Lever.AFFINITY: format_cpulist(union(masks)) if masks else None}

    def measured(self, service: Service) -> MeasuredCapacity | None:
        """What a load test found in its present configuration."""
        return self.measured_of(service.id, self.generation(service), lambda: self.levers(service))

    def scenes(self, services: Sequence[Service]) -> list[ServiceScene]:
        """What the profiler needs to know of each service that was judged."""
        asking = self.board.inconclusive()
        views = ((s, self._views.get(s.id)) for s in services)
        return [scene_of(view, self.generation(s), asking) for s, view in views if view is not None]

    def _elasticity(self, service: Service) -> float | None:
        with self._lock:
            return self.ledger.thread_elasticity(service)

    def _beside(self, service: Service, view: View, now: Instant) -> ServiceFacts:
        """What is known of the service, with its profiles, and with what runs in the place of one that has lost its
        front-end."""
        profile = self.profile_of(service, self.generation(service))
        facts = msgspec.structs.replace(
            self.facts(service),
            profile=profile,
            measured=self.measured(service),
            thread_elasticity=self._elasticity(service),
            cpu=self.cpu,
            device_prices=self.migrations.prices,
            stated_devices=self.migrations.stated,
        )
        facts = msgspec.structs.replace(facts, migration=self._migration(view, facts))
        if service.orphaned_ns is None:
            return facts
        processes = {name: known.processes for name, known in self._facts.items()}
        beside = orphaned_of(service, self._views, processes, now.mono_ns)
        return msgspec.structs.replace(facts, orphaned=beside)

    def _migration(self, view: View, facts: ServiceFacts) -> MigrationEstimate | None:
        """A fault in it costs that answer only."""
        try:
            return self.migrations.of(view, facts, self._gpus)
        except Exception as error:
            name = view.service.name
            log.error(
                "%s: no estimate of moving it: %s: %s",
                name,
                type(error).__name__,
                error,
                extra={"once": f"move {name}"},
            )
            return None

    def acknowledge(self, finding: str, entry: Acknowledged | None) -> bool:
        """Acknowledge, snooze or reopen (None) a finding. False: no such finding is open."""
        with self._lock:
            return self.board.acknowledge(finding, entry)

    def finding(self, name: str) -> Finding | None:
        """An open finding by its id."""
        with self._lock:
            return next((f for f in self.board.findings(self.now()) if f.id == name), None)

    def turns(self) -> tuple[list[tuple[Finding, Ended]], list[tuple[str, Acknowledged]]]:
        """Findings that ended, and acknowledgements that ran out, since the last call."""
        board = self.board
        with self._lock:
            ended, board.ended = board.ended, []
            expired, board.expired = board.expired, []
        return ended, expired

    def document(
        self,
        services: Sequence[Service],
        now: Instant,
        told: Told = lambda findings, inconclusive: (findings, inconclusive),
    ) -> AdviceDocument:
        """What is said now. `told`: what becomes of it before it is summed up."""
        with self._lock:
            findings, inconclusive = told(self.board.findings(now), self.board.inconclusive())
        plans = [self.plan(service, findings, inconclusive) for service in services]
        return AdviceDocument(
            node=self._config.node_name,
            generated_at=timestamp(now),
            services=tuple(
                ServiceVerdict(name=s.name, verdict=plan.verdict, state=state_of(self._views.get(s.id)))
                for s, plan in zip(services, plans, strict=True)
            ),
            findings=findings,
            inconclusive=inconclusive,
            plans=tuple(plans),
        )

    def plan(self, service: Service, findings: Sequence[Finding], inconclusive: Sequence[Inconclusive]) -> Plan:
        """What to do about the service, in order, and its state in one sentence."""
        pids = frozenset(service.pids)
        own = [
            f
            for f in findings
            if f.state == "open"
            and (f.subject.name == service.name or (f.subject.kind == "device" and not pids.isdisjoint(f.subject.pids)))
        ]
        own.sort(key=lambda f: (f.severity is Severity.INFO, f.subject.kind == "device", f.rank))
        facts = self.facts(service)
        return plan_of(
            service.name, self._views.get(service.id), own, self._recovers, facts.objective, facts.slo_p99_seconds,
            self._quiet(service, inconclusive),
        )  # fmt: skip

    def _quiet(self, service: Service, inconclusive: Sequence[Inconclusive]) -> str:
        """The verdict where no finding is open."""
        if service.orphaned:
            return f"its front-end is gone: {len(service.serving)} of its workers are still there"
        view = self._views.get(service.id)
        if view is None or not view.loaded_now:
            return "idle: nothing to judge"
        if view.samples < 15:
            return f"watching: {view.samples} of 15 s of load seen"
        open_questions = [i for i in inconclusive if i.subject.name == service.name]
        if open_questions:
            return f"cannot tell: {open_questions[0].rule} needs {open_questions[0].needs.text}"
        return f"nothing holds it back: {view.cores_used:.2f} of {view.effective_cores:.2f} cores used, no rule speaks"


def _engine(rules: Sequence[Rule], config: Config) -> Engine:
    """With the thresholds that were moved, without the rules that are switched off."""
    thresholds = {name: rule.thresholds for name, rule in config.rule.items() if rule.thresholds}
    return Engine(rules, thresholds, frozenset(name for name, rule in config.rule.items() if not rule.enabled))


def service_facts(service: Service, processes: Facts, config: Config) -> ServiceFacts:
    """What is known of one service, with its owner's objectives."""
    wanted = config.for_service(service.name)
    own = as_seen(service, {w.key: processes[w.key] for w in service.workers if w.key in processes})
    threads = [compute_threads(own[w.key]) for w in service.serving if w.key in own]
    known = [t for t in threads if t.known]
    return ServiceFacts(
        service=service,
        processes=own,
        settings=tuple(settings_of(service, own)),
        threads=known[0] if known else None,
        objective=wanted.objective,
        slo_p99_seconds=wanted.slo_p99_seconds,
        price=node_price(config.prices),
        price_without_device=price_without_device(config.prices),
        memory_bandwidth_bytes_per_second=config.node.memory_bandwidth_bytes_per_second,
    )


def state_of(view: View | None) -> str:
    """`loaded`, `idle`, or `starting` where nothing was seen yet."""
    if view is None or not view.cores:
        return "starting"
    return "loaded" if view.loaded_now else "idle"
