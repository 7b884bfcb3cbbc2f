"""R15 on built hosts."""

import msgspec
import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.finding import Need
from advisor.rules.cpu_noisy_neighbour import CpuNoisyNeighbour
from advisor.rules.gil_bound_worker import GilBoundWorker
from advisor.view import View
from collectors.profiles.profile import Missing
from tests.advisor import built, profiled_hosts
from tests.advisor.built import MIB, concluded, facts, gains, numbers, quota, thread, verdict, view, worker
from tests.advisor.gpus_built import gpu, on_gpus, process
from tests.advisor.profiled_hosts import gil_bound, gil_view, master
from tests.advisor.profiles_built import profiled, worker_profile

RULE = GilBoundWorker()


def seen_as(seen: View, held: float = 0.92, active: float = 6.5, samples: int = 300):
    return profiled(
        seen, worker_profile(101, 1.01, {"python": 0.95}, gil_held=held, active=active, gil_waiting=5, samples=samples)
    )


def test_eight_threads_of_one_process_become_two_processes_of_four():
    found = concluded(RULE, *gil_bound())
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("workers", 1, 2), ("request_threads", 8, 4)]
    shown = numbers(found)
    assert shown["gil_held_share"] == pytest.approx(0.92)
    assert shown["gil_held_share_error"] == pytest.approx((0.92 * 0.08 / 300) ** 0.5, abs=1e-4)
    assert (shown["python_threads_active"], shown["gil_waiting_threads"]) == (6.5, 5.5)
    assert shown["cores_per_worker"] == pytest.approx(1.01)


def test_its_intervals_hold_what_was_measured_with_two_processes():
    """Measured: throughput x2.0, median latency / 2.04, 99 % latency / 1.64, memory x1.2."""
    found = gains(concluded(RULE, *gil_bound()))
    for metric, measured in (
        ("throughput_ratio", 2.0), ("latency_p50_ratio", 1 / 2.04), ("latency_p99_ratio", 1 / 1.64), ("memory_ratio", 1.2),
    ):  # fmt: skip
        low, _, high = found[metric]
        assert low <= measured <= high, metric
    assert found["throughput_ratio"][:2] == pytest.approx((0.85 * 2 / 1.01, 0.95 * 2 / 1.01), abs=0.001)


def test_more_cores_are_used_by_more_processes_with_at_least_one_thread_each():
    seen = gil_view(cores=4)
    found = concluded(RULE, seen, seen_as(seen))
    assert [(c.current, c.proposed) for c in found.changes] == [(1, 4), (8, 2)]


def test_no_more_processes_than_requests_at_once():
    seen = gil_view(cores=64)
    assert concluded(RULE, seen, seen_as(seen)).changes[0].proposed == 7
    many = msgspec.structs.replace(seen, established=16.0)
    assert concluded(RULE, many, seen_as(many)).changes[0].proposed == 7  # kept open by clients that do not ask now
    queued = msgspec.structs.replace(many, accept_queue=(1.0, 2.0))
    assert concluded(RULE, queued, seen_as(queued)).changes[0].proposed == 16


def test_forty_threads_that_each_do_little_are_several():
    seen = gil_view(threads=40)
    assert all(not w.active_threads for w in seen.serving)
    assert concluded(RULE, seen, seen_as(seen)).changes[0].proposed == 2


def test_memory_for_no_copy_more_ends_it():
    seen = msgspec.structs.replace(gil_view(), memory_available_bytes=20 * MIB)
    assert verdict(RULE, seen, seen_as(seen)) is None


def on_busy_gpu(seen: View, **known: float) -> View:
    worker = next(w for w in seen.workers if w.key.pid == 101)
    return on_gpus(seen, gpu([process(worker)], **known))


def test_no_more_processes_than_the_gpu_has_idle_time_for():
    seen = gil_view(cores=8)
    full = on_busy_gpu(seen, busy_ratio=0.95, sm_active_ratio=0.9)
    assert verdict(RULE, full, seen_as(full)) is None
    half = on_busy_gpu(seen, busy_ratio=0.4, sm_active_ratio=0.2)
    found = concluded(RULE, half, seen_as(half))
    assert found.changes[0].proposed == 3  # 1 / 0.4, not seven
    assert gains(found)["throughput_ratio"][2] == 2.5


def test_a_server_without_a_number_of_workers_is_told_none():
    seen = gil_view()
    engine = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, framework="vllm"))
    assert verdict(RULE, engine, seen_as(engine)) is None


def test_a_lock_held_too_little_after_its_error_just_misses():
    seen = gil_view()
    error = (0.71 * 0.29 / 300) ** 0.5
    assert 0.71 - error < 0.7
    assert verdict(RULE, seen, seen_as(seen, held=0.71)) is None
    assert verdict(RULE, seen, seen_as(seen, held=0.74)) is not None


def test_one_python_thread_that_wants_to_run_just_misses():
    seen = gil_view()
    assert verdict(RULE, seen, seen_as(seen, active=1.2)) is None


def test_a_standing_finding_leaves_at_lower_thresholds():
    seen = gil_view()
    known = seen_as(seen, held=0.66, active=1.2)
    assert verdict(RULE, seen, known) is None
    assert verdict(RULE, seen, known, standing=True) is not None


def test_no_unused_core_leaves_nothing_to_gain():
    full = view(
        [worker(k, [thread(k + 10 * i, 0.24, 0.4, kind="python") for i in range(1, 5)]) for k in (101, 102)],
        request_threads=4,
    )
    profiles = [worker_profile(k, 0.96, {"python": 0.95}, gil_held=0.92, active=3.5) for k in (101, 102)]
    assert verdict(RULE, full, profiled(full, *profiles)) is None


def test_native_code_beyond_one_core_is_not_its_case():
    seen = gil_view(used=1.5, cores=4)
    assert verdict(RULE, seen, seen_as(seen)) is None


def test_an_idle_worker_beside_it_is_another_cause():
    seen = view([*gil_view(cores=4).workers, worker(102, [thread(102, 0.05)])], cores=4)
    assert verdict(RULE, seen, seen_as(seen)) is None


def test_throttling_explains_it():
    seen = msgspec.structs.replace(gil_view(), cgroup=quota(2.0, throttled=30))
    assert verdict(RULE, seen, seen_as(seen)) is None


def test_without_a_profile_it_asks_for_one_and_without_the_lock_for_the_right():
    seen = gil_view()
    need = verdict(RULE, seen, facts(seen, environ={}))
    assert isinstance(need, Need)
    assert (need.kind, "interpreter's lock" in need.text) == ("profile", True)
    lacking = msgspec.structs.replace(
        seen_as(seen), profile=msgspec.structs.replace(
            seen_as(seen).profile, missing=(Missing("gil", "the lock is not readable", "CAP_SYS_PTRACE"),)
        ),
    )  # fmt: skip
    need = verdict(RULE, seen, lacking)
    assert isinstance(need, Need)
    assert (need.kind, need.text) == ("privilege", "the lock is not readable: CAP_SYS_PTRACE")


def test_a_worker_with_one_busy_thread_gives_it_no_reason_to_ask():
    seen = built.one_saturated_worker()
    assert verdict(RULE, seen, facts(seen)) is None


def test_few_samples_make_it_less_sure():
    seen = gil_view()
    assert concluded(RULE, seen, seen_as(seen, samples=90)).confidence == pytest.approx(0.9 * (0.7 + 0.09))
    assert concluded(RULE, seen, seen_as(seen)).confidence == pytest.approx(0.9)


def test_look_alikes_are_listed_with_their_numbers():
    listed = {r.cause: r.because for r in concluded(RULE, *gil_bound()).rejected}
    assert listed["workers-below-cores-saturated"].startswith("6.5 Python threads")
    assert "0.00 cores" in listed["cpu-oversubscribed-openmp"]
    assert listed["cgroup-cpu-throttled"] == "0% of periods throttled"


@pytest.mark.parametrize(
    "host", [h for h in profiled_hosts.ALL if h is not profiled_hosts.gil_bound], ids=lambda h: h.__name__
)
def test_look_alikes_are_not_taken_for_it(host):
    assert verdict(RULE, *host()) is None


def test_one_saturated_thread_stays_the_case_of_more_workers_and_yields_where_the_lock_is_the_cause():
    engine = Engine(all_rules())
    assert [j.rule for j in engine.judge(*profiled_hosts.saturated_pool()).judged] == ["workers-below-cores-saturated"]
    ranked = engine.judge(*gil_bound()).judged
    assert ranked[0].rule == "gil-bound-worker"
    assert "workers-below-cores-saturated" not in [j.rule for j in ranked]


def test_a_server_of_one_process_is_judged_too():
    seen = view([msgspec.structs.replace(w, role=master().role) for w in gil_view().workers[1:]], request_threads=None)
    assert [c.lever for c in concluded(RULE, seen, seen_as(seen)).changes] == ["workers"]


def test_a_neighbour_that_leaves_cores_idle_is_not_what_its_threads_wait_for():
    seen = gil_view()
    beside = msgspec.structs.replace(seen, cores=tuple(msgspec.structs.replace(c, busy=0.73) for c in seen.cores))
    assert beside.others(beside.pool) > 0.4
    assert [j.rule for j in Engine(all_rules()).judge(beside, seen_as(beside)).judged] == ["gil-bound-worker"]
    assert verdict(CpuNoisyNeighbour(), beside) is not None


def test_no_more_is_promised_than_wanted_to_run_at_a_time():
    """1.4 threads want to run and 0.9 cores are used: with a lock for each, 1.4 cores at most, whatever stays connected."""
    seen = msgspec.structs.replace(gil_view(threads=8, used=0.9, cores=8), established=16.0)
    used = seen.cores_used
    profile = worker_profile(101, used, {"python": 0.9}, gil_held=0.8, active=1.4)
    found = concluded(RULE, seen, profiled(seen, profile))
    assert found.changes[0].proposed == 2
    low, likely, high = gains(found)["throughput_ratio"]
    bound = 1.4 / used
    assert (low, likely) == pytest.approx((max(1.0, 0.85 * bound), 0.95 * bound), abs=0.01)
    assert high < 1.2 * bound
