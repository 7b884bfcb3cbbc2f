"""What a service can do, told from what it did: by the service-demand law, a plateau, its loads, or a load test."""

import msgspec
import pytest

from advisor.capacity import Capacity, Rate, capacity_of
from advisor.measured import MeasuredCapacity
from advisor.view import Load, View
from tests.advisor.built import facts, far_below, healthy, quota, thread, view, worker
from tests.advisor.trends_built import past, steady


def told(seen: View, measured: MeasuredCapacity | None = None) -> Capacity:
    found = capacity_of(seen, msgspec.structs.replace(facts(seen), measured=measured))
    assert found is not None
    return found


def rate(found: Rate | None) -> Rate:
    assert found is not None
    return found


def loaded(demand: float = 0.8, per_second: float | None = 40.0, *, workers: int = 2, cores: int = 2) -> View:
    """Single-threaded workers on as many cores."""
    each = demand / workers
    return view([worker(101 + n, [thread(101 + n, each, allowed=range(cores))]) for n in range(workers)], cores=cores)


KNEE = MeasuredCapacity(
    at="2026-11-20T10:00:00Z", knee_per_second=95.0, upper_per_second=100.0, bound="measured", workers=2, generation=0
)


def test_requests_per_busy_worker_are_what_one_can_do():
    found = told(past(loaded(), [steady(0.8, per_second=40.0, latency=0.02)] * 20))
    one, whole = rate(found.one_worker_per_second), rate(found.n_workers_per_second)
    assert (one.per_second, one.bound) == (pytest.approx(50.0), "estimate")
    assert (whole.low, whole.per_second, whole.high) == pytest.approx((70.0, 82.0, 95.0))
    assert whole.bound == "estimate"
    assert found.utilisation_now == pytest.approx(0.4)
    assert found.headroom_at_peak == pytest.approx(0.6)


def test_cores_bound_what_many_workers_can_do():
    """Eight workers on two cores, of which a neighbour has one half."""
    eight = view([worker(101 + n, [thread(101 + n, 0.05)]) for n in range(8)], busy=(0.45, 0.45))
    found = told(past(eight, [steady(0.4, workers=8, per_second=20.0, latency=0.02, others=0.5, pool=2.0)] * 20))
    assert found.effective_cores == pytest.approx(1.5)
    assert found.neighbours_take_cores == pytest.approx(0.5)
    assert rate(found.n_workers_per_second).high == pytest.approx(50.0 * 1.5 * 0.95)
    assert found.utilisation_now == pytest.approx(0.4 / 1.5)


def test_a_neighbour_counts_for_the_time_in_which_it_was_there():
    """One and a half busy workers had both cores for themselves; then half a one beside a neighbour that takes one."""
    alone, beside = steady(1.5, others=0.0, pool=2.0), steady(0.5, others=1.0, pool=2.0)
    half = view([worker(k, [thread(k, 0.25)]) for k in (101, 102)], busy=(0.75, 0.75))
    found = told(past(half, [alone] * 20 + [beside] * 20))
    assert found.utilisation_now == pytest.approx(0.5)
    assert found.utilisation_at_peak == pytest.approx(0.75)


def test_while_it_is_idle_the_last_slices_tell_what_neighbours_take():
    idle = msgspec.structs.replace(healthy(), samples=0, demand=())
    found = told(past(idle, [steady(0.0, others=1.6)] * 20))
    assert found.neighbours_take_cores == pytest.approx(1.6)
    assert found.effective_cores == pytest.approx(0.4)


def test_quota_and_steal_take_their_cores():
    one = view([worker(101, [thread(101, 0.2)])], cores=4, steal=0.1, cgroup=quota(3.0))
    found = told(past(one, [steady(0.2, workers=1)] * 20))
    assert found.quota_takes_cores == 1.0
    assert found.steal_takes_cores == pytest.approx(0.4)
    assert found.effective_cores == pytest.approx(3.0)
    heavy = told(past(view([worker(101, [thread(101, 0.2)])], cores=4, steal=0.5), [steady(0.2, workers=1)] * 20))
    assert heavy.effective_cores == pytest.approx(2.0)


def test_without_a_page_there_is_utilisation_and_no_rate():
    found = told(past(loaded(), [steady(0.8)] * 20))
    assert found.one_worker_per_second is None
    assert found.n_workers_per_second is None
    assert found.utilisation_now == pytest.approx(0.4)


def test_a_saturated_plateau_is_what_all_workers_can_do():
    calm = [steady(0.8, per_second=40.0, latency=0.02)] * 20
    full = [steady(1.95, per_second=78.0 + n % 3, latency=0.3, queue=4.0) for n in range(8)]
    found = told(past(loaded(1.95), calm + full + calm))
    whole = rate(found.n_workers_per_second)
    assert (whole.low, whole.per_second, whole.high) == (78.0, pytest.approx(79.0, abs=0.5), 80.0)
    assert whole.bound == "measured"
    assert found.utilisation_now == pytest.approx(40 / 79, abs=0.01)


def test_busy_workers_without_anybody_waiting_are_no_plateau():
    busy = [steady(1.95, per_second=78.0, latency=0.02)] * 20
    assert rate(told(past(loaded(1.95), busy)).n_workers_per_second).bound == "estimate"


def test_a_plateau_that_swings_is_none():
    full = [steady(1.95, per_second=60.0 + 15 * (n % 3), latency=0.3, queue=4.0) for n in range(20)]
    assert rate(told(past(loaded(1.95), full)).n_workers_per_second).bound != "measured"


def test_a_load_test_counts_above_all_and_not_for_another_number_of_workers():
    calm = past(loaded(), [steady(0.8, per_second=40.0, latency=0.02)] * 20)
    whole = rate(told(calm, KNEE).n_workers_per_second)
    assert (whole.low, whole.per_second, whole.high, whole.bound) == (95.0, 95.0, 100.0, "measured")
    assert told(calm, KNEE).utilisation_now == pytest.approx(40 / 95)
    other = msgspec.structs.replace(KNEE, workers=4)
    assert rate(told(calm, other).n_workers_per_second).bound == "estimate"
    kept_up = msgspec.structs.replace(KNEE, bound="lower bound", upper_per_second=None)
    assert rate(told(calm, kept_up).n_workers_per_second).bound == "lower bound"
    slower = msgspec.structs.replace(kept_up, knee_per_second=10.0)
    assert rate(told(calm, slower).n_workers_per_second).per_second == pytest.approx(82.0)


def test_four_loads_with_a_knee_tell_the_peak():
    def law(n: float) -> float:
        return 20 * n / (1 + 0.05 * (n - 1) + 0.02 * n * (n - 1))

    loads = tuple(Load(n, law(n)) for n in (1, 1, 2, 2, 4, 4, 8, 8))
    seen = past(loaded(1.2), [steady(1.2, per_second=48.0, latency=0.02)] * 20)
    seen = msgspec.structs.replace(seen, loads=loads, requests_per_second=None)
    whole = rate(told(seen).n_workers_per_second)
    assert whole.per_second == pytest.approx(law((0.95 / 0.02) ** 0.5), rel=0.02)
    assert whole.bound == "estimate"
    assert "law of scalability through 4 loads" in whole.told_by


def test_loads_far_below_the_limit_of_their_law_are_not_followed_there():
    loads = tuple(Load(n, 50 * n / (1 + 0.01 * (n - 1))) for n in (0.5, 0.5, 0.8, 0.8, 1.2, 1.2, 2, 2))
    seen = msgspec.structs.replace(
        past(loaded(), [steady(0.8, per_second=40.0, latency=0.02)] * 20), loads=loads, requests_per_second=None
    )
    assert "can be busy at once" in rate(told(seen).n_workers_per_second).told_by


def test_a_closed_loop_makes_lower_bounds():
    full = [steady(1.95, per_second=79.0, latency=0.1, queue=6.0, established=8.0)] * 20
    seen = msgspec.structs.replace(past(loaded(1.95), full), accept_queue=(6.0,) * 15, latency_seconds=2 / 79)
    found = told(seen)
    assert rate(found.n_workers_per_second).bound == "lower bound"
    assert rate(found.one_worker_per_second).bound == "lower bound"
    assert found.doubt is not None
    assert found.utilisation_now == pytest.approx(0.975)


def test_requests_that_wait_elsewhere_hold_a_worker_of_one_thread_and_hide_the_others():
    waits = [steady(0.1, workers=4, per_second=20.0, latency=0.06)] * 20  # 1.2 in progress, 0.1 of them computing
    seen = past(view([worker(101 + n, [thread(101 + n, 0.025)]) for n in range(4)]), waits)
    found = told(seen)
    assert rate(found.one_worker_per_second).per_second == pytest.approx(1 / 0.06)
    assert found.utilisation_now == pytest.approx(20 / (4 / 0.06 * 0.82))
    several = view([worker(101 + n, [thread(101 + n, 0.025)]) for n in range(4)], request_threads=8)
    hidden = told(past(several, waits))
    assert hidden.one_worker_per_second is None
    assert hidden.utilisation_now is None


def test_a_pool_that_is_busy_in_parts_makes_one_worker_a_lower_bound():
    pool = view([worker(101, [thread(101, 0.4), thread(151, 0.4, kind="compute")])])
    found = told(past(pool, [steady(0.8, workers=1, per_second=10.0, latency=0.05)] * 20))
    assert rate(found.one_worker_per_second).bound == "lower bound"


def test_only_the_present_configuration_counts():
    before = [steady(1.9, per_second=20.0, latency=0.1)] * 20
    after = [steady(0.8, per_second=40.0, latency=0.02, generation=1)] * 7
    found = told(past(loaded(), before + after))
    assert rate(found.one_worker_per_second).per_second == pytest.approx(50.0)
    assert found.utilisation_at_peak == pytest.approx(0.4)
    assert told(past(loaded(), before + after[:4])).one_worker_per_second is None


def test_the_days_minutes_tell_the_peak_also_those_of_an_earlier_run_with_as_many_workers():
    calm = [steady(0.8)] * 20
    minutes = [steady(1.8, generation=-1)] * 200 + [steady(0.8)] * 20
    assert told(past(loaded(), calm, minutes)).utilisation_at_peak == pytest.approx(0.9)
    others = [steady(3.0, workers=4, generation=-1)] * 200 + [steady(0.8)] * 20
    assert told(past(loaded(), calm, others)).utilisation_at_peak == pytest.approx(0.4)
    changed = [steady(1.8, generation=0)] * 200 + [steady(0.8, generation=1)] * 20
    assert told(past(loaded(), [steady(0.8, generation=1)] * 20, changed)).utilisation_at_peak == pytest.approx(0.4)


def test_nothing_seen_yet_gives_cores_and_no_more():
    found = told(healthy())
    assert found.effective_cores is not None
    assert (found.one_worker_per_second, found.utilisation_now, found.headroom_at_peak) == (None, None, None)
    assert capacity_of(view([]), facts(view([]))) is None


def test_two_workers_at_fifteen_percent_each_have_most_of_it_left():
    found = told(past(far_below(), [steady(0.306, per_second=15.3, latency=0.02)] * 20))
    assert rate(found.one_worker_per_second).per_second == pytest.approx(50.0)
    assert found.headroom_now == pytest.approx(1 - 0.153, abs=0.01)


def test_work_that_the_page_does_not_count_gives_no_rate():
    found = told(past(loaded(), [steady(0.8, per_second=0.0)] * 20))
    assert (found.one_worker_per_second, found.n_workers_per_second) == (None, None)
    assert found.utilisation_now == pytest.approx(0.4)


def test_a_fit_says_no_less_than_what_was_seen():
    def law(n: float) -> float:
        return 20 * n / (1 + 0.05 * (n - 1) + 0.02 * n * (n - 1))

    loads = tuple(Load(n, law(n) * (1.1 if n == 8 else 1.0)) for n in (1, 1, 2, 2, 4, 4, 8, 8))
    whole = rate(told(msgspec.structs.replace(loaded(1.2), loads=loads)).n_workers_per_second)
    assert whole.per_second >= 1.1 * law(8)
    assert whole.low <= whole.per_second <= whole.high
