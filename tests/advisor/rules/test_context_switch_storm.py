"""R14 on built hosts: threads that hand the cores to each other at a lock, and switches that have other causes."""

import msgspec
import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.facts import ServiceFacts
from advisor.finding import Need
from advisor.rules.context_switch_storm import ContextSwitchStorm
from advisor.view import View
from collectors.levers import Lever, Setting
from collectors.profiles.profile import Missing
from tests.advisor import built
from tests.advisor.built import concluded, gains, numbers, thread, threads_set, verdict, view, worker
from tests.advisor.profiles_built import profiled, worker_profile

RULE = ContextSwitchStorm()
FUTEX = ("__lll_lock_wait (libc.so.6)", 0.3, "other")


def storm(*, switches: float = 30_000, system: float = 0.45, used: float = 0.48, threads: int = 4) -> View:
    """One process whose threads use all but all of two cores, nearly half of it in the kernel."""
    own = [
        msgspec.structs.replace(thread(101 + i, used, 0.05, kind="python"), slices_per_second=switches / threads)
        for i in range(threads)
    ]
    one = worker(101, own)
    return view([msgspec.structs.replace(one, system_cores=system * one.cores_used)], request_threads=threads)


def known(
    seen: View, *hot: tuple[str, float, str], lock: float = 0.0, gil: float = 0.0, native: bool = True
) -> ServiceFacts:
    profile = worker_profile(
        101, 1.92, {"lock": lock}, hot=hot, native=native, gil_waiting=gil, waits={"lock": 1.5}, samples=400
    )
    setting = Setting(lever=Lever.REQUEST_THREADS, value=4, origin="argument --threads")
    return msgspec.structs.replace(profiled(seen, profile), settings=(setting,))


def test_a_third_of_the_cpu_time_in_a_lock_at_twenty_thousand_switches_is_a_storm():
    seen = storm()
    found = concluded(RULE, seen, known(seen, FUTEX))
    shown = numbers(found)
    assert shown["switches_per_core_per_second"] == pytest.approx(30_000 / 1.92, abs=1)
    assert shown["system_share"] == pytest.approx(0.45)
    assert shown["lock_share"] == pytest.approx(0.3)
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("request_threads", 4, 2)]
    assert "__lll_lock_wait" in found.title
    assert "15,625 switches" in found.title


def test_the_gain_is_what_the_lock_takes_of_the_cpu_time():
    seen = storm()
    low, likely, high = gains(concluded(RULE, seen, known(seen, FUTEX)))["throughput_ratio"]
    assert low == 1.0
    assert likely == pytest.approx(1 / (1 - 0.15), abs=1e-3)
    assert high == pytest.approx(1 / (1 - 0.45), abs=1e-3)  # the kernel's part is the larger bound


def test_the_class_of_locks_counts_where_no_single_function_stands_out():
    seen = storm()
    assert numbers(concluded(RULE, seen, known(seen, lock=0.25)))["lock_share"] == 0.25


def test_a_pool_of_compute_threads_is_halved_where_there_are_no_request_threads():
    seen = storm()
    facts = msgspec.structs.replace(known(seen, FUTEX), settings=(), threads=threads_set(8))
    assert [(c.lever, c.proposed) for c in concluded(RULE, seen, facts).changes] == [("compute_threads", 4)]
    untold = msgspec.structs.replace(known(seen, FUTEX), settings=())
    assert concluded(RULE, seen, untold).changes == ()


def test_a_lock_of_the_allocator_is_named():
    seen = storm()
    found = concluded(RULE, seen, known(seen, FUTEX, ("_int_malloc (libc.so.6)", 0.2, "memory")))
    assert "jemalloc" in found.summary
    assert "jemalloc" not in concluded(RULE, seen, known(seen, FUTEX)).summary


@pytest.mark.parametrize(
    "dispatcher",
    [
        "Parallel.__call__ (joblib/parallel.py:1950)",
        "GOMP_parallel (libgomp.so.1)",
        "_worker (concurrent/futures/thread.py)",
    ],
)
def test_a_pool_that_is_woken_for_each_call_is_a_matter_of_batching(dispatcher):
    """Measured: a forest of 100 trees that is called for one row at a time; batching took the switches away."""
    seen = storm()
    assert verdict(RULE, seen, known(seen, FUTEX, (dispatcher, 0.2, "glue"))) is None
    assert verdict(RULE, seen, known(seen, FUTEX, (dispatcher, 0.1, "glue"))) is not None


def test_requests_from_the_network_switch_without_a_lock():
    seen = storm()
    assert verdict(RULE, seen, known(seen, ("tcp_sendmsg ([kernel])", 0.3, "io"))) is None


def test_the_interpreters_lock_is_not_its_case():
    seen = storm()
    assert verdict(RULE, seen, known(seen, FUTEX, gil=3.0)) is None


@pytest.mark.parametrize("change", [{"switches": 13_000}, {"system": 0.18}, {"used": 0.07, "switches": 3_000}])
def test_fewer_switches_little_kernel_time_or_little_work_just_miss(change):
    seen = storm(**change)
    assert verdict(RULE, seen, known(seen, FUTEX)) is None


def test_a_standing_finding_leaves_at_a_lower_threshold_than_it_entered():
    seen = storm(switches=13_000)
    assert verdict(RULE, seen, known(seen, FUTEX), standing=True) is not None


def test_it_asks_for_a_profile_and_without_native_samples_for_the_right_to_them():
    seen = storm()
    burst = verdict(RULE, seen)
    assert isinstance(burst, Need)
    assert burst.kind == "profile"
    refused = [Missing("native", "perf events are not granted", "CAP_PERFMON for the sidecar")]
    for facts in (
        profiled(seen, worker_profile(101, 1.92, {}), missing=refused),
        known(seen, FUTEX, native=False),
    ):
        need = verdict(RULE, seen, facts)
        assert isinstance(need, Need)
        assert need.kind == "privilege"


def test_where_the_kernels_part_is_not_readable_it_says_nothing():
    seen = storm()
    blind = tuple(msgspec.structs.replace(w, system_cores=None) for w in seen.workers)
    assert verdict(RULE, msgspec.structs.replace(seen, workers=blind), known(seen, FUTEX)) is None


def test_it_is_the_only_cause_on_its_host_among_all_rules():
    seen = storm()
    found = Engine(all_rules()).judge(seen, known(seen, FUTEX))
    assert [j.rule for j in found.judged if j.cause is None] == ["context-switch-storm"]
    assert found.broken == ()


@pytest.mark.parametrize(
    "host",
    [built.healthy, built.far_below, built.too_many_workers, built.one_saturated_worker, built.throttled_bursts,
     built.noisy_neighbour, built.narrow_mask, built.fighting_pools],
)  # fmt: skip
def test_look_alikes_are_not_taken_for_it_and_ask_for_nothing(host):
    assert verdict(RULE, host()) is None


def test_handing_over_the_interpreters_lock_is_no_other_lock():
    """The same functions of the C library serve both: the class of the samples tells them apart."""
    seen = storm()
    gil = ("pthread_cond_timedwait (libc.so.6)", 0.3, "gil-wait")
    assert verdict(RULE, seen, known(seen, gil)) is None
    assert concluded(RULE, seen, known(seen, FUTEX)).title
