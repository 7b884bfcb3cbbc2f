"""The thread that decides which worker is looked into, and the short-lived ones that do it.

Nothing of it touches sampling: it gets a picture of the services after each judgement, and judging reads its digests.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from advisor.documents import ProfilingStatus
from advisor.profiling.digest import digest
from advisor.profiling.stored import StoredProfile
from advisor.profiling.table import load_table
from advisor.profiling.view import ProfileView
from agent.profiling.budget import ProfilingBudget
from agent.profiling.continuous import ProbeWindows
from agent.profiling.digests import Digest, Digests
from agent.profiling.guard import Guard
from agent.profiling.keeping import Whose, stored
from agent.profiling.scene import ServiceScene
from agent.profiling.schedule import Order, next_orders, next_probe
from collectors.entities import Service, WorkerKey
from collectors.profiles.profile import Missing, Profile, ProfileSpec

log = logging.getLogger("nodewright.profiling")

Take = Callable[[WorkerKey, ProfileSpec, threading.Event], Profile | Missing]
"""Takes a profile, or says why not; ends early when the event is set. Blocks for as long as the profile is."""


class Busy(Missing, frozen=True):
    """Others are being profiled just now: no fault, and nothing that a rule should name."""


Keep = Callable[[StoredProfile], None]
State = Literal["off", "ready", "profiling"]

BEAT_SECONDS = 0.25
BURST_HERTZ = 50
PROBE = ProfileSpec(kind="probe")


class ProfilingLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration allows: ratios of one core."""

    enabled: bool = True
    probe: bool = True
    node_ratio: float = 0.005
    worker_ratio: float = 0.01
    burst_seconds: float = 4.0


class _Running:
    """A burst that is being taken."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.end = threading.Event()
        self.stopped: str | None = None
        self.thread: threading.Thread | None = None


class Profiler:
    """Takes profiles within its budget. All methods may be called from any thread."""

    def __init__(self, take: Take, keep: Keep, limits: ProfilingLimits) -> None:
        self._take = take
        self._keep = keep
        self._limits = limits
        self._scenes: tuple[ServiceScene, ...] = ()
        self._budget = ProfilingBudget(limits.node_ratio, limits.worker_ratio)
        self._guard = Guard()
        self._digests = Digests()
        self._windows = ProbeWindows()
        self._lock = threading.Lock()
        self._running: list[_Running] = []
        self._tried_at: dict[str, tuple[ServiceScene, float]] = {}
        """By service: the generation that was last looked into, and when."""
        self._probed_at: dict[WorkerKey, float] = {}
        self._next_probe = 0.0
        self._bursts = self._probes = self._failed = 0
        self._problem: Missing | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._guarded, name="profiler", daemon=True)

    def start(self) -> None:
        if self._limits.enabled:
            self._thread.start()

    def end(self) -> None:
        """Tell all that runs to end; waits for nothing."""
        self._stop.set()
        for running in self._now_running():
            running.end.set()

    def stop(self, timeout_seconds: float) -> None:
        """End all that runs, and keep what it saw as far as the time allows; what was probed since the last window is
        kept."""
        until = time.monotonic() + timeout_seconds
        self.end()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)
        for running in self._now_running():
            running.end.set()
            if running.thread is not None and running.thread.is_alive():
                running.thread.join(max(0.0, until - time.monotonic()))
        for window in self._windows.finish():
            self._keep(window)

    def update(self, scenes: Sequence[ServiceScene]) -> None:
        """The services as they were judged just now."""
        self._scenes = tuple(scenes)

    def view(self, service: Service, generation: int) -> ProfileView | None:
        """What is known of a service's present configuration."""
        return self._digests.view(service, generation, time.monotonic())

    def status(self) -> ProfilingStatus:
        now = time.monotonic()
        resting = self._guard.resting(now)
        with self._lock:
            state: State = "off" if not self._limits.enabled else "profiling" if self._running else "ready"
            return ProfilingStatus(
                state=state,
                cpu_seconds=round(self._budget.cpu_seconds, 4),
                stopped_seconds=round(self._budget.stopped_seconds, 4),
                steady_ratio=round(self._budget.node_ratio(now), 6),
                bursts=self._bursts,
                probes=self._probes,
                failed=self._failed,
                stopped_early=self._guard.count,
                resting={s.service.name: resting[s.service.id] for s in self._scenes if s.service.id in resting},
                problem=None if self._problem is None else f"{self._problem.reason} ({self._problem.hint})",
            )  # fmt: skip

    def spend(self, profile: Profile, *, asked: bool, bought: bool = False, own_cpu: float = 0.0) -> None:
        """Account for a profile, also for one that somebody else asked for, with the time that we spent on its result.
        `bought`: it was a suspicion that asked."""
        with self._lock:
            self._budget.spend(
                time.monotonic(), profile.key, cpu=profile.cost.cpu_seconds + own_cpu, stopped=profile.cost.stopped_seconds,
                seconds=profile.seconds, asked=asked, bought=bought, probe=profile.kind == "probe",
            )  # fmt: skip

    def _guarded(self) -> None:
        """A fault of ours here costs profiles, not sampling."""
        while not self._stop.wait(BEAT_SECONDS):
            try:
                self._beat(time.monotonic())
            except Exception:
                log.exception("profiling failed; it goes on", extra={"once": "profiling"})

    def _beat(self, now: float) -> None:
        scenes = self._scenes
        self._forget_gone(scenes)
        for window in self._windows.over(now):
            self._keep(window)
        running = self._now_running()
        for one in running:
            self._watch_over(one, scenes, now)
        if running:
            return
        orders = self._orders(scenes, now)
        for order, seconds in orders:
            self._begin(order, seconds, now)
        if not orders and self._limits.probe and now >= self._next_probe:
            self._probe(scenes, now)

    def _orders(self, scenes: Sequence[ServiceScene], now: float) -> list[tuple[Order, float]]:
        """The bursts to take now, with their lengths; none for a service that is left alone. One that cannot afford any
        does not hold up the others."""
        free = [s for s in scenes if self._guard.rests(s.service.id, now) is None]
        asked = frozenset(s.service.id for s in scenes if s.clients)
        taken = self._digests.taken_at({s.service.id: s.generation for s in scenes}, asked)
        tried = {s.service.id: at for s in free if (at := self._tried(s)) is not None}
        with self._lock:
            while orders := next_orders(free, taken, tried, now, lambda: self._budget.may_renew(now)):
                lengths = [self._length(order, now) for order in orders]
                if any(lengths):
                    return [(order, seconds) for order, seconds in zip(orders, lengths, strict=True) if seconds]
                free = [s for s in free if s is not orders[0].scene]
        return []

    def _length(self, order: Order, now: float) -> float:
        """Seconds; 0 where it cannot be afforded now."""
        if order.why != "renewed" and not self._budget.may_buy(now):
            return 0.0
        seconds = self._budget.burst_seconds(now, order.key, self._limits.burst_seconds)
        return seconds if seconds >= 1.0 else 0.0

    def _tried(self, scene: ServiceScene) -> float | None:
        """When this configuration of the service was last looked into. A changed one need not wait for its minute, nor one
        that has clients only now."""
        if (last := self._tried_at.get(scene.service.id)) is None:
            return None
        before, at = last
        return at if before.generation == scene.generation and (before.clients or not scene.clients) else None

    def _begin(self, order: Order, seconds: float, now: float) -> None:
        self._tried_at[order.scene.service.id] = (order.scene, now)
        self._guard.begin(order.scene)
        running = _Running(order)
        running.thread = threading.Thread(
            target=self._burst, args=(running, seconds), name=f"burst-{order.key.pid}", daemon=True
        )
        with self._lock:
            self._running.append(running)
        running.thread.start()

    def _burst(self, running: _Running, seconds: float) -> None:
        order = running.order
        try:
            spec = ProfileSpec(kind="burst", seconds=seconds, hertz=BURST_HERTZ)
            result = self._take(order.key, spec, running.end)
            if isinstance(result, Missing):
                self._missed(order, result)
            else:
                began = time.thread_time()
                self._learn(order, result, running.stopped)
                bought = order.why != "renewed"
                self.spend(result, asked=bought, bought=bought, own_cpu=time.thread_time() - began)
        except Exception:
            log.exception("a profile could not be used", extra={"once": "burst"})
        finally:
            with self._lock:
                self._running.remove(running)
            if not self._now_running():
                self._guard.end(order.scene.service.id)

    def _learn(self, order: Order, profile: Profile, stopped: str | None) -> None:
        table = load_table()
        worker = digest(profile, table)
        scene = order.scene
        taken = Digest(
            service=scene.service.id, generation=scene.generation, at=time.monotonic(), worker=worker,
            missing=profile.missing, clients=scene.clients,
        )  # fmt: skip
        self._digests.put(taken)
        with self._lock:
            self._bursts += 1
            self._problem = None
        notes = (*profile.notes, f"ended early: {stopped}") if stopped else profile.notes
        kept = msgspec.structs.replace(profile, notes=notes)
        whose = Whose.of(scene.service, order.key)
        self._keep(stored(kept, table, whose, kind="burst", reason=order.reason, digest=worker))

    def _missed(self, order: Order, missing: Missing) -> None:
        """No profile of this process, for a reason that rules shall name."""
        if isinstance(missing, Busy):
            return
        with self._lock:
            self._failed += 1
            self._problem = missing
        log.info("no profile of pid %d: %s (%s)", order.key.pid, missing.reason, missing.hint)
        self._digests.refused(order.scene.service.id, order.scene.generation, missing, time.monotonic())

    def _watch_over(self, running: _Running, scenes: Sequence[ServiceScene], now: float) -> None:
        scene = next((s for s in scenes if s.service.id == running.order.scene.service.id), None)
        if scene is not None and (because := self._guard.hurts(scene, now)) is not None:
            log.warning("%s: %s; it is left alone for a while", scene.service.name, because)
            for one in self._now_running():
                one.stopped = because
                one.end.set()

    def _probe(self, scenes: Sequence[ServiceScene], now: float) -> None:
        free = [s for s in scenes if self._guard.rests(s.service.id, now) is None]
        chosen = next_probe(free, self._probed_at)
        if chosen is None:
            self._next_probe = now + 1.0
            return
        scene, key = chosen
        self._probed_at[key] = now
        with self._lock:
            may = self._budget.may_probe(now, key)
        if may:
            result = self._take(key, PROBE, self._stop)
            if isinstance(result, Profile):
                began = time.thread_time()
                with self._lock:
                    self._probes += 1
                for window in self._windows.add(result, load_table(), Whose.of(scene.service, key), now):
                    self._keep(window)
                self.spend(result, asked=False, own_cpu=time.thread_time() - began)
            elif not isinstance(result, Busy):
                with self._lock:
                    self._failed += 1
                    self._problem = result
        self._next_probe = now + self._budget.jittered_gap()

    def _forget_gone(self, scenes: Sequence[ServiceScene]) -> None:
        alive = frozenset(w.key for scene in scenes for w in scene.service.workers)
        self._digests.keep_only(alive)
        for key in [k for k in self._probed_at if k not in alive]:
            del self._probed_at[key]
        services = {scene.service.id for scene in scenes}
        for name in [n for n in self._tried_at if n not in services]:
            del self._tried_at[name]

    def _now_running(self) -> list[_Running]:
        with self._lock:
            return list(self._running)
