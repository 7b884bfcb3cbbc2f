"""What does one pass of the advisor cost, over 16 services with 128 workers?

Every service is under load, and every worker has a busy main thread, two busy pool threads and three that sleep. CPU time of
the judging thread, of a pass every five seconds; half of the services have too many threads, so that rules conclude.
"""

import random
import time
from collections.abc import Sequence

from advisor.history import History
from agent.config import Config
from agent.judging import Judging
from bench.stats import percentile
from collectors.entities import Process, Role, Service, Worker, WorkerKey
from collectors.facts import Environ, Library, Limits, ProcessFacts
from collectors.reading import Instant, Ok, Reading
from collectors.sample import Sample
from collectors.sources.cgroup import CgroupSample
from collectors.sources.cpu import CoreSample
from collectors.sources.memory import MemorySample
from collectors.sources.processes import WorkerSample
from collectors.sources.sockets import ListenSample
from collectors.sources.threads import ThreadClassSample, ThreadSample

SERVICES, WORKERS, CORES = 16, 8, 64
EVERY = 5
SECOND = 1_000_000_000
SLEEPING = 3


class Crowd:
    """Services whose counters grow second by second; seeded."""

    def __init__(self, services: int = SERVICES, workers: int = WORKERS, sleeping: int = SLEEPING) -> None:
        """`sleeping`: threads of each worker that do nothing, beside three that do."""
        self.newest: dict[str, dict[str, Sample]] = {}
        """Of the last second, by kind and entity."""
        self._sleeping = sleeping
        self.services = tuple(_service(number, workers) for number in range(services))
        self._draw = random.Random(7)
        self._counters: dict[str, int] = {}
        self._second = 0

    def facts(self) -> dict[WorkerKey, ProcessFacts]:
        return {w.key: _facts(w.key) for s in self.services for w in s.workers}

    def tick(self, history: History) -> Instant:
        """One second of all of them."""
        now, samples = self.second()
        history.add(Reading(collector="all", at=now, duration_ns=0, cpu_ns=0, late_ns=0, outcome=Ok(tuple(samples))))
        history.end_tick(self.services, now)
        return now

    def second(self) -> tuple[Instant, list[Sample]]:
        """What is read in the next second."""
        self._second += 1
        now = Instant(self._second * SECOND, 1_790_000_000 * SECOND + self._second * SECOND)
        samples: list[Sample] = [self._core(cpu) for cpu in range(CORES)]
        samples.append(MemorySample(entity="node", total_kib=1 << 28, available_kib=1 << 27, free_kib=1 << 26,
                                    cached_kib=1 << 26, swap_total_kib=0, swap_free_kib=0))  # fmt: skip
        for number, service in enumerate(self.services):
            samples.append(ListenSample(entity=f"listen:{service.port}", accept_queue=2, established=16))
            samples.append(self._cgroup(service))
            for worker in service.workers:
                samples += self._worker(number, worker)
        self.newest = {}
        for sample in samples:
            self.newest.setdefault(sample.kind, {})[sample.entity] = sample
        return now, samples

    def _grow(self, name: str, by: float) -> int:
        self._counters[name] = self._counters.get(name, 0) + round(by * (1 + 0.1 * (self._draw.random() - 0.5)))
        return self._counters[name]

    def _core(self, cpu: int) -> CoreSample:
        return CoreSample(
            entity=f"core:{cpu}", user_ticks=self._grow(f"u{cpu}", 60), system_ticks=self._grow(f"s{cpu}", 10),
            iowait_ticks=0, irq_ticks=0, steal_ticks=0, idle_ticks=self._grow(f"i{cpu}", 30),
        )  # fmt: skip

    def _cgroup(self, service: Service) -> CgroupSample:
        return CgroupSample(
            entity=f"cgroup:/{service.application}", quota_us=None, period_us=100_000, weight=100,
            periods=self._grow(f"p{service.id}", 10), throttled_periods=0, throttled_us=0, usage_us=0, cpus=f"0-{CORES - 1}",
            memory_limit_bytes=None, memory_current_bytes=1 << 33, memory_peak_bytes=None, memory_limit_hits=0, oom_kills=0,
        )  # fmt: skip

    def _worker(self, number: int, worker: Worker) -> list[Sample]:
        fights = number % 2 == 0
        key = worker.key
        samples: list[Sample] = [
            WorkerSample(
                entity=key.entity, user_ticks=self._grow(f"w{key.pid}", 80), system_ticks=self._grow(f"k{key.pid}", 5),
                children_user_ticks=0, children_system_ticks=0, resident_bytes=1 << 30, threads=3 + self._sleeping,
                minor_faults=0, major_faults=0, voluntary_switches=self._grow(f"v{key.pid}", 200),
                involuntary_switches=self._grow(f"n{key.pid}", 100), read_bytes=None, write_bytes=None,
            )
        ]  # fmt: skip
        total_run = total_delay = 0
        for position in range(3 + self._sleeping):
            run, delay = (0.3, 0.4 if fights else 0.01) if position < 3 else (0.0, 0.0)
            name = f"{key.pid}:{position}"
            run_ns, delay_ns = self._grow(f"r{name}", run * SECOND), self._grow(f"d{name}", delay * SECOND)
            total_run, total_delay = total_run + run_ns, total_delay + delay_ns
            samples.append(
                ThreadSample(
                    entity=f"thread:{key.pid}:{key.started}:{key.pid + position}", worker=key.entity, name="python",
                    thread_class="main" if position == 0 else "compute", state="R", run_ns=run_ns, delay_ns=delay_ns,
                    timeslices=self._grow(f"t{name}", 300), last_cpu=(key.pid + position) % CORES,
                    allowed_cpus=f"0-{CORES - 1}", busy=int(position < 3),
                )
            )  # fmt: skip
        samples.append(
            ThreadClassSample(
                entity=f"{key.entity}:compute", run_ns=total_run, delay_ns=total_delay, threads=3 + self._sleeping
            )
        )
        return samples


def measure(seconds: float, rounds: int) -> None:
    """`rounds` windows of `seconds` of the crowd's time each; a pass every five seconds."""
    figures = [_round(int(seconds)) for _ in range(rounds)]
    for what in (0, 1):
        passes = [one for figure in figures for one in figure[what]]
        means = sorted(sum(figure[what]) / len(figure[what]) for figure in figures)
        label = ("judging", "judging and documents")[what]
        print(
            f"  {label}: {sum(passes) / len(passes):.2f} ms CPU a pass (rounds {means[0]:.2f}-{means[-1]:.2f}, "
            f"95 % of passes below {percentile(passes, 0.95):.2f}), {len(passes)} passes over {SERVICES} services, "
            f"{SERVICES * WORKERS} workers"
        )


def _round(seconds: int) -> tuple[list[float], list[float]]:
    history, crowd = History(), Crowd()
    now = Instant(0, 0)
    judging = Judging(Config(), history, lambda: now)
    judging.learn(crowd.services, crowd.facts())
    only, both = [], []
    for second in range(30 + seconds):
        now = crowd.tick(history)
        if second % EVERY == 0:
            began = time.thread_time()
            judging.judge(crowd.services, now)
            judged = time.thread_time()
            judging.document(crowd.services, now)
            if second >= 30:
                only.append((judged - began) * 1e3)
                both.append((time.thread_time() - began) * 1e3)
    return only, both


def _service(number: int, workers: int) -> Service:
    name = f"gunicorn/app{number}:{8000 + number}"
    members: Sequence[Worker] = [
        Worker(
            process=Process(
                key=WorkerKey(1000 * (number + 1) + 10 * slot, 5), ppid=1, uid=0, comm="gunicorn",
                argv=("gunicorn", f"app{number}:app"), cgroups=(("", f"/app{number}"),),
            ),
            role=Role.WORKER, framework="gunicorn", service=name, slot=slot, compute_libraries=("openblas",),
            request_threads=1,
        )
        for slot in range(workers)
    ]  # fmt: skip
    return Service(
        id=f"id{number}", name=name, framework="gunicorn", application=f"app{number}", port=8000 + number, owner=None,
        manager="bare", workers=tuple(members), started=5,
    )  # fmt: skip


def _facts(key: WorkerKey) -> ProcessFacts:
    return ProcessFacts(
        key=key, environ=Environ({}), libraries=(Library("openblas", "/lib/libopenblas.so"),), model_files=(), cwd="/srv",
        exe="/usr/bin/python3", listening=(), limits=Limits(),
    )  # fmt: skip
