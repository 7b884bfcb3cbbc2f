"""R16 on built hosts: a loop that waits for the interpreter's lock behind threads that compute."""

import msgspec
import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.facts import ServiceFacts
from advisor.finding import Need
from advisor.profiling.view import LoopProfile, ThreadShare
from advisor.rules.gil_convoy import GilConvoy
from advisor.view import View
from collectors.profiles.profile import Missing, Wait
from tests.advisor import built
from tests.advisor.built import concluded, gains, numbers, thread, verdict, view, worker
from tests.advisor.gpus_built import gpu, on_gpus, process
from tests.advisor.profiles_built import profiled, thread_share, worker_profile

RULE = GilConvoy()


def convoy(computing: int = 2, cores: int = 2) -> View:
    """One process: a loop that uses 0.03 cores, and threads that share the rest of one core."""
    pool = [thread(151 + i, 0.95 / computing, 0.1, kind="python", allowed=range(cores)) for i in range(computing)]
    return view([worker(101, [thread(101, 0.03, 0.01, allowed=range(cores)), *pool])], cores=cores, request_threads=4)


def known(
    seen: View,
    *,
    lock: float = 0.3,
    wait: float | None = 0.012,
    delay: float = 0.01,
    computing: int = 2,
    io: bool = True,
) -> ServiceFacts:
    rest: Wait = "loop" if io else "sleep"
    loop = thread_share(101, 0.03, delay=delay, waits={"gil": lock, rest: 0.96 - lock}, gil_wait=wait, io=io)
    pool = [thread_share(151 + i, 0.95 / computing, waits={"gil": 0.5}, gil_wait=0.005) for i in range(computing)]
    return profile_of_threads(seen, [loop, *pool])


def profile_of_threads(seen: View, threads: list[ThreadShare], *, held: float = 0.9) -> ServiceFacts:
    profile = worker_profile(101, 0.98, {}, gil_held=held, active=2.0, threads=threads)
    return profiled(seen, profile)


def test_a_loop_that_waits_twelve_milliseconds_at_each_wake_up_should_compute_elsewhere():
    seen = convoy()
    found = concluded(RULE, seen, known(seen))
    shown = numbers(found)
    assert shown["lock_wait_seconds"] == pytest.approx(0.012)
    assert shown["lock_wait_share"] == pytest.approx(0.3)
    assert shown["computing_threads"] == 2
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [
        ("workers", 1, 2),
        ("switch_interval", 0.005, 0.0005),
    ]
    assert "12 ms" in found.title


def test_the_gain_is_what_the_thread_waited_for_the_lock_beside_its_own_work():
    seen = convoy()
    best, likely, worst = gains(concluded(RULE, seen, known(seen)))["latency_p99_ratio"]
    whole = 0.03 + 0.3  # 0.03 with the wait for a core
    assert best == pytest.approx(0.03 / whole, abs=1e-3)
    assert likely == pytest.approx((0.03 + 0.15) / whole, abs=1e-3)  # two processes: half of what computes moves
    assert worst == 1.0


def test_where_each_request_has_a_thread_of_its_own_most_of_its_time_is_spent_there():
    """As seen on eight request threads of one process while neighbours used the other core: the stop-gap came first."""
    seen = convoy(cores=1)
    sync = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, calls="synchronous"))
    facts = msgspec.structs.replace(known(sync), service=sync.service)
    (found,) = Engine([RULE]).judge(sync, facts).judged
    best, likely, _ = gains(found.conclusion)["latency_p50_ratio"]
    whole = 0.03 + 0.3 + 2 * (0.475 + 0.5)
    assert best == pytest.approx((whole - 0.9 * 0.3) / whole, abs=1e-3)
    assert likely == pytest.approx((whole - 0.45 * 0.3) / whole, abs=1e-3)
    assert found.severity == "info"


def test_a_full_gpu_or_a_server_without_workers_leaves_only_the_stop_gap():
    seen = convoy()
    full = on_gpus(seen, gpu([process(seen.workers[0])], busy_ratio=0.95, sm_active_ratio=0.9))
    facts = known(seen)
    engine = msgspec.structs.replace(facts, service=msgspec.structs.replace(facts.service, framework="vllm"))
    for at, about in ((full, known(full)), (seen, engine)):
        assert [c.lever for c in concluded(RULE, at, about).changes] == ["switch_interval"]


def test_without_a_free_core_only_the_stop_gap_is_left():
    seen = convoy(cores=1)
    found = concluded(RULE, seen, known(seen))
    assert [c.lever for c in found.changes] == ["switch_interval"]
    best, likely, _ = gains(found)["latency_p50_ratio"]
    assert best == pytest.approx((0.03 + 0.1 * 0.3) / 0.33, abs=1e-3)
    assert likely == pytest.approx((0.03 + 0.55 * 0.3) / 0.33, abs=1e-3)


def test_the_stop_gap_is_a_line_of_the_programs_own_code():
    seen = convoy()
    judged = Engine([RULE]).judge(seen, known(seen)).judged
    change = judged[0].conclusion.changes[1]
    assert [(p.kind, p.key, p.value) for p in change.how] == [("code", "sys.setswitchinterval", 0.0005)]


def test_a_wait_below_one_switch_interval_just_misses_and_keeps_a_standing_finding():
    seen = convoy()
    assert verdict(RULE, seen, known(seen, wait=0.004)) is None
    assert verdict(RULE, seen, known(seen, wait=0.004), standing=True) is not None


@pytest.mark.parametrize(
    "change",
    [{"wait": None}, {"lock": 0.02}, {"delay": 0.2}, {"io": False}],
    ids=["cannot be told", "seldom", "waits for a core", "no thread that serves"],
)
def test_what_looks_like_it_is_not_taken_for_it(change):
    seen = convoy()
    assert verdict(RULE, seen, known(seen, **change)) is None


def test_other_threads_that_only_serve_do_not_make_a_convoy():
    seen = convoy()
    both = [thread_share(k, 0.4, waits={"gil": 0.3}, gil_wait=0.006, io=True) for k in (101, 151)]
    assert verdict(RULE, seen, profile_of_threads(seen, both)) is None


def test_a_thread_that_accepts_is_told_by_what_it_waits_for_even_where_the_lock_is_most_of_it():
    """As measured on a worker of eight threads: 0.385 for the lock, 0.36 for events, 0.255 running."""
    seen = convoy()
    accepting = thread_share(101, 0.255, waits={"gil": 0.385, "loop": 0.36}, gil_wait=0.02)
    pool = [thread_share(151 + i, 0.09, waits={"gil": 0.72, "futex": 0.19}, gil_wait=0.03) for i in range(8)]
    shown = numbers(concluded(RULE, seen, profile_of_threads(seen, [accepting, *pool])))
    assert (shown["lock_wait_share"], shown["computing_threads"]) == (0.385, 8)


def test_heavy_requests_that_fall_to_each_thread_of_a_pool_in_turn_compute_too():
    """Two at a time among eight threads: none computes for most of the time."""
    seen = convoy()
    loop = thread_share(101, 0.03, waits={"gil": 0.3, "loop": 0.6}, gil_wait=0.012, io=True)
    pool = [thread_share(151 + i, 0.12, waits={"gil": 0.13, "futex": 0.75}) for i in range(8)]
    assert numbers(concluded(RULE, seen, profile_of_threads(seen, [loop, *pool])))["computing_threads"] == 8
    calm = [thread_share(151 + i, 0.06, waits={"gil": 0.06, "futex": 0.88}) for i in range(8)]
    assert verdict(RULE, seen, profile_of_threads(seen, [loop, *calm])) is None


def test_no_more_processes_are_advised_than_there_is_work_for():
    seen = convoy(cores=64)
    found = concluded(RULE, seen, known(seen))
    assert next((c.lever, c.proposed) for c in found.changes) == ("workers", 3)


def test_one_thread_that_computes_is_told_in_the_singular():
    seen = convoy(computing=1)
    assert "behind 1 other thread that computes in Python" in concluded(RULE, seen, known(seen, computing=1)).summary


def test_native_pool_threads_hold_no_lock():
    seen = convoy()
    loop = thread_share(101, 0.03, waits={"gil": 0.3}, gil_wait=0.012, io=True)
    pool = [thread_share(151 + i, 0.9, python=False) for i in range(2)]
    assert verdict(RULE, seen, profile_of_threads(seen, [loop, *pool])) is None


def test_the_event_loop_counts_as_the_serving_thread_even_where_it_mostly_computes():
    seen = convoy()
    loop = LoopProfile(tid=101, idle=0.5, busy=0.2, gil_wait=0.3, blocked=0.0)
    threads = [
        thread_share(101, 0.2, waits={"gil": 0.3}, gil_wait=0.008),
        thread_share(151, 0.7, waits={"gil": 0.2}, gil_wait=0.005),
    ]
    profile = worker_profile(101, 0.98, {}, gil_held=0.9, active=2.0, threads=threads, loop=loop)
    assert numbers(concluded(RULE, seen, profiled(seen, profile)))["lock_wait_share"] == pytest.approx(0.3)


def test_it_asks_for_a_profile_only_where_several_threads_ran():
    need = verdict(RULE, convoy())
    assert isinstance(need, Need)
    assert need.kind == "profile"
    one = view([worker(101, [thread(101, 0.99, 0.05)])])
    assert verdict(RULE, one) is None


def test_without_thread_states_it_says_what_is_missing():
    seen = convoy()
    missing = [Missing("states", "threads of another user", "CAP_SYS_PTRACE for the sidecar")]
    need = verdict(RULE, seen, profiled(seen, worker_profile(101, 0.98, {}), missing=missing))
    assert isinstance(need, Need)
    assert (need.kind, need.text) == ("privilege", "threads of another user: CAP_SYS_PTRACE for the sidecar")


def test_a_process_bound_by_the_lock_is_its_cause():
    """Eight request threads that compute, as measured: one core, D 0.35, and a thread that accepts for them."""
    pool = [thread(151 + i, 0.125, 0.06, kind="python") for i in range(8)]
    seen = view([worker(101, [thread(101, 0.02, 0.02), *pool])], request_threads=8)
    threads = [
        thread_share(101, 0.02, waits={"gil": 0.4, "listening": 0.58}, gil_wait=0.03, io=True),
        *(thread_share(151 + i, 0.125, waits={"gil": 0.8}, gil_wait=0.03) for i in range(8)),
    ]
    profile = worker_profile(101, 1.02, {}, gil_held=0.95, active=7.5, gil_waiting=6.5, threads=threads)
    found = Engine(all_rules()).judge(seen, profiled(seen, profile))
    assert found.broken == ()
    assert [(j.rule, j.cause) for j in found.judged] == [
        ("gil-bound-worker", None),
        ("gil-convoy", "gil-bound-worker"),
    ]


def test_a_convoy_alone_is_a_cause_of_its_own():
    seen = convoy(cores=1)
    found = Engine(all_rules()).judge(seen, known(seen))
    assert "gil-convoy" in [j.rule for j in found.judged if j.cause is None]


@pytest.mark.parametrize(
    "host",
    [built.healthy, built.far_below, built.too_many_workers, built.one_saturated_worker, built.throttled_bursts,
     built.noisy_neighbour, built.narrow_mask, built.fighting_pools, built.overlapping_pins],
)  # fmt: skip
def test_look_alikes_are_not_taken_for_it_and_ask_for_nothing(host):
    assert verdict(RULE, host()) is None


@pytest.mark.parametrize(("lock", "work", "speaks"), [(0.28, 0.1, True), (0.18, 0.1, False), (0.28, 0.2, False)])
def test_an_event_loop_that_waits_for_the_lock_longer_than_it_works_is_held_up(lock: float, work: float, speaks: bool):
    """Its mean wait is short, as most of its wake-ups find the lock free."""
    seen = convoy()
    own = thread_share(101, work, delay=0.01, waits={"gil": lock, "loop": 1 - lock - work}, gil_wait=0.003, io=True)
    pool = [thread_share(151 + i, 0.45, waits={"gil": 0.3}, gil_wait=0.004) for i in range(2)]
    loop = LoopProfile(tid=101, idle=1 - lock - work, busy=work, gil_wait=lock, blocked=0.0)
    profile = worker_profile(101, 0.98, {}, gil_held=0.6, active=1.4, threads=[own, *pool], loop=loop)
    found = verdict(RULE, seen, profiled(seen, profile))
    assert (found is not None) == speaks


def test_a_loop_whose_mean_wait_is_short_or_not_known_is_told_by_its_share():
    seen = convoy()
    for wait in (None, 0.001):
        own = thread_share(101, 0.05, delay=0.01, waits={"gil": 0.3, "loop": 0.65}, gil_wait=wait, io=True)
        pool = [thread_share(151 + i, 0.45, waits={"gil": 0.3}, gil_wait=0.004) for i in range(2)]
        loop = LoopProfile(tid=101, idle=0.65, busy=0.05, gil_wait=0.3, blocked=0.0)
        profile = worker_profile(101, 0.98, {}, gil_held=0.6, active=1.4, threads=[own, *pool], loop=loop)
        found = concluded(RULE, seen, profiled(seen, profile))
        assert "30% of the time for the interpreter's lock" in found.title
        shown = {one.metric: one for one in found.evidence}
        assert ("lock_wait_seconds" in shown) == (wait is not None)
        assert shown["lock_wait_share"].threshold == pytest.approx(0.2)
