"""The one thread that samples: it keeps the beat, runs the cheap collectors, and lets the rules judge."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from advisor.history import History
from agent.background import Background
from agent.budget import Budget
from agent.judging import Judging
from agent.latest import Latest
from collectors.collector import Collector
from collectors.discovery import Discovery
from collectors.entities import Service
from collectors.facts import Facts
from collectors.host import Host
from collectors.reading import Instant, Reading
from collectors.runner import collect_one

log = logging.getLogger("nodewright.sampler")


@dataclass(slots=True)
class Beat:
    """How well the beat was kept."""

    ticks: int = 0
    late_ticks: int = 0
    worst_late_ns: int = 0


@dataclass(slots=True)
class _Due:
    collector: Collector
    every: int
    """Ticks between two runs."""


class Sampler:
    """Owns discovery, collectors, history and judging; every call to them happens in its thread.

    `on_reading` gets each reading, `on_judged` is called after each judgement; both must not block.
    """

    def __init__(
        self,
        host: Host,
        discovery: Discovery,
        collectors: Sequence[Collector],
        judging: Judging,
        history: History,
        background: Background | None,
        *,
        interval_seconds: float,
        evaluate_seconds: float,
        budget: Budget,
        on_reading: Callable[[Reading], None],
        on_judged: Callable[[Instant], None],
        on_failed: Callable[[], None] = lambda: None,
        on_learnt: Callable[[Sequence[Service], Facts], None] = lambda services, facts: None,
        on_ticked: Callable[[Instant], None] = lambda now: None,
        on_ended: Callable[[Instant, bool], None] = lambda now, judged: None,
        readings: Callable[[], Iterable[Reading]] = lambda: (),
    ) -> None:
        """`readings`: what processes of their own have read since the last tick. `on_learnt` is called where services or what
        is known of them changed, `on_ticked` after each tick and before its judgement, `on_ended` after that, with whether it
        was judged."""
        self.beat = Beat()
        self.latest = Latest(c.name for c in collectors if c.process is not None)
        self.discovery = discovery
        self.judging = judging
        self.interval_seconds = interval_seconds
        self._host = host
        self._history = history
        self._background = background
        self._evaluate_seconds = evaluate_seconds
        self._budget = budget
        self._on_reading = on_reading
        self._on_judged = on_judged
        self._on_failed = on_failed
        self._on_learnt = on_learnt
        self._on_ticked = on_ticked
        self._on_ended = on_ended
        self._readings = readings
        self._due = [
            _Due(c, max(1, round(c.cadence_seconds / interval_seconds)))
            for c in collectors
            if not c.own_thread and c.process is None
        ]
        self._kinds = {c.name: c.samples for c in collectors}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._judged_ns = 0
        self._planned_ns: int | None = None
        self._before_next: deque[Callable[[], None]] = deque()

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_seconds: float) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)
        for due in self._due:
            due.collector.close()

    def judge_soon(self) -> None:
        """Judge and publish at the next tick. Any thread may call it."""
        self._judged_ns = 0

    def before_next_tick(self, task: Callable[[], None]) -> None:
        """Let the sampler's own thread do it. Any thread may call it."""
        self._before_next.append(task)

    @property
    def overdue_seconds(self) -> float:
        """For how long the tick that is next, or runs, should have begun; 0 before the first."""
        planned = self._planned_ns
        return 0.0 if planned is None else max(0.0, (time.monotonic_ns() - planned) * 1e-9)

    def _run(self) -> None:
        """A fault of ours ends the agent, so that it is started again; one that no longer samples would look healthy."""
        try:
            self.run()
        except Exception:
            log.exception("sampling failed")
            self._on_failed()

    def run(self) -> None:
        """Tick until stopped. A tick that is late does not move the ones after it; missed ones are left out."""
        planned = self._planned_ns = time.monotonic_ns()
        while not self._stop.is_set():
            self.tick(planned)
            step = int(self._budget.interval_seconds(self.interval_seconds) * 1e9)
            planned += step
            behind = time.monotonic_ns() - planned
            if behind > 0:
                planned += behind // step * step + step
            self._planned_ns = planned
            if self._stop.wait(max(0.0, (planned - time.monotonic_ns()) * 1e-9)):
                return

    def tick(self, planned_ns: int) -> None:
        """One beat: find, read, remember, and judge when it is time."""
        started, cpu = time.monotonic_ns(), time.thread_time_ns()
        self._keep_beat(started - planned_ns)
        while self._before_next:
            self._before_next.popleft()()
        now = self._host.clock.now()
        changed = self.discovery.scan(self._host)
        services = self.discovery.services
        if changed:
            self.judging.learn(services, self.discovery.facts)
            self._on_learnt(services, self.discovery.facts)
            if self._background:
                self._background.services = services
        for due in self._due:
            if self.beat.ticks % due.every == 0:
                self._take(collect_one(due.collector, self._host, services, planned_ns))
        if self._background:
            self._background.wanted(self.discovery.wanted())
            for reading in self._background.readings():
                self._take(reading)
        for reading in self._readings():
            self._take(reading)
        self._history.end_tick(services, now)
        self.beat.ticks += 1
        self._on_ticked(now)
        if judges := (started - self._judged_ns) * 1e-9 >= self._evaluate_seconds - 0.05:
            self._judged_ns = started
            self.judging.judge(services, now)
            self._on_judged(now)
        self._on_ended(now, judges)
        self._budget.spent(time.thread_time_ns() - cpu, self.interval_seconds)

    def _take(self, reading: Reading) -> None:
        self._history.add(reading)
        self.latest.take(reading, self._kinds[reading.collector])
        self._on_reading(reading)

    def _keep_beat(self, late_ns: int) -> None:
        self.beat.worst_late_ns = max(self.beat.worst_late_ns, late_ns)
        if late_ns > 100_000_000:
            self.beat.late_ticks += 1
