"""R18 on built hosts: two synchronous workers that wait for another server, and what looks like it."""

import msgspec
import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.facts import ServiceFacts
from advisor.finding import Need
from advisor.rules.io_bound_workers import IoBoundWorkers
from advisor.view import View
from collectors.facts import Listening
from collectors.levers import Lever, Setting
from collectors.profiles.profile import Wait
from tests.advisor import built
from tests.advisor.built import MIB, concluded, gains, numbers, quota, thread, verdict, view, worker
from tests.advisor.gpus_built import gpu, on_gpus, process
from tests.advisor.profiles_built import profiled, thread_share, worker_profile

RULE = IoBoundWorkers()


def waiting(
    *, queue: float = 14.0, connections: float = 16.0, threads: int | None = 1, cores: int = 2, used: float = 0.02
) -> View:
    """As measured: two synchronous workers at 0.02 cores each, and 14 of 16 connections in the accept queue."""
    front = worker(100, [thread(100, 0.001)], role=built.Role.FRONT_END)
    workers = [worker(k, [thread(k, used, used / 3, allowed=range(cores))], resident=40 * MIB) for k in (101, 102)]
    seen = view([front, *workers], cores=cores, queue=(queue,) * 15, request_threads=threads, others=0.1)
    called = msgspec.structs.replace(seen.service, calls="synchronous")
    return msgspec.structs.replace(seen, established=connections, service=called)


def known(seen: View, waits: dict[Wait, float], *, running: float = 0.02, setting: int | None = 1) -> ServiceFacts:
    """Profiles of both workers whose one thread waits like that."""
    workers = [
        worker_profile(k, 0.02, {"io": 0.3}, threads=[thread_share(k, running, waits=waits)]) for k in (101, 102)
    ]
    settings = () if setting is None else (Setting(lever=Lever.REQUEST_THREADS, value=setting, origin="default"),)
    return msgspec.structs.replace(profiled(seen, *workers), settings=settings)


def pooled(seen: View, size: int, waits: list[dict[Wait, float]], running: float = 0.02) -> ServiceFacts:
    """Profiles of both workers with a pool of request threads."""
    pools = []
    for k in (101, 102):
        own = [thread_share(k * 10 + i, running, waits=each) for i, each in enumerate(waits)]
        main = thread_share(k, 0.0, waits={"loop": 1.0})
        pools.append(worker_profile(k, 0.02, {}, threads=[main, *own]))
    setting = Setting(lever=Lever.REQUEST_THREADS, value=size, origin="argument --threads")
    return msgspec.structs.replace(profiled(seen, *pools), settings=(setting,))


OUTBOUND: dict[Wait, float] = {"outbound": 0.97}


def test_two_workers_of_one_thread_with_sixteen_requests_get_eight_threads_each():
    seen = waiting()
    found = concluded(RULE, seen, known(seen, OUTBOUND))
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("request_threads", 1, 8)]
    assert "another server" in found.title
    shown = numbers(found)
    assert shown["waiting_requests_p50"] == 14
    assert shown["threads_waiting_outside"] == pytest.approx(1.94)
    assert shown["request_threads"] == 2
    assert shown["occupied_share"] == pytest.approx(0.99)
    assert shown["wait_share"] == pytest.approx(1.94 / (1.94 + 0.041), abs=1e-3)


def test_the_gain_reaches_from_nothing_to_all_requests_in_progress_at_once():
    seen = waiting()
    found = gains(concluded(RULE, seen, known(seen, OUTBOUND)))
    low, likely, high = found["throughput_ratio"]
    assert (low, high) == (1.0, 8.0)
    # 0.041 cores become 0.33 of 1.94: CPU time per request grows by a fifth, the wait stays, 85 % of it is likely
    assert likely == pytest.approx(1 + 0.85 * (8 * 1.981 / (1.94 + 0.041 / (1 - 8 * 0.041 / 1.9))) - 0.85, abs=0.05)
    measured = {"throughput_ratio": 7.5, "latency_p50_ratio": 1 / 7.71, "latency_p99_ratio": 1 / 7.3}
    assert all(found[name][0] <= value <= found[name][2] for name, value in measured.items())


def test_a_server_without_request_threads_gets_workers_as_memory_allows():
    seen = waiting()
    found = concluded(RULE, seen, known(seen, OUTBOUND, setting=None))
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("workers", 2, 16)]
    assert gains(found)["memory_ratio"][2] == pytest.approx(1 + 14 * 40 / 280, abs=0.01)
    little = msgspec.structs.replace(seen, memory_available_bytes=140 * MIB)
    few = concluded(RULE, little, known(little, OUTBOUND, setting=None))
    assert [c.proposed for c in few.changes] == [5]
    assert gains(few)["throughput_ratio"][2] == 2.5


def on_gpu(seen: View, busy: float | None) -> View:
    """Both workers on one device."""
    return on_gpus(seen, gpu([process(w) for w in seen.serving], busy_ratio=busy, sm_active_ratio=busy))


def test_no_more_than_the_gpu_has_idle_time_for():
    seen = on_gpu(waiting(), 0.4)
    workers = concluded(RULE, seen, known(seen, OUTBOUND, setting=None))
    assert [(c.lever, c.current, c.proposed) for c in workers.changes] == [("workers", 2, 5)]
    threads = concluded(RULE, seen, known(seen, OUTBOUND))
    assert [(c.lever, c.current, c.proposed) for c in threads.changes] == [("request_threads", 1, 3)]
    for found in (workers, threads):
        assert gains(found)["throughput_ratio"][2] == 2.5
    for busy in (0.96, None):
        full = on_gpu(waiting(), busy)
        assert verdict(RULE, full, known(full, OUTBOUND, setting=None)) is None
        assert verdict(RULE, full, known(full, OUTBOUND)) is None


def test_a_server_without_a_number_of_workers_gets_none():
    seen = waiting()
    engine = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, framework="tgi"))
    assert verdict(RULE, engine, known(engine, OUTBOUND, setting=None)) is None


def test_more_requests_than_the_cores_can_take_are_bounded_by_wait_and_cpu_time():
    seen = waiting(queue=500, connections=502, used=0.2)
    found = concluded(RULE, seen, known(seen, {"outbound": 0.78}, running=0.2))
    room = 0.8 * (1 + 1.56 / 0.401) * 1.9  # cores × (1 + wait / CPU time), to 80 %
    assert [c.proposed for c in found.changes] == [-(-room / 2 // 1)]


def test_threads_of_one_process_are_counted_on_one_core_of_python():
    seen = waiting(queue=500, connections=502, used=0.2, cores=16)
    found = concluded(RULE, seen, known(seen, {"outbound": 0.78}, running=0.2))
    assert [c.proposed for c in found.changes] == [4]  # 0.8 × 4.9 for each process, not for each of 16 cores


def test_without_a_profile_it_asks_for_one_only_where_requests_wait():
    need = verdict(RULE, waiting())
    assert isinstance(need, Need)
    assert need.kind == "profile"
    assert "queue" in need.text
    assert verdict(RULE, waiting(queue=0.0)) is None


def test_a_queue_below_one_request_just_misses_and_keeps_a_standing_finding():
    seen = waiting(queue=0.9)
    assert verdict(RULE, seen, known(seen, OUTBOUND)) is None
    assert verdict(RULE, seen, known(seen, OUTBOUND), standing=True) is not None


def test_workers_that_compute_for_half_the_cores_just_miss():
    seen = waiting(used=0.5)
    assert verdict(RULE, seen, known(seen, OUTBOUND)) is None


@pytest.mark.parametrize(
    "waits",
    [
        {"listening": 0.97},
        {"inbound": 0.97},
        {"loop": 0.97},
        {"device": 0.97},
        {"lock": 0.6, "outbound": 0.3},
        {"futex": 0.97},
        {"gil": 0.6, "outbound": 0.3},
        {"outbound": 0.5, "listening": 0.4},
        {"pipe": 0.97},
        {"unix": 0.97},
    ],
    ids=lambda waits: "+".join(waits),
)
def test_threads_that_wait_for_something_else_or_are_free_are_not_its_case(waits):
    seen = waiting()
    assert verdict(RULE, seen, known(seen, waits)) is None


def test_a_pipe_or_unix_socket_counts_only_in_a_worker_that_accepts_its_requests_itself():
    seen = waiting()
    facts = known(seen, {"unix": 0.97})
    accepting = {
        key: msgspec.structs.replace(each, listening=(Listening("0.0.0.0", 8000, 7),))
        for key, each in facts.processes.items()
    }
    found = concluded(RULE, seen, msgspec.structs.replace(facts, processes=accepting))
    assert "another process" in found.title


def test_a_sleep_counts_where_it_holds_the_only_request_thread():
    seen = waiting()
    assert [c.proposed for c in concluded(RULE, seen, known(seen, {"sleep": 0.97})).changes] == [8]


def test_a_background_thread_that_sleeps_is_no_request():
    seen = waiting(threads=4, queue=3)
    idle: list[dict[Wait, float]] = [{"futex": 1.0}] * 4
    assert verdict(RULE, seen, pooled(seen, 4, [*idle, {"sleep": 1.0}])) is None


def test_a_pool_that_accepts_more_than_it_works_on_shows_by_its_connections():
    seen = waiting(threads=4, queue=0.0, connections=32.0)
    found = concluded(RULE, seen, pooled(seen, 4, [{"outbound": 0.97}] * 4))
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("request_threads", 4, 16)]
    low, likely, high = gains(found)["throughput_ratio"]
    assert (low, high) == (1.0, 4.0)
    assert likely < 0.85 * 2.5 + 0.2  # the connections may be idle: half of them is likely
    assert found.confidence < concluded(RULE, waiting(), known(waiting(), OUTBOUND)).confidence


def test_connections_kept_alive_beside_free_threads_are_not_its_case():
    seen = waiting(threads=4, queue=0.0, connections=32.0)
    mixed: list[dict[Wait, float]] = [{"outbound": 0.97}, {"futex": 1.0}, {"futex": 1.0}, {"futex": 1.0}]
    assert verdict(RULE, seen, pooled(seen, 4, mixed)) is None


def test_a_loop_that_waits_has_nothing_to_add():
    seen = waiting()
    awaiting = msgspec.structs.replace(
        seen, service=msgspec.structs.replace(seen.service, calls="asynchronous"), in_flight=200.0
    )
    assert verdict(RULE, awaiting, known(awaiting, OUTBOUND)) is None


def test_throttling_explains_the_queue():
    seen = msgspec.structs.replace(waiting(), cgroup=quota(0.5, throttled=20))
    assert verdict(RULE, seen, known(seen, OUTBOUND)) is None


def test_a_busy_process_beside_it_lowers_the_confidence_and_is_named():
    seen = waiting(cores=4)
    crowded = msgspec.structs.replace(seen, cores=tuple(msgspec.structs.replace(c, busy=0.3) for c in seen.cores))
    alone, beside = concluded(RULE, seen, known(seen, OUTBOUND)), concluded(RULE, crowded, known(crowded, OUTBOUND))
    assert alone.confidence == pytest.approx(0.8)
    assert beside.confidence == pytest.approx(0.64)
    assert "may be at the limit" in beside.summary
    assert "cannot be told from here" in alone.summary


def test_it_is_the_only_cause_on_its_host_among_all_rules():
    seen = waiting()
    found = Engine(all_rules()).judge(seen, known(seen, OUTBOUND))
    assert [(j.rule, j.cause) for j in found.judged] == [("io-bound-workers", None)]
    assert found.judged[0].severity == "high"
    assert found.broken == ()


def test_below_one_workers_maximum_yields_to_it_where_the_queue_is_inside_the_server():
    seen = waiting(threads=4, queue=0.0, connections=32.0)
    found = Engine(all_rules()).judge(seen, pooled(seen, 4, [{"outbound": 0.97}] * 4))
    assert [j.rule for j in found.judged] == ["io-bound-workers"]


@pytest.mark.parametrize(
    "host",
    [built.healthy, built.far_below, built.too_many_workers, built.one_saturated_worker, built.throttled_bursts,
     built.noisy_neighbour, built.narrow_mask, built.fighting_pools],
)  # fmt: skip
def test_look_alikes_are_not_taken_for_it_and_ask_for_nothing(host):
    assert verdict(RULE, host()) is None
