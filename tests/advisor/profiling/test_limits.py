"""Which processes limit a service, and what less of a kind of work would give."""

import msgspec
import pytest

from advisor.profiling.limits import PRESSURE, busiest, busy, ceiling, limiting, of_service, part_of, pressed, speedup
from advisor.rule import Settings
from collectors.entities import Role
from tests.advisor import built
from tests.advisor.built import thread, view, worker
from tests.advisor.profiles_built import profile_view, thread_share, worker_profile

SETTINGS = Settings(PRESSURE)


def test_python_threads_are_counted_together_and_pool_threads_one_by_one() -> None:
    python = worker(1, [thread(1 + i, 0.2, 0.1, kind="python") for i in range(3)])
    pool = worker(2, [thread(2, 0.5), *(thread(50 + i, 0.6, 0.1, kind="compute") for i in range(3))])
    assert busy(python) == pytest.approx(0.9)
    assert busy(pool) == pytest.approx(0.7)


def test_a_profile_tells_which_threads_are_pythons_where_their_class_does_not() -> None:
    hidden = worker(1, [thread(1 + i, 0.2, 0.1, kind="compute") for i in range(3)])
    known = worker_profile(1, 0.6, {}, threads=[thread_share(1 + i) for i in range(3)])
    assert busy(hidden) == pytest.approx(0.3)
    assert busy(hidden, known) == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("host", "held"),
    [
        (built.healthy, False),
        (built.far_below, False),
        (built.one_saturated_worker, True),
        (built.too_many_workers, True),
    ],
)
def test_cpu_time_holds_a_service_back_where_a_process_or_the_cores_are_full(host, held: bool) -> None:
    assert pressed(host(), SETTINGS) is held


def test_full_cores_are_limited_by_all_and_else_by_the_saturated_process_alone() -> None:
    front, one = worker(100, [thread(100, 0.3)], role=Role.FRONT_END), worker(101, [thread(101, 0.97)])
    seen = profile_view(worker_profile(100, 0.3, {}), worker_profile(101, 0.97, {}))
    roomy = limiting(view([front, one], cores=4), seen, SETTINGS)
    assert roomy is not None
    assert [w.key.pid for w in roomy.workers] == [101]
    full = limiting(view([front, one], cores=2, others=0.7), seen, SETTINGS)
    assert full == seen
    idle = view([worker(101, [thread(101, 0.4)])], cores=4)
    assert limiting(idle, seen, SETTINGS) is None


def test_a_part_lies_between_its_error_and_all_that_may_belong_to_it() -> None:
    seen = profile_view(worker_profile(1, 1.0, {"serialise": 0.4, "allocation": 0.1, "unknown": 0.1}, samples=400))
    part = part_of(seen, "serialise", along=("allocation", "gc"))
    error = (0.4 * 0.6 / 400) ** 0.5
    assert (part.least, part.likely, part.most) == pytest.approx((0.4 - error, 0.4 + 0.1 * 0.5, 0.6 + error))


def test_amdahl_and_its_ceiling_by_the_next_process() -> None:
    assert speedup(0.5, 0.0) == 2.0
    assert speedup(0.9, 0.1) == pytest.approx(1 / 0.19)
    assert speedup(1.0, 0.0) == 1000.0
    front, one = worker(100, [thread(100, 0.25)], role=Role.FRONT_END), worker(101, [thread(101, 0.97)])
    seen = view([front, one], cores=4)
    assert ceiling(seen, profile_view(worker_profile(101, 0.97, {}))) == pytest.approx(4.0)
    both = profile_view(worker_profile(101, 0.97, {}), worker_profile(100, 0.25, {}))
    assert ceiling(seen, both) == 1000.0


def test_a_standing_finding_leaves_at_less_pressure() -> None:
    seen = view([worker(1, [thread(1, 0.7)])], cores=4)
    assert not pressed(seen, SETTINGS)
    assert pressed(seen, msgspec.structs.replace(SETTINGS, standing=True))


def test_one_of_eight_workers_stands_for_all_of_them_and_the_front_end_for_itself() -> None:
    front = worker(100, [thread(100, 0.5, allowed=range(8))], role=Role.FRONT_END)
    pool = [worker(k, [thread(k, 0.9, allowed=range(8))]) for k in range(101, 109)]
    seen = profile_view(worker_profile(101, 0.9, {"kernel": 1.0}), worker_profile(100, 0.5, {"serialise": 0.6}))
    whole = of_service(view([front, *pool], cores=8), seen)
    assert whole.cores == pytest.approx(0.5 + 8 * 0.9)
    assert seen.share("serialise").value == pytest.approx(0.3 / 1.4)
    assert whole.share("serialise").value == pytest.approx(0.3 / 7.7)
    limit = limiting(view([front, *pool], cores=8), seen, SETTINGS)
    assert limit is not None
    assert limit.share("kernel").value == pytest.approx(7.2 / 7.7)


def test_a_profile_of_a_process_that_left_keeps_its_weight() -> None:
    seen = profile_view(worker_profile(109, 0.4, {}))
    assert of_service(view([worker(101, [thread(101, 0.9)])]), seen) == seen


def test_saturated_workers_that_were_not_looked_into_are_no_ceiling_for_those_that_were() -> None:
    pool = [worker(k, [thread(k, 0.97, allowed=range(64))]) for k in range(101, 109)]
    front = worker(100, [thread(100, 0.2, allowed=range(64))], role=Role.FRONT_END)
    two = profile_view(worker_profile(101, 0.97, {}), worker_profile(102, 0.97, {}))
    assert ceiling(view(pool, cores=64), two) == 1000.0
    assert ceiling(view([front, *pool], cores=64), two) == pytest.approx(5.0)


def test_python_threads_that_release_the_lock_are_no_single_resource() -> None:
    """Eight threads that decode, two cores in all: there is room for more of them, whatever they add up to."""
    decoding = worker(1, [thread(1 + i, 0.25, kind="python") for i in range(8)])
    threads = [thread_share(1 + i) for i in range(8)]
    free = worker_profile(1, 2.0, {"decode": 0.7}, threads=threads, gil_held=0.2)
    held = worker_profile(1, 1.0, {"python": 0.9}, threads=threads, gil_held=0.9)
    unknown = msgspec.structs.replace(held, gil_held=None)
    assert busy(decoding, free) == pytest.approx(0.25)
    assert busy(decoding, held) == 1.0
    assert busy(decoding, unknown) == pytest.approx(0.25)
    assert busiest(view([decoding]), profile_view(free)) == pytest.approx(0.25)
    assert busiest(view([decoding])) == 1.0
