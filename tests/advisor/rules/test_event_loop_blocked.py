"""R17 on built hosts."""

import msgspec
import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.finding import Conclusion, Need
from advisor.rules.event_loop_blocked import EventLoopBlocked
from collectors.entities import Role
from collectors.facts import Listening
from tests.advisor import built, profiled_hosts
from tests.advisor.built import concluded, facts, gains, numbers, thread, verdict, view, worker
from tests.advisor.gpus_built import gpu, on_gpus, process
from tests.advisor.profiled_hosts import Host, blocked_by_computing, blocked_by_waiting, loop, mlserver
from tests.advisor.profiles_built import profiled, thread_share, worker_profile

RULE = EventLoopBlocked()


def one_loop(busy: float, run: float, *, queue=(3,) * 15, blocked: float = 0.0, gil_wait: float = 0.0, cores: int = 2,
             work: str = "kernel") -> Host:  # fmt: skip
    """A server of one process whose loop does one kind of work."""
    seen = view([worker(101, [thread(101, busy, 0.01)], role=Role.FRONT_END)], queue=queue, cores=cores)
    held = loop(101, busy, blocked=blocked, gil_wait=gil_wait, run=run, work={work: 0.9, "loop": 0.1})
    return seen, profiled(seen, worker_profile(101, busy, {work: 0.9}, loop=held))


def test_long_computing_between_short_requests_is_moved_to_processes():
    found = concluded(RULE, *blocked_by_computing())
    assert [(c.lever, c.proposed) for c in found.changes] == [("loop_offload", "process pool"), ("workers", 2)]
    shown = numbers(found)
    assert (shown["loop_busy_share"], shown["loop_run_seconds"]) == (0.41, 0.009)
    assert shown["accept_queue_mean"] == pytest.approx(1 / 3, abs=1e-3)
    assert "score (app.py:31)" in found.summary


def test_no_workers_are_proposed_to_a_server_without_their_number_or_on_a_full_gpu():
    seen, known = blocked_by_computing()
    engine = msgspec.structs.replace(known, service=msgspec.structs.replace(known.service, framework="vllm"))
    full = on_gpus(seen, gpu([process(seen.serving[0])], busy_ratio=0.95, sm_active_ratio=0.9))
    for at, about in ((seen, engine), (full, known)):
        assert [c.lever for c in concluded(RULE, at, about).changes] == ["loop_offload"]


def test_its_gain_is_what_waiting_for_a_busy_server_falls_by():
    low, likely, _ = gains(concluded(RULE, *blocked_by_computing()))["latency_p99_ratio"]
    before = 0.41 / 0.59
    moved = 0.41 * 0.9
    assert low == pytest.approx((0.041 / 0.959) / before, abs=0.002)
    after = 0.41 - 0.9 * moved
    assert likely == pytest.approx(after / (1 - after) / before, abs=0.002)
    assert likely < 0.2  # measured: a tenth, for the requests that take no time


def test_a_call_that_is_not_awaited_is_moved_to_a_thread():
    found = concluded(RULE, *blocked_by_waiting())
    assert (found.changes[0].lever, found.changes[0].proposed) == ("loop_offload", "thread")
    assert "(outbound)" in found.summary
    low, likely, high = gains(found)["throughput_ratio"]
    assert high == pytest.approx(4 * 1.05)  # four connections, no more at once
    assert (low, likely) == pytest.approx((1 + 0.3 * 3, 1 + 0.75 * 3))


def test_waiting_in_callbacks_speaks_without_any_sign_of_a_queue_and_is_less_sure():
    seen, known = blocked_by_waiting()
    quiet = msgspec.structs.replace(seen, accept_queue=(0.0,) * 15)
    assert concluded(RULE, quiet, known).confidence < concluded(RULE, seen, known).confidence


def test_an_mlserver_that_computes_in_its_front_end_gets_a_pool():
    seen, known = one_loop(0.95, 0.03, cores=4)
    seen = mlserver(seen)
    found = concluded(RULE, seen, msgspec.structs.replace(known, service=seen.service))
    first = found.changes[0]
    assert (first.lever, first.current, first.proposed) == ("workers", 0, 1)


def test_a_saturated_loop_ranks_below_the_workers_that_are_missing():
    ranked = Engine(all_rules()).judge(*one_loop(0.97, 0.016)).judged
    assert [(j.rule, j.cause) for j in ranked] == [
        ("workers-below-cores-saturated", None),
        ("event-loop-blocked", "workers-below-cores-saturated"),
    ]


def test_full_cores_promise_nothing_unless_the_tail_shows_that_short_requests_wait():
    seen = view([worker(k, [thread(k, 0.97, 0.03)]) for k in (101, 102)], queue=(4,) * 15)
    held = [
        worker_profile(k, 0.97, {"kernel": 0.9}, loop=loop(k, 0.97, run=0.02, work={"kernel": 0.9})) for k in (101, 102)
    ]
    known = profiled(seen, *held)
    assert gains(concluded(RULE, seen, known)) == {"latency_p99_ratio": (0.3, 1.0, 1.2)}
    assert [(j.rule, j.severity) for j in Engine(all_rules()).judge(seen, known).judged] == [
        ("event-loop-blocked", "info")
    ]
    tail = msgspec.structs.replace(seen, accept_queue=(), latency_p50_seconds=0.01, latency_p99_seconds=0.06)
    assert gains(concluded(RULE, tail, known)) == {"latency_p99_ratio": (0.3, 0.9, 1.2)}


def pool_behind_a_free_front_end(busy: float = 0.45, run: float = 0.06) -> Host:
    """An MLServer at 45 % load whose workers compute 60 ms for each request, on their loops; the front-end has little to do."""
    front = worker(100, [thread(100, 0.03)], role=Role.FRONT_END)
    seen = mlserver(view([front, *(worker(k, [thread(k, busy, 0.01)]) for k in (101, 102))]))
    own = [
        worker_profile(k, busy, {"kernel": 0.9}, loop=loop(k, busy, run=run, work={"kernel": 0.9})) for k in (101, 102)
    ]
    free = worker_profile(100, 0.03, {}, loop=loop(100, 0.03, run=0.0004, work={"glue": 0.9}))
    return seen, profiled(seen, free, *own)


def test_workers_that_are_handed_their_requests_may_compute_on_their_loops():
    seen, known = pool_behind_a_free_front_end()
    assert verdict(RULE, seen, known) is None
    crowded = msgspec.structs.replace(seen, in_flight=16.0)
    assert verdict(RULE, crowded, known) is None
    assert verdict(RULE, crowded, facts(crowded)) is None


@pytest.mark.parametrize(("shared", "speaks"), [(False, False), (True, True)])
def test_whether_workers_are_handed_requests_is_told_by_who_listens(shared: bool, speaks: bool):
    seen, known = pool_behind_a_free_front_end()
    other = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, framework="uvicorn"))
    socket = (Listening("0.0.0.0", 8000, 7),)
    processes = {
        key: msgspec.structs.replace(each, listening=socket if shared or key.pid == 100 else ())
        for key, each in known.processes.items()
    }
    told = msgspec.structs.replace(known, service=other.service, processes=processes)
    assert (verdict(RULE, other, told) is not None) is speaks


def test_no_more_processes_are_advised_than_there_are_connections():
    seen, known = one_loop(0.6, 0.08, cores=64)
    found = concluded(RULE, seen, known)
    assert [(c.lever, c.proposed) for c in found.changes] == [("loop_offload", "thread"), ("workers", 4)]


def test_what_slows_every_loop_is_its_cause():
    seen = built.fighting_pools()
    held = [
        worker_profile(k, 0.99, {"kernel": 0.9}, loop=loop(k, 0.98, run=0.05, work={"kernel": 0.9})) for k in (101, 102)
    ]
    judged = Engine(all_rules()).judge(seen, profiled(seen, *held)).judged
    assert [(j.rule, j.cause) for j in judged][:2] == [
        ("cpu-oversubscribed-openmp", None),
        ("event-loop-blocked", "cpu-oversubscribed-openmp"),
    ]


@pytest.mark.parametrize(
    ("host", "speaks"),
    [
        (one_loop(0.95, 0.012), True),
        (one_loop(0.95, 0.008), False),  # a full loop of short requests is just busy
        (one_loop(0.41, 0.005), True),
        (one_loop(0.41, 0.003), False),
        (one_loop(0.41, 0.02, queue=(0,) * 15), False),
        (one_loop(0.41, 0.06, queue=(0,) * 15), True),
        (one_loop(0.24, 0.06), False),
        (one_loop(0.02, 0.001, blocked=0.19), True),
        (one_loop(0.02, 0.001, blocked=0.16), False),  # within its error of the threshold
        (one_loop(0.3, 0.02, gil_wait=0.5), False),  # another thread holds the lock: not the loop's own doing
        (one_loop(0.95, 0.03, work="glue"), False),
    ],
)
def test_where_it_starts_to_speak(host: Host, speaks: bool):
    assert (verdict(RULE, *host) is not None) is speaks


def test_the_tail_shows_waiting_too_where_runs_are_long():
    quiet = (0,) * 15
    seen, known = one_loop(0.41, 0.012, queue=quiet)
    assert verdict(RULE, seen, known) is None
    tail = msgspec.structs.replace(seen, latency_p50_seconds=0.002, latency_p99_seconds=0.06)
    assert numbers(concluded(RULE, tail, known))["latency_p99_per_p50"] == pytest.approx(30)
    assert verdict(RULE, tail, one_loop(0.41, 0.008, queue=quiet)[1]) is None


def test_requests_in_progress_show_it_for_a_full_loop_only():
    """Beside idle time they may wait for anything, such as a service that the loop rightly awaits."""
    for busy, speaks in ((0.95, True), (0.5, False)):
        seen, known = one_loop(busy, 0.012, queue=(0,) * 15)
        several = msgspec.structs.replace(seen, in_flight=5.0)
        assert (verdict(RULE, several, known) is not None) is speaks


def test_the_queue_that_equal_requests_leave_at_such_a_load_is_nothing_wrong():
    usual = one_loop(0.6, 0.01, queue=(1, 0, 0, 0, 0) * 3)  # 0.2 where 0.6 * 0.6 / 2 is to be expected
    assert verdict(RULE, *usual) is None
    assert verdict(RULE, usual[0], facts(usual[0])) is None
    assert verdict(RULE, *one_loop(0.6, 0.01, queue=(2, 0, 0, 0, 1) * 3)) is not None


def test_three_waiting_connections_in_fifteen_seconds_may_be_chance():
    by_chance = one_loop(0.41, 0.01, queue=(1, 0, 0, 0, 0) * 3)  # 0.2 is more than twice 0.41 * 0.41 / 2
    assert verdict(RULE, *by_chance) is None
    assert verdict(RULE, *by_chance, standing=True) is not None


def test_long_runs_with_connections_waiting_ask_for_a_profile_and_short_ones_do_not():
    seen, _ = blocked_by_computing()
    need = verdict(RULE, seen, facts(seen, environ={}))
    assert isinstance(need, Need)
    assert need.kind == "profile"
    short = [msgspec.structs.replace(w, switches_per_second=900.0) for w in seen.workers]
    calm = msgspec.structs.replace(seen, workers=tuple(short))
    assert verdict(RULE, calm, facts(calm)) is None
    sliced = [
        msgspec.structs.replace(
            w, threads=tuple(msgspec.structs.replace(t, slices_per_second=900.0) for t in w.threads)
        )
        for w in seen.workers
    ]
    assert verdict(RULE, msgspec.structs.replace(seen, workers=tuple(sliced)), facts(seen)) is None
    idle = msgspec.structs.replace(seen, accept_queue=(0.0,) * 15)
    assert verdict(RULE, idle, facts(idle)) is None


def test_a_server_without_a_loop_is_not_its_case():
    seen, known = blocked_by_computing()
    sync = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, calls="synchronous"))
    assert verdict(RULE, sync, known) is None


def test_a_saturated_pool_behind_a_free_loop_is_not_its_case():
    assert verdict(RULE, *profiled_hosts.saturated_pool()) is None


def test_look_alikes_are_listed_with_their_numbers():
    listed = {r.cause: r.because for r in concluded(RULE, *blocked_by_computing()).rejected}
    assert listed["gil-convoy"] == "the loop waits for the interpreter's lock 0% of the time"
    assert listed["serialisation-heavy"] == "0% of what the loop computes is payload"


HOSTS = [h for h in profiled_hosts.ALL if h not in (blocked_by_computing, blocked_by_waiting)]


@pytest.mark.parametrize("host", HOSTS, ids=lambda h: h.__name__)
def test_look_alikes_are_not_taken_for_it(host):
    assert verdict(RULE, *host()) is None


@pytest.mark.parametrize("host", [built.healthy, built.far_below, built.one_saturated_worker], ids=lambda h: h.__name__)
def test_hosts_without_a_profile_are_asked_nothing(host):
    assert verdict(RULE, host()) is None


def test_more_workers_are_no_longer_called_useless_where_the_loop_is_blocked():
    seen = view([worker(k, [thread(k, 0.02)]) for k in (101, 102)])
    held = [worker_profile(k, 0.02, {"io": 0.5}, samples=61, loop=loop(k, 0.02, blocked=0.6)) for k in (101, 102)]
    assert [j.rule for j in Engine(all_rules()).judge(seen, profiled(seen, *held)).judged] == ["event-loop-blocked"]


def seen_to_run_long(busy: float, share: float, run: float = 0.066, mean: float = 0.009) -> Host:
    """A loop among whose many short runs some long ones were seen; no queue at any of the looks at it."""
    seen, _ = one_loop(busy, mean, queue=(0,) * 15)
    held = loop(101, busy, run=mean, work={"kernel": 0.9, "loop": 0.1}, long_share=share, long_run_seconds=run)
    return seen, profiled(seen, worker_profile(101, busy, {"kernel": 0.9}, loop=held))


@pytest.mark.parametrize(
    ("host", "speaks"),
    [
        (seen_to_run_long(0.46, 0.19), True),
        (seen_to_run_long(0.46, 0.10), False),  # within its error of the threshold
        (seen_to_run_long(0.46, 0.19, run=0.045), False),
        (seen_to_run_long(0.95, 0.9), False),  # without idle time it looks at its sockets without a break
        (seen_to_run_long(0.2, 0.12), False),
    ],
)
def test_long_runs_that_were_seen_count_whatever_the_mean(host: Host, speaks: bool):
    found = verdict(RULE, *host)
    assert (found is not None) == speaks
    if speaks:
        assert isinstance(found, Conclusion)
        assert numbers(found)["loop_long_run_share"] == pytest.approx(0.19)


def test_idle_cores_are_no_gain_beyond_what_the_change_can_use():
    """Sixteen cores: MLServer's pool is one process, and payloads stay; a pool of one's own leaves what the loop is for."""
    seen, known = one_loop(0.97, 0.03, cores=16, work="python")
    front = msgspec.structs.replace(mlserver(seen), established=None)
    bound = 1 / max(0.1, 0.9)
    assert gains(concluded(RULE, front, msgspec.structs.replace(known, service=front.service)))["throughput_ratio"] == (
        pytest.approx((1.0, max(1.0, 0.8 * bound), 1.05 * bound), abs=0.001)
    )
    alone = gains(concluded(RULE, msgspec.structs.replace(seen, established=None), known))["throughput_ratio"]
    assert alone[2] == pytest.approx(1.05 * 16)  # sixteen processes
    few = msgspec.structs.replace(seen, established=2.0)
    assert gains(concluded(RULE, few, known))["throughput_ratio"] == pytest.approx((1.0, 1.6, 2.1), abs=0.001)


def test_what_nobody_can_be_told_to_move_holds_no_loop():
    held = loop(101, 0.9, run=0.03, work={"unknown": 0.6, "loop": 0.3, "python": 0.1})
    seen, _ = one_loop(0.9, 0.03)
    assert verdict(RULE, seen, profiled(seen, worker_profile(101, 0.9, {}, loop=held))) is None


def front_end_short_of_cpu(running: float, waiting: float, run: float) -> Host:
    """An MLServer beside jobs that take most of both cores, as seen: one worker that computes, and a front-end whose loop
    takes many short requests in one run whenever it has a CPU; eight requests are in progress."""
    front = worker(100, [thread(100, running, waiting)], role=Role.FRONT_END)
    seen = mlserver(view([front, worker(101, [thread(101, 0.5, 0.2)])], busy=(1.0, 1.0)))
    held = loop(100, running + waiting, run=run, work={"serialise": 0.8, "loop": 0.2})
    own = worker_profile(
        100, running, {"serialise": 0.8}, loop=held, threads=[thread_share(100, running + waiting, delay=waiting)]
    )
    return msgspec.structs.replace(seen, in_flight=8.0), profiled(seen, own)


@pytest.mark.parametrize(
    ("host", "speaks"),
    [
        (front_end_short_of_cpu(0.4, 0.5, 0.06), False),  # it mostly waits for a CPU
        (front_end_short_of_cpu(0.5, 0.35, 0.04), False),  # never idle for that reason alone
        (front_end_short_of_cpu(0.5, 0.35, 0.06), True),
        (front_end_short_of_cpu(0.85, 0.05, 0.012), True),  # never idle by its own work
    ],
)
def test_a_loop_that_waits_for_a_cpu_is_not_blocked(host: Host, speaks: bool):
    found = verdict(RULE, *host)
    assert (found is not None) is speaks
    if isinstance(found, Conclusion):
        seen = numbers(found)["loop_cpu_wait_share"]
        assert seen == pytest.approx(0.35 / 0.85 if seen > 0.1 else 0.05 / 0.9, abs=1e-3)


def test_runs_in_which_it_waited_for_a_cpu_are_shorter_than_they_look():
    seen, known = seen_to_run_long(0.46, 0.19)
    short = view([worker(101, [thread(101, 0.3, 0.16)], role=Role.FRONT_END)], queue=(0,) * 15)
    assert verdict(RULE, seen, known) is not None
    assert verdict(RULE, short, known) is None
