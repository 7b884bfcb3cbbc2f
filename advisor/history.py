"""How do raw samples become rates? The only place where counters do.

Counter resets, recycled workers and reused pids are handled here: a counter that went back starts a new baseline, and an
entity's key holds its process's start time, so a reused pid is another entity.
"""

from collections.abc import Callable, Sequence
from typing import Any

from advisor.gpu.view import GpuView
from advisor.gpu.window import HORIZON_SECONDS, gpu_views
from advisor.lately import add_loaded
from advisor.node_history import NodeHistory, grown
from advisor.serving import load_of, rates
from advisor.slicing import add_second
from advisor.tracks import (
    KEPT_TICKS,
    CgroupTick,
    Second,
    ThreadTrack,
    Tracks,
    WorkerTrack,
    cgroup_of,
    delta,
)
from advisor.trend import Trend
from advisor.view import View
from advisor.window import view_of
from collectors.entities import Service
from collectors.gpu.samples import GpuHealthSample, GpuInfoSample, GpuProcessSample, GpuSample
from collectors.reading import Instant, Reading
from collectors.sample import Sample
from collectors.sources.cgroup import CgroupSample
from collectors.sources.connections import ConnectionsSample
from collectors.sources.cpu import CoreSample
from collectors.sources.frequency import FrequencySample
from collectors.sources.memory import MemorySample
from collectors.sources.pressure import PressureSample
from collectors.sources.processes import WorkerSample
from collectors.sources.serving import ServingSample
from collectors.sources.sockets import ListenSample
from collectors.sources.threads import ThreadClassSample, ThreadSample
from collectors.sources.vmstat import VmSample
from collectors.sources.worker_memory import WorkerMemorySample
from collectors.topology import Topology

LOADED_CORES = 0.05
"""A second in which the service used less, with nobody in its accept queue, is idle."""
LOOK_HOLDS_SECONDS = 60.0
"""How long a look at the connections says how many are open."""


class History:
    """Accumulates readings tick by tick and answers with views. One thread uses it."""

    def __init__(self, ticks_per_second: int = 100) -> None:
        self._hertz = ticks_per_second
        self.tracks = Tracks()
        self._node = NodeHistory(self.tracks)
        self._mono_ns: int | None = None
        self.minute_ended: Callable[[Service, Trend], None] = lambda service, trend: None
        """Called when a minute of a service is the newest of its trend, to be kept."""
        self._core_now: dict[int, tuple[float, float]] = {}
        self._cores_done: dict[int, tuple[float, float]] = {}
        self._cgroup_now: dict[str, CgroupTick] = {}
        self._listen: dict[str, ListenSample] = {}
        self._add: dict[type[Sample], Callable[[Any], None]] = {
            ThreadSample: self._add_thread,
            ThreadClassSample: self._add_class,
            WorkerSample: self._add_worker,
            CoreSample: self._add_core,
            CgroupSample: self._add_cgroup,
            ListenSample: self._add_listen,
            MemorySample: self._add_memory,
            PressureSample: self._node.add_pressure,
            VmSample: self._node.add_vm,
            FrequencySample: self._node.add_frequency,
            WorkerMemorySample: self._node.add_memory_of,
            GpuHealthSample: self.tracks.gpus.add_health,
            GpuInfoSample: self.tracks.gpus.add_info,
        }

    def know_cpus(self, topology: Topology) -> None:
        """Which CPUs share a memory node and a core."""
        self.tracks.cpus = {cpu.cpu: (cpu.node, frozenset(cpu.siblings)) for cpu in topology.cpus}

    def add(self, reading: Reading) -> None:
        """Take in one reading of the current tick."""
        ended = (
            reading.at.mono_ns + reading.duration_ns
        ) / 1e9  # a driver may keep a run waiting, and then tells the present
        for sample in reading.samples:
            if isinstance(sample, ServingSample):
                self._add_serving(sample, reading.at.mono_ns / 1e9)
            elif isinstance(sample, GpuSample):
                self.tracks.gpus.add_device(sample, self.tracks.tick, ended)
            elif isinstance(sample, ConnectionsSample):
                self._node.add_connections(sample, reading.at.mono_ns / 1e9)
            elif isinstance(sample, GpuProcessSample):
                self.tracks.gpus.add_process(sample, self.tracks.tick, ended)
            elif handler := self._add.get(type(sample)):
                handler(sample)

    def rebase(self, sample: ThreadSample) -> None:
        """The thread's counters grow from here: what it did since it was seen last is not known."""
        if (known := self.tracks.threads.get(sample.entity)) is not None:
            known.sample = sample

    def _worker(self, entity: str) -> WorkerTrack:
        found = self.tracks.workers.get(entity)
        if found is None:
            found = self.tracks.workers[entity] = WorkerTrack()
        return found

    def _add_thread(self, sample: ThreadSample) -> None:
        known = self.tracks.threads.get(sample.entity)
        if known is None:
            tid = int(sample.entity.rpartition(":")[2])
            worker = sample.worker or ""
            self.tracks.threads[sample.entity] = ThreadTrack(worker, tid, sample, self.tracks.tick)
            self._worker(worker).threads.add(sample.entity)
            return
        before = known.sample
        known.sample = sample
        known.tick = self.tracks.tick
        if sample.allowed_cpus != before.allowed_cpus:
            self._worker(known.worker).mask_tick = self.tracks.tick
        if sample.run_ns != before.run_ns or sample.delay_ns != before.delay_ns:
            run, delay = delta(sample.run_ns, before.run_ns), delta(sample.delay_ns, before.delay_ns)
            cpu = -1 if sample.last_cpu is None else sample.last_cpu
            slices = delta(sample.timeslices, before.timeslices)
            known.recent.append((self.tracks.tick, run * 1e-9, delay * 1e-9, cpu, slices))

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
        worker.pending_switches += switches
        worker.pending_faults += delta(sample.major_faults, before.major_faults)
        worker.pending_user += delta(sample.user_ticks, before.user_ticks)
        worker.pending_system += delta(sample.system_ticks, before.system_ticks)

    def _add_core(self, sample: CoreSample) -> None:
        before = self.tracks.cores.get(sample.entity)
        self.tracks.cores[sample.entity] = sample
        if before is None:
            return
        busy = sum(
            delta(getattr(sample, name), getattr(before, name)) for name in ("user_ticks", "system_ticks", "irq_ticks")
        )
        steal = delta(sample.steal_ticks, before.steal_ticks)
        self._core_now[int(sample.entity.partition(":")[2])] = (busy / self._hertz, steal / self._hertz)

    def _add_cgroup(self, sample: CgroupSample) -> None:
        before = self.tracks.cgroups.get(sample.entity)
        self.tracks.cgroups[sample.entity] = sample
        if before is not None:
            self._cgroup_now[sample.entity] = CgroupTick(
                delta(sample.periods, before.periods),
                delta(sample.throttled_periods, before.throttled_periods),
                delta(sample.throttled_us, before.throttled_us),
                grown(sample.memory_limit_hits, before.memory_limit_hits),
                grown(sample.oom_kills, before.oom_kills),
                grown(sample.memory_some_us, before.memory_some_us),
                grown(sample.memory_full_us, before.memory_full_us),
            )

    def _add_listen(self, sample: ListenSample) -> None:
        self._listen[sample.entity] = sample

    def _add_memory(self, sample: MemorySample) -> None:
        self.tracks.memory = sample

    def _add_serving(self, sample: ServingSample, now: float) -> None:
        if not sample.entity.startswith("service:"):
            self._add_model(sample, now)
            return
        service = self.tracks.service(sample.entity)
        then, before = service.serving or (now, None)
        service.serving = (now, sample)
        service.rates = rates(sample, before, now - then)
        load = load_of(service.rates)
        if load is not None and not service.mixed:
            service.loads.append(load)
        if before is None or before.source != sample.source:
            service.pages.clear()
        elif not service.mixed:
            service.pages.append((now, now - then, service.rates))
        service.mixed = False

    def _add_model(self, sample: ServingSample, now: float) -> None:
        """One model of a server: `model:ID/NAME`."""
        of_service, _, name = sample.entity.removeprefix("model:").partition("/")
        service = self.tracks.service(f"service:{of_service}")
        then, before = (service.models[name][0], service.models[name][1]) if name in service.models else (now, None)
        service.models[name] = (now, sample, rates(sample, before, now - then))

    def end_tick(self, services: Sequence[Service], now: Instant) -> None:
        """Close the current second: what each service did in it, and forget what is gone.

        `now` is the instant of the tick: what ran in the background was read at another.
        """
        seconds = 0.0 if self._mono_ns is None else (now.mono_ns - self._mono_ns) * 1e-9
        self._mono_ns = now.mono_ns
        self.tracks.now = now.mono_ns / 1e9
        self._end_cores()
        for worker in self.tracks.workers.values():
            worker.end_tick(self.tracks.tick)
        if seconds > 0:
            busy = sum(core[0] for core in self._core_now.values()) / seconds
            for service in services:
                self._end_second(service, seconds, busy, now.wall_ns / 1e9)
        self._restore()
        self._node.end_tick()
        self.tracks.present = tuple(services)
        self.tracks.gpus.end_tick(services)
        for worker in self.tracks.workers.values():
            worker.begin_tick()
        self._core_now, self._cgroup_now = {}, {}
        if self.tracks.tick % 10 == 0:
            self._forget(services)
            self.tracks.gpus.forget(self.tracks.now)
        self.tracks.tick += 1

    def _end_cores(self) -> None:
        """Add what the cores did in the open tick to what they had done before."""
        kept, done = self.tracks.core_ticks, dict(self._cores_done)
        for cpu, (busy, steal) in self._core_now.items():
            before = done.get(cpu, (0.0, 0.0))
            done[cpu] = (before[0] + busy, before[1] + steal)
        kept[self.tracks.tick] = self._cores_done = done
        kept.pop(self.tracks.tick - KEPT_TICKS, None)

    def _end_second(self, service: Service, seconds: float, busy: float, wall_seconds: float) -> None:
        """`busy`: cores that anything on the node used."""
        track = self.tracks.service(f"service:{service.id}")
        waiting = demand = 0.0
        switches = faults = 0
        ran = []
        serving = {w.key for w in service.serving}
        for member in service.workers:
            worker = self.tracks.workers.get(member.key.entity)
            if worker is None:
                continue
            ran.append(worker.pending_run)
            waiting += worker.pending_delay
            switches += worker.pending_switches
            faults += worker.pending_faults
            if member.key in serving:
                demand += min(1.0, (worker.pending_run + worker.pending_delay) / seconds)
        used = sum(ran)
        listen = None if service.port is None else self._listen.get(f"listen:{service.port}")
        queue = None if listen is None else listen.accept_queue
        second = Second(
            tick=self.tracks.tick,
            seconds=seconds,
            loaded=used / seconds >= LOADED_CORES or bool(queue) or self.tracks.gpus.works(service, self.tracks.now),
            demand=demand,
            accept_queue=queue,
            established=self._established(service.port, listen),
            cgroup=self._cgroup_now.get(cgroup_of(service)),
            connections=self._node.connections_of(service.port),
            used=used / seconds,
            waiting=waiting / seconds,
            others=max(0.0, busy - used / seconds),
            busiest=max(ran, default=0.0),
            idlest=min(ran, default=0.0),
            switches=switches,
            faults=faults,
        )
        track.seconds.append(second)
        if second.loaded:
            add_loaded(track, second)
        if add_second(self.tracks, track, service, second, wall_seconds):
            self.minute_ended(service, track.trend)

    def _established(self, port: int | None, listen: ListenSample | None) -> int | None:
        """Connections to the port now; where too many have ended lately for all to be read each second, as of the last look."""
        if listen is not None and listen.established is not None:
            return listen.established
        known = self.tracks.connections.get(str(port))
        return None if known is None or self.tracks.now - known[0] > LOOK_HOLDS_SECONDS else known[1].established

    def _restore(self) -> None:
        """Take in what an earlier run has kept of services that are there."""
        while self.tracks.restored:
            entity, minutes, hours = self.tracks.restored.popleft()
            if track := self.tracks.services.get(entity):
                track.trend.restore(minutes, hours)

    def _forget(self, services: Sequence[Service]) -> None:
        alive = {w.key.entity for s in services for w in s.workers}
        for entity in [e for e in self.tracks.workers if e not in alive]:
            del self.tracks.workers[entity]
        gone = [e for e, t in self.tracks.threads.items() if t.worker not in alive or t.tick < self.tracks.tick - 15]
        for entity in gone:
            track = self.tracks.threads.pop(entity)
            if worker := self.tracks.workers.get(track.worker):
                worker.threads.discard(entity)
        names = {f"service:{s.id}" for s in services}
        for entity in [e for e in self.tracks.services if e not in names]:
            del self.tracks.services[entity]

    def restart_window(self, service: Service) -> None:
        """Forget the seconds seen of a service: a lever changed, what was before is another configuration."""
        if track := self.tracks.services.get(f"service:{service.id}"):
            track.seconds.clear()
            track.parts.clear()
            track.loads.clear()
            track.pages.clear()
            track.mixed = True
            track.generation += 1
            self.tracks.connections.pop(str(service.port), None)  # the next look would span both configurations

    def view(self, service: Service, horizon_seconds: int = 15) -> View:
        """The last `horizon_seconds` loaded seconds of a service (fewer where there were fewer)."""
        return view_of(self.tracks, service, horizon_seconds)

    def gpus(self, horizon_seconds: float = HORIZON_SECONDS) -> tuple[GpuView, ...]:
        """Every device over the last seconds, loaded or not."""
        return tuple(gpu_views(self.tracks.gpus, self.tracks.now, horizon_seconds).values())
