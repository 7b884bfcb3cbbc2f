"""Counters become rates here and nowhere else: resets, recycled workers, reused pids, and the mask of loaded seconds."""

import msgspec
import pytest

from advisor.history import History
from advisor.view import View
from collectors.cgroup_paths import cgroup_entity
from collectors.entities import Process, Role, Service, Worker, WorkerKey
from collectors.reading import Instant, Ok, Reading
from collectors.sample import Sample
from collectors.sources.cgroup import CgroupSample
from collectors.sources.connections import ConnectionsSample
from collectors.sources.cpu import CoreSample
from collectors.sources.processes import WorkerSample
from collectors.sources.sockets import ListenSample
from collectors.sources.threads import ThreadClassSample, ThreadSample

SECOND = 1_000_000_000
CGROUPS = (("cpu", "/shop"),)


class Node:
    """A node of two CPUs with one gunicorn of two workers, played second by second."""

    def __init__(self, *keys: WorkerKey) -> None:
        self.history = History()
        self.now = 0
        self.keys = list(keys or (WorkerKey(101, 5), WorkerKey(102, 6)))
        self.run: dict[WorkerKey, int] = {}
        self.delay: dict[WorkerKey, int] = {}
        self.ticks = [0, 0]
        self.throttled = 0
        self.killed: int | None = None
        self.often = 10
        """Voluntary switches of each worker in a second."""
        self.switched = 0
        self.established: int | None = 4

    @property
    def service(self) -> Service:
        workers = tuple(
            Worker(
                process=Process(key=k, ppid=1, uid=0, comm="gunicorn", argv=("gunicorn",), cgroups=CGROUPS),
                role=Role.WORKER,
                framework="gunicorn",
                service="gunicorn/shop:8000",
                slot=i,
            )
            for i, k in enumerate(self.keys)
        )
        return Service(
            id="s1",
            name="gunicorn/shop:8000",
            framework="gunicorn",
            application="shop",
            port=8000,
            owner=None,
            manager="bare",
            workers=workers,
            started=5,
        )

    def second(self, used: float, waiting: float = 0.0, *, queue: int = 0, busy: float | None = None) -> None:
        """One second in which each worker ran `used` and waited `waiting` seconds on the CPU of its slot."""
        self.now += 1
        self.switched += self.often
        samples: list[Sample] = []
        for slot, key in enumerate(self.keys):
            self.run[key] = self.run.get(key, 0) + int(used * SECOND)
            self.delay[key] = self.delay.get(key, 0) + int(waiting * SECOND)
            samples += self._of_worker(slot, key)
        for cpu in (0, 1):
            self.ticks[cpu] += int((used if busy is None else busy) * 100)
            samples.append(
                CoreSample(
                    entity=f"core:{cpu}",
                    user_ticks=self.ticks[cpu],
                    system_ticks=0,
                    iowait_ticks=0,
                    irq_ticks=0,
                    steal_ticks=0,
                    idle_ticks=self.now * 100 - self.ticks[cpu],
                )
            )
        self.throttled += 3
        samples.append(ListenSample(entity="listen:8000", accept_queue=queue, established=self.established))
        samples.append(
            CgroupSample(
                entity=cgroup_entity(CGROUPS),
                quota_us=50_000,
                period_us=100_000,
                weight=1024,
                periods=self.now * 10,
                throttled_periods=self.throttled,
                throttled_us=self.throttled * 20_000,
                usage_us=0,
                cpus="0-1",
                memory_limit_bytes=None,
                memory_current_bytes=None,
                memory_peak_bytes=None,
                memory_limit_hits=None,
                oom_kills=self.killed,
            )
        )
        at = Instant(self.now * SECOND, self.now * SECOND)
        self.history.add(
            Reading(collector="all", at=at, duration_ns=0, cpu_ns=0, late_ns=0, outcome=Ok(tuple(samples)))
        )
        self.history.end_tick([self.service], at)

    def _of_worker(self, slot: int, key: WorkerKey) -> list[Sample]:
        run, delay = self.run[key], self.delay[key]
        return [
            ThreadSample(
                entity=f"thread:{key.pid}:{key.started}:{key.pid}",
                worker=key.entity,
                name="gunicorn",
                thread_class="main",
                state="R",
                run_ns=run,
                delay_ns=delay,
                timeslices=self.now * 40,
                last_cpu=slot % 2,
                allowed_cpus="0-1",
                busy=1,
            ),
            ThreadClassSample(entity=f"{key.entity}:main", run_ns=run, delay_ns=delay, threads=1),
            WorkerSample(
                entity=key.entity,
                user_ticks=self.now * 30,
                system_ticks=self.now * 10,
                children_user_ticks=0,
                children_system_ticks=0,
                resident_bytes=1 << 20,
                threads=1,
                minor_faults=0,
                major_faults=self.now * 2,
                voluntary_switches=self.switched,
                involuntary_switches=self.now * 5,
                read_bytes=None,
                write_bytes=None,
            ),
        ]

    def view(self, horizon: int = 15) -> View:
        return self.history.view(self.service, horizon)


def test_rates_are_the_growth_of_counters_over_the_loaded_seconds():
    node = Node()
    for _ in range(17):
        node.second(0.6, 0.3)
    seen = node.view()
    assert (seen.samples, seen.window_seconds) == (15, 15.0)
    assert [w.cores_used for w in seen.workers] == pytest.approx([0.6, 0.6])
    assert seen.waiting_cores == pytest.approx(0.6)
    assert seen.delay_share == pytest.approx(1 / 3)
    assert seen.workers[0].switches_per_second == pytest.approx(15)
    assert seen.workers[0].major_faults_per_second == pytest.approx(2)


def test_threads_show_how_often_they_were_put_on_a_cpu_and_workers_their_part_in_the_kernel():
    node = Node()
    for _ in range(17):
        node.second(0.6, 0.3)
    one = node.view().workers[0]
    assert one.threads[0].slices_per_second == pytest.approx(40)
    assert one.system_cores == pytest.approx(0.6 / 4)


def test_without_ticks_the_part_in_the_kernel_is_not_known():
    assert Node().view().workers[0].system_cores is None


def test_idle_seconds_are_masked_out_and_a_waiting_connection_counts_as_load():
    node = Node()
    node.second(0.0)
    for _ in range(5):
        node.second(0.4)
        node.second(0.0)
    assert node.view().samples == 5
    assert node.view().cores_used == pytest.approx(0.8)
    node.second(0.0, queue=3)
    assert node.view().samples == 6


def test_a_counter_that_went_back_counts_from_zero():
    node = Node(WorkerKey(101, 5))
    for _ in range(4):
        node.second(0.5)
    node.run[WorkerKey(101, 5)] = 0
    node.second(0.5)
    assert node.view().cores_used == pytest.approx(0.5)


def test_a_reused_pid_is_another_worker_and_not_a_jump():
    node = Node(WorkerKey(101, 5))
    for _ in range(10):
        node.second(0.5)
    node.keys = [WorkerKey(101, 900)]
    for _ in range(3):
        node.second(0.5)
    seen = node.view()
    assert seen.workers[0].key == WorkerKey(101, 900)
    assert seen.workers[0].cores_used * seen.window_seconds == pytest.approx(2 * 0.5)


def test_a_thread_shows_the_cpus_on_which_it_ran():
    node = Node()
    for _ in range(16):
        node.second(0.5, 0.1)
    threads = [w.threads[0] for w in node.view().workers]
    assert [t.cpus_seen for t in threads] == [{0: pytest.approx(1.0)}, {1: pytest.approx(1.0)}]
    assert threads[0].allowed == frozenset({0, 1})


def test_what_others_use_is_the_busy_time_that_is_not_ours():
    node = Node()
    for _ in range(16):
        node.second(0.3, busy=0.8)
    seen = node.view()
    assert seen.others(seen.pool) == pytest.approx(1.0, abs=0.02)
    assert seen.effective_cores == pytest.approx(0.5, abs=0.02)  # the quota of half a core is tighter than 2 - 1


def test_throttling_is_counted_over_the_window():
    node = Node()
    for _ in range(16):
        node.second(0.2)
    cgroup = node.view().cgroup
    assert cgroup is not None
    assert (cgroup.quota_cores, cgroup.periods, cgroup.throttled_periods) == (0.5, 150, 45)
    assert cgroup.throttled_ratio == pytest.approx(0.3)
    assert cgroup.throttled_seconds == pytest.approx(45 * 0.02)


def test_a_process_that_was_killed_for_memory_is_news_for_a_minute_loaded_or_not():
    node = Node()
    node.killed = 4
    for _ in range(3):
        node.second(0.0)
    node.killed = 5
    node.second(0.0)
    assert node.history.view(node.service).samples == 0
    assert node.history.view(node.service).memory.oom_kills == 1
    for _ in range(59):
        node.second(0.5)
    assert node.history.view(node.service).memory.oom_kills == 1
    node.second(0.5)
    assert node.history.view(node.service).memory.oom_kills == 0


def test_demand_counts_a_worker_as_busy_up_to_one():
    node = Node()
    for _ in range(16):
        node.second(0.9, 0.9)
    assert set(node.view().demand) == {2.0}


def test_a_restarted_window_forgets_the_seconds_before():
    node = Node()
    for _ in range(16):
        node.second(0.5)
    node.history.restart_window(node.service)
    assert node.view().samples == 0
    node.second(0.5)
    assert node.view().samples == 1


def test_load_of_a_minute_ago_is_not_the_present():
    node = Node()
    for _ in range(16):
        node.second(0.5)
    for _ in range(60):
        node.second(0.0)
    assert node.view().samples == 0
    assert node.view().loaded_now is False


def test_workers_and_threads_that_are_gone_are_forgotten():
    node = Node()
    for _ in range(5):
        node.second(0.5)
    node.keys = [WorkerKey(300, 77)]
    for _ in range(40):
        node.second(0.5)
    assert set(node.history.tracks.workers) == {WorkerKey(300, 77).entity}
    assert {t.worker for t in node.history.tracks.threads.values()} == {WorkerKey(300, 77).entity}


def test_a_service_without_any_sample_has_an_empty_view():
    seen = Node().view()
    assert (seen.samples, seen.cores_used, seen.loaded_now) == (0, 0, False)


def test_a_service_that_runs_no_model_sees_those_of_the_node_that_do():
    node = Node()
    gateway = msgspec.structs.replace(
        node.service,
        id="g1",
        name="seldon-core/modelgateway",
        workers=tuple(msgspec.structs.replace(w, role=Role.GATEWAY) for w in node.service.workers[:1]),
    )
    for _ in range(5):
        node.second(used=0.3, waiting=0.1)
    assert node.view().neighbours == ()  # it runs models itself
    (seen,) = node.history.view(gateway).neighbours
    assert (seen.name, seen.processes, seen.on_gpu) == ("gunicorn/shop:8000", 2, False)
    assert seen.busy == pytest.approx(2 * (0.3 + 0.1))
    assert node.history.view(gateway).cgroup is not None


def test_what_connections_did_across_a_change_is_of_neither_configuration():
    node = Node()
    opened = 0
    for second in range(12):
        opened += 10 if second < 6 else 50
        sample = ConnectionsSample(
            entity="listen:8000", established=4, opened=opened, received_bytes=None, sent_bytes=None,
            received_segments=None,
        )  # fmt: skip
        if second == 7:
            node.history.restart_window(node.service)
        at = Instant(node.now * SECOND, node.now * SECOND)
        node.history.add(
            Reading(collector="connections", at=at, duration_ns=0, cpu_ns=0, late_ns=0, outcome=Ok((sample,)))
        )
        node.second(0.4)
    looks = [s.connections for s in node.history.tracks.services["service:s1"].seconds]
    assert looks[0] is None
    assert [look.opened for look in looks if look is not None] == [50] * 4


def test_where_too_many_connections_ended_to_read_them_all_the_last_look_says_how_many_are_open():
    node = Node()
    node.established = None
    sample = ConnectionsSample(
        entity="listen:8000", established=16, opened=10, received_bytes=None, sent_bytes=None, received_segments=None
    )
    node.second(0.4)
    at = Instant((node.now + 1) * SECOND, 0)
    node.history.add(Reading(collector="connections", at=at, duration_ns=0, cpu_ns=0, late_ns=0, outcome=Ok((sample,))))
    for _ in range(70):
        node.second(0.4)
    seen = [s.established for s in node.history.tracks.services["service:s1"].seconds]
    assert seen[:50] == [16] * 50
    assert seen[-1] is None, "that look is too old"


def test_a_tick_of_no_length_makes_nothing_of_what_was_long_before():
    node = Node()
    for _ in range(100):
        node.second(0.4)
    node.history.end_tick([node.service], Instant(node.now * SECOND, node.now * SECOND))
    for _ in range(3):
        node.second(0.4)
    seen = node.view()
    assert [w.cores_used for w in seen.workers] == pytest.approx([0.4, 0.4])
    assert all(core.busy < 0.5 for core in seen.cores)
