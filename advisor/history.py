"""How do raw samples become a view? The only place where counters turn into rates.

Counter resets, recycled workers and reused pids are handled here: a counter that went back starts a new baseline, and an
entity's key holds its process's start time, so a reused pid is another entity.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from advisor.view import CgroupView, CoreView, ThreadView, View, WorkerView
from collectors.cgroup_paths import cgroup_entity
from collectors.cpulist import parse_cpulist
from collectors.entities import Service, WorkerKey
from collectors.reading import Instant, Reading
from collectors.sample import Sample
from collectors.sources.cgroup import CgroupSample
from collectors.sources.cpu import CoreSample
from collectors.sources.memory import MemorySample
from collectors.sources.processes import WorkerSample
from collectors.sources.serving import ServingSample
from collectors.sources.sockets import ListenSample
from collectors.sources.threads import ThreadClassSample, ThreadSample

KEPT_TICKS = 320
KEPT_THREAD_TICKS = 75
LOADED_CORES = 0.05
"""A second in which the service used less, with nobody in its accept queue, is idle."""
OLDEST_FACTOR = 3
"""Loaded seconds older than this many horizons do not count as the present."""


def delta(now: int | None, before: int | None) -> int:
    """Growth of a counter; a counter that went back was reset and counts from zero; unknown counts as none."""
    if now is None or before is None:
        return 0
    return now - before if now >= before else now


@dataclass(slots=True)
class _Thread:
    """A thread's last counters, and its busy seconds: (tick, run_seconds, delay_seconds, last_cpu)."""

    worker: str
    tid: int
    sample: ThreadSample
    tick: int
    recent: deque[tuple[int, float, float, int]] = field(default_factory=lambda: deque(maxlen=KEPT_THREAD_TICKS))


@dataclass(slots=True)
class _Worker:
    sample: WorkerSample | None = None
    classes: dict[str, ThreadClassSample] = field(default_factory=dict)
    pending_run: float = 0.0
    pending_delay: float = 0.0
    switches: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=KEPT_TICKS))
    faults: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=KEPT_TICKS))
    ticks: dict[int, tuple[float, float]] = field(default_factory=dict)
    delay_readable: bool = True
    threads: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _CgroupTick:
    periods: int
    throttled_periods: int
    throttled_us: int


@dataclass(slots=True)
class _Second:
    """What one tick says of one service."""

    tick: int
    seconds: float
    loaded: bool
    demand: float
    accept_queue: float | None
    established: int | None
    cgroup: _CgroupTick | None


@dataclass(slots=True)
class _Service:
    signature: Any = None
    seconds: deque[_Second] = field(default_factory=lambda: deque(maxlen=KEPT_TICKS))
    requests_per_second: float | None = None
    latency_seconds: float | None = None
    server_queue: float | None = None
    serving: tuple[float, ServingSample] | None = None


class History:
    """Accumulates readings tick by tick and answers with views. One thread uses it."""

    def __init__(self, ticks_per_second: int = 100) -> None:
        self._hertz = ticks_per_second
        self._tick = 0
        self._mono_ns: int | None = None
        self._threads: dict[str, _Thread] = {}
        self._workers: dict[str, _Worker] = {}
        self._services: dict[str, _Service] = {}
        self._cores: dict[str, CoreSample] = {}
        self._core_ticks: deque[tuple[int, dict[int, tuple[float, float]]]] = deque(maxlen=KEPT_TICKS)
        self._core_now: dict[int, tuple[float, float]] = {}
        self._cgroups: dict[str, CgroupSample] = {}
        self._cgroup_now: dict[str, _CgroupTick] = {}
        self._listen: dict[str, ListenSample] = {}
        self._memory: MemorySample | None = None
        self._add: dict[type[Sample], Callable[[Any], None]] = {
            ThreadSample: self._add_thread,
            ThreadClassSample: self._add_class,
            WorkerSample: self._add_worker,
            CoreSample: self._add_core,
            CgroupSample: self._add_cgroup,
            ListenSample: self._add_listen,
            MemorySample: self._add_memory,
        }

    # ---- samples in ------------------------------------------------------------------------------------------------

    def add(self, reading: Reading) -> None:
        """Take in one reading of the current tick."""
        for sample in reading.samples:
            if isinstance(sample, ServingSample):
                self._add_serving(sample, reading.at.mono_ns / 1e9)
            elif handler := self._add.get(type(sample)):
                handler(sample)

    def _worker(self, entity: str) -> _Worker:
        found = self._workers.get(entity)
        if found is None:
            found = self._workers[entity] = _Worker()
        return found

    def _add_thread(self, sample: ThreadSample) -> None:
        known = self._threads.get(sample.entity)
        if known is None:
            tid = int(sample.entity.rpartition(":")[2])
            worker = sample.worker or ""
            self._threads[sample.entity] = _Thread(worker, tid, sample, self._tick)
            self._worker(worker).threads.add(sample.entity)
            return
        before = known.sample
        known.sample = sample
        known.tick = self._tick
        if sample.run_ns != before.run_ns or sample.delay_ns != before.delay_ns:
            run, delay = delta(sample.run_ns, before.run_ns), delta(sample.delay_ns, before.delay_ns)
            cpu = -1 if sample.last_cpu is None else sample.last_cpu
            known.recent.append((self._tick, run * 1e-9, delay * 1e-9, cpu))

    def _add_class(self, sample: ThreadClassSample) -> None:
        entity, _, name = sample.entity.rpartition(":")
        worker = self._worker(entity)
        before = worker.classes.get(name)
        worker.classes[name] = sample
        worker.delay_readable = sample.delay_ns is not None
        if before is not None:
            worker.pending_run += delta(sample.run_ns, before.run_ns) * 1e-9
            worker.pending_delay += delta(sample.delay_ns, before.delay_ns) * 1e-9

    def _add_worker(self, sample: WorkerSample) -> None:
        worker = self._worker(sample.entity)
        before = worker.sample
        worker.sample = sample
        if before is None:
            return
        switches = delta(sample.voluntary_switches, before.voluntary_switches)
        switches += delta(sample.involuntary_switches, before.involuntary_switches)
        worker.switches.append((self._tick, switches))
        worker.faults.append((self._tick, delta(sample.major_faults, before.major_faults)))

    def _add_core(self, sample: CoreSample) -> None:
        before = self._cores.get(sample.entity)
        self._cores[sample.entity] = sample
        if before is None:
            return
        busy = sum(
            delta(getattr(sample, name), getattr(before, name)) for name in ("user_ticks", "system_ticks", "irq_ticks")
        )
        steal = delta(sample.steal_ticks, before.steal_ticks)
        self._core_now[int(sample.entity.partition(":")[2])] = (busy / self._hertz, steal / self._hertz)

    def _add_cgroup(self, sample: CgroupSample) -> None:
        before = self._cgroups.get(sample.entity)
        self._cgroups[sample.entity] = sample
        if before is not None:
            self._cgroup_now[sample.entity] = _CgroupTick(
                delta(sample.periods, before.periods),
                delta(sample.throttled_periods, before.throttled_periods),
                delta(sample.throttled_us, before.throttled_us),
            )

    def _add_listen(self, sample: ListenSample) -> None:
        self._listen[sample.entity] = sample

    def _add_memory(self, sample: MemorySample) -> None:
        self._memory = sample

    def _add_serving(self, sample: ServingSample, now: float) -> None:
        service = self._services.setdefault(sample.entity, _Service())
        before = service.serving
        service.serving = (now, sample)
        if before is None or now <= before[0]:
            return
        seconds, last = now - before[0], before[1]
        if sample.requests is not None:
            service.requests_per_second = delta(sample.requests, last.requests) / seconds
        if (answered := delta(sample.latency_count, last.latency_count)) > 0:
            service.latency_seconds = delta(sample.latency_sum_us, last.latency_sum_us) * 1e-6 / answered
        if (queued := delta(sample.queue_count, last.queue_count)) > 0:
            service.server_queue = delta(sample.queue_sum, last.queue_sum) / queued

    # ---- the end of a tick -----------------------------------------------------------------------------------------

    def end_tick(self, services: Sequence[Service], now: Instant) -> None:
        """Close the current second: what each service did in it, and forget what is gone.

        `now` is the instant of the tick: what ran in the background was read at another.
        """
        seconds = 0.0 if self._mono_ns is None else (now.mono_ns - self._mono_ns) * 1e-9
        self._mono_ns = now.mono_ns
        if seconds > 0:
            self._core_ticks.append((self._tick, self._core_now))
            for worker in self._workers.values():
                worker.ticks[self._tick] = (worker.pending_run, worker.pending_delay)
                worker.ticks.pop(self._tick - KEPT_TICKS, None)
            for service in services:
                self._end_second(service, seconds)
        for worker in self._workers.values():
            worker.pending_run = worker.pending_delay = 0.0
        self._core_now, self._cgroup_now = {}, {}
        if self._tick % 10 == 0:
            self._forget(services)
        self._tick += 1

    def _end_second(self, service: Service, seconds: float) -> None:
        track = self._services.setdefault(f"service:{service.id}", _Service())
        used = demand = 0.0
        serving = {w.key for w in service.serving}
        for member in service.workers:
            worker = self._workers.get(member.key.entity)
            if worker is None:
                continue
            used += worker.pending_run
            if member.key in serving:
                demand += min(1.0, (worker.pending_run + worker.pending_delay) / seconds)
        listen = None if service.port is None else self._listen.get(f"listen:{service.port}")
        queue = None if listen is None else listen.accept_queue
        track.seconds.append(
            _Second(
                tick=self._tick,
                seconds=seconds,
                loaded=used / seconds >= LOADED_CORES or bool(queue),
                demand=demand,
                accept_queue=queue,
                established=None if listen is None else listen.established,
                cgroup=self._cgroup_now.get(_cgroup_of(service)),
            )
        )

    def _forget(self, services: Sequence[Service]) -> None:
        alive = {w.key.entity for s in services for w in s.workers}
        for entity in [e for e in self._workers if e not in alive]:
            del self._workers[entity]
        gone = [e for e, t in self._threads.items() if t.worker not in alive or t.tick < self._tick - 15]
        for entity in gone:
            track = self._threads.pop(entity)
            if worker := self._workers.get(track.worker):
                worker.threads.discard(entity)
        names = {f"service:{s.id}" for s in services}
        for entity in [e for e in self._services if e not in names]:
            del self._services[entity]

    def restart_window(self, service: Service) -> None:
        """Forget the seconds seen of a service: a lever changed, what was before is another configuration."""
        if track := self._services.get(f"service:{service.id}"):
            track.seconds.clear()

    # ---- views out -------------------------------------------------------------------------------------------------

    def view(self, service: Service, horizon_seconds: int = 15) -> View:
        """The last `horizon_seconds` loaded seconds of a service (fewer where there were fewer)."""
        track = self._services.get(f"service:{service.id}", _Service())
        oldest = self._tick - OLDEST_FACTOR * horizon_seconds
        chosen = [s for s in track.seconds if s.loaded and s.tick >= oldest][-horizon_seconds:]
        ticks = {s.tick for s in chosen}
        span = sum(s.seconds for s in chosen)
        workers = tuple(self._worker_view(w.key, w.role, w.slot, ticks, span) for w in service.workers)
        return View(
            service=service,
            horizon_seconds=float(horizon_seconds),
            window_seconds=span,
            samples=len(chosen),
            loaded_now=bool(track.seconds) and any(s.loaded for s in list(track.seconds)[-5:]),
            workers=workers,
            cores=self._core_views(workers, ticks, span),
            cgroup=self._cgroup_view(service, chosen),
            demand=tuple(s.demand for s in chosen),
            accept_queue=tuple(s.accept_queue for s in chosen if s.accept_queue is not None),
            established=_mean([s.established for s in chosen if s.established is not None]),
            requests_per_second=track.requests_per_second,
            latency_seconds=track.latency_seconds,
            server_queue=track.server_queue,
            memory_available_bytes=_kib(self._memory.available_kib) if self._memory else None,
            delay_readable=all(
                self._workers[w.key.entity].delay_readable for w in service.workers if w.key.entity in self._workers
            ),
        )

    def _worker_view(self, key: WorkerKey, role: Any, slot: int, ticks: set[int], span: float) -> WorkerView:
        worker = self._workers.get(key.entity)
        if worker is None or span <= 0:
            worker = worker or _Worker()
            span = span or 1.0
        run = sum(worker.ticks[t][0] for t in ticks if t in worker.ticks)
        wait = sum(worker.ticks[t][1] for t in ticks if t in worker.ticks)
        sample = worker.sample
        threads = (self._thread_view(self._threads[e], ticks, span) for e in worker.threads if e in self._threads)
        return WorkerView(
            key=key,
            role=role,
            slot=slot,
            cores_used=run / span,
            waiting_cores=wait / span if worker.delay_readable else None,
            resident_bytes=sample.resident_bytes if sample else None,
            thread_count=sample.threads if sample else None,
            switches_per_second=sum(n for t, n in worker.switches if t in ticks) / span,
            major_faults_per_second=sum(n for t, n in worker.faults if t in ticks) / span,
            threads=tuple(sorted(threads, key=lambda t: -t.cores_used)),
        )

    @staticmethod
    def _thread_view(track: _Thread, ticks: set[int], span: float) -> ThreadView:
        run = delay = 0.0
        seen: dict[int, float] = {}
        for tick, ran, waited, cpu in track.recent:
            if tick in ticks:
                run += ran
                delay += waited
                if cpu >= 0:
                    seen[cpu] = seen.get(cpu, 0.0) + ran
        sample = track.sample
        return ThreadView(
            tid=track.tid,
            name=sample.name or "",
            thread_class=sample.thread_class or "python",
            state=sample.state or "?",
            cores_used=run / span,
            waiting_cores=delay / span,
            allowed=parse_cpulist(sample.allowed_cpus) if sample.allowed_cpus else None,
            cpus_seen={cpu: ran / run for cpu, ran in seen.items()} if run > 0 else {},
            last_cpu=sample.last_cpu,
        )

    def _core_views(self, workers: Sequence[WorkerView], ticks: set[int], span: float) -> tuple[CoreView, ...]:
        own: dict[int, float] = {}
        for worker in workers:
            for thread in worker.threads:
                for cpu, share in thread.cpus_seen.items():
                    own[cpu] = own.get(cpu, 0.0) + share * thread.cores_used
        totals = {int(entity.partition(":")[2]): (0.0, 0.0) for entity in self._cores}
        for tick, cores in self._core_ticks:
            if tick in ticks:
                for cpu, (busy, steal) in cores.items():
                    before = totals.get(cpu, (0.0, 0.0))
                    totals[cpu] = (before[0] + busy, before[1] + steal)
        span = span or 1.0
        return tuple(
            CoreView(cpu=cpu, busy=min(1.0, busy / span), own=min(1.0, own.get(cpu, 0.0)), steal=min(1.0, steal / span))
            for cpu, (busy, steal) in sorted(totals.items())
        )

    def _cgroup_view(self, service: Service, chosen: Sequence[_Second]) -> CgroupView | None:
        sample = self._cgroups.get(_cgroup_of(service))
        if sample is None:
            return None
        moved = [s.cgroup for s in chosen if s.cgroup is not None]
        limited = sample.quota_us is not None and sample.period_us
        return CgroupView(
            quota_cores=sample.quota_us / sample.period_us
            if limited and sample.quota_us and sample.period_us
            else None,
            period_seconds=sample.period_us * 1e-6 if sample.period_us else None,
            weight=sample.weight,
            periods=sum(m.periods for m in moved),
            throttled_periods=sum(m.throttled_periods for m in moved),
            throttled_seconds=sum(m.throttled_us for m in moved) * 1e-6,
            cpus=parse_cpulist(sample.cpus) if sample.cpus else None,
            memory_limit_bytes=sample.memory_limit_bytes,
            memory_current_bytes=sample.memory_current_bytes,
        )


def _cgroup_of(service: Service) -> str:
    """The cgroup of the process that serves: in a pod, front-end and workers share it."""
    return cgroup_entity(service.serving[0].process.cgroups) if service.serving else ""


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _kib(value: int | None) -> int | None:
    return None if value is None else value * 1024
