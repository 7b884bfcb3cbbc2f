"""Real programs that measure their own sections: the classes of work are those, within 5 points and the sampling error."""

import pytest

from collectors.profiles.profile import Wait
from tests.victims import check_classes, watch

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "mixture",
    [
        "json=3 python=4 product=3",
        "array=4 json=3 python=3",
        pytest.param("lists=5 python=5", marks=pytest.mark.heavy),
        "pickle=5 product=5",
        pytest.param("garbage=5 python=5", marks=pytest.mark.heavy),
        "socket=5 json=5",
    ],
)
def test_a_thread_that_does_several_kinds_of_work_is_divided_among_them(mixture: str) -> None:
    check_classes(watch("mixture.py", *mixture.split()))


def test_threads_that_share_the_gil_are_divided_too() -> None:
    watched = watch("mixture.py", "--threads", "3", "json=5", "python=5")
    check_classes(watched)
    assert watched.seen.gil_held is not None
    held = watched.seen.gil_held
    assert held.value == pytest.approx(1.0, abs=0.1 + 3 * held.error)
    assert watched.seen.gil_waiting > 0.5


@pytest.mark.parametrize(
    "mixture", ["json=3 python=4 product=3", pytest.param("lists=5 python=5", marks=pytest.mark.heavy)]
)
def test_without_native_functions_lines_tell_what_they_call(mixture: str) -> None:
    watched = watch("mixture.py", *mixture.split(), native=False)
    assert not watched.seen.native
    check_classes(watched)


def test_a_pool_that_has_one_cpu_for_two_threads_spins() -> None:
    watched = watch("spin.py", OPENBLAS_NUM_THREADS="2")
    if not watched.seen.native:
        pytest.skip(f"native functions cannot be seen here: {watched.profile.missing}")
    check_classes(watched)
    assert watched.seen.pool_cores == pytest.approx(watched.seen.cores / 2, rel=0.3)
    assert watched.seen.gil_held is not None
    assert watched.seen.gil_held.value < 0.1


def test_a_pool_without_native_functions_is_unknown_and_not_guessed() -> None:
    seen = watch("spin.py", native=False, OPENBLAS_NUM_THREADS="2").seen
    assert seen.classes["unknown"].value == pytest.approx(seen.pool_cores / seen.cores, abs=0.02)


def test_a_convoy_holds_the_gil_all_the_time_and_keeps_a_reader_waiting() -> None:
    watched = watch("gil_convoy.py")
    check_classes(watched)
    seen, truth = watched.seen, watched.truth["gil_wait_seconds"]
    reader = next(thread for thread in seen.threads if thread.name == "reader")
    print(f"\nthe reader waited {1e3 * truth:.1f} ms for the GIL; seen: {1e3 * (reader.gil_wait_seconds or 0):.1f} ms")
    assert seen.gil_held is not None
    assert seen.gil_held.value > 0.8  # nobody holds it while its next holder waits for a CPU
    assert seen.python_active > 1.7
    assert reader.io
    assert reader.gil_wait_seconds is not None
    assert 0.25 * truth < reader.gil_wait_seconds < 2.5 * truth  # few of 80 looks fall on a wait
    assert all(thread.gil_wait_seconds is None for thread in seen.threads if thread.name.startswith("burner"))


@pytest.mark.parametrize("program", ["lock.py", "sleeping.py"])
def test_what_threads_wait_for_is_no_cpu_time(program: str) -> None:
    watched = watch(program, seconds=4.0)
    seen, truth = watched.seen, watched.truth
    kinds: dict[str, Wait] = {"waits_lock": "lock", "waits_sleep": "sleep"}
    print(f"\n{program}: {dict(seen.waits)}, truth {truth}")
    for name, kind in kinds.items():
        assert seen.waits.get(kind, 0.0) == pytest.approx(truth.get(name, 0.0), abs=0.3)
    assert seen.cores < 0.1


def test_a_loop_that_computes_and_blocks_says_how_much_of_each() -> None:
    watched = watch("loop_blocked.py", seconds=14.0)  # some 28 whole looks, of which three in ten find it asleep
    loop, truth = watched.seen.loop, watched.truth
    check_classes(watched)
    assert loop is not None
    print(f"\nbusy {loop.busy:.2f}, blocked {loop.blocked:.2f}, idle {loop.idle:.2f}; truth {truth}")
    assert loop.busy == pytest.approx(truth["busy"], abs=0.05)
    assert loop.blocked == pytest.approx(truth["blocked"], abs=0.2)  # from some 60 looks
    assert loop.busy + loop.idle + loop.blocked + loop.gil_wait == pytest.approx(1.0)
    assert loop.work["serialise"] > 0.85
    assert loop.run_seconds is not None
    assert 0.005 < loop.run_seconds < 0.04  # it sleeps twice a turn, and computes for 20 ms
    where = {spot.work: spot.where for spot in sorted(loop.hot, key=lambda spot: spot.share)}
    assert "serve (" in where["sleep"]
    assert "json_piece" in where["serialise"]
