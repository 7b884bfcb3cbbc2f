"""What rules see of a built profile: classes, the GIL, waits, the event loop, phases and named calls."""

import msgspec
import pytest

from advisor.profiling.digest import digest
from advisor.profiling.table import load_table
from advisor.profiling.view import WorkerProfile
from collectors.profiles.profile import Frame
from tests.advisor.profiling.profiles import (
    APP,
    EVAL,
    HANDLE_RUN,
    JSON,
    JSON_C,
    MAIN,
    OTHER,
    RUN_ONCE,
    SELECT,
    SGEMM,
    SITE,
    STARLETTE,
    WORKER,
    profile,
    thread,
)


def seen(*threads: object, **parts: object) -> WorkerProfile:
    return digest(profile(threads, **parts), load_table())  # type: ignore[arg-type]


def values(worker: WorkerProfile) -> dict[str, float]:
    return {work: round(share.value, 3) for work, share in worker.classes.items()}


def test_threads_weigh_by_their_cpu_time() -> None:
    worker = seen(
        thread(MAIN, 6.0),
        thread(OTHER, 2.0, python=False),
        active={MAIN: {(APP, JSON): 30, (APP,): 10}},
    )
    assert values(worker) == {"serialise": 0.562, "unknown": 0.25, "python": 0.188}
    assert (worker.cores, worker.pool_cores, worker.samples) == (0.8, pytest.approx(0.2), 40)
    assert not worker.native


def test_native_functions_and_stacks_are_joined() -> None:
    worker = seen(
        thread(MAIN, 10.0),
        active={MAIN: {(APP, JSON): 200, (APP,): 300}},
        gil={MAIN: {(APP, JSON): 200, (APP,): 150}},
        native={MAIN: {SGEMM: 300, EVAL: 660, JSON_C: 40}},
    )
    assert values(worker) == {"serialise": 0.4, "kernel": 0.3, "python": 0.3}
    assert worker.native
    assert worker.samples == 1000
    assert {spot.where: spot.work for spot in worker.hot}[
        "sgemm_kernel_HASWELL (libscipy_openblas64_-32a4b2a6.so)"
    ] == "kernel"


def test_threads_of_one_pool_are_seen_together() -> None:
    """Each has too few looks to be divided by itself."""
    workers = [thread(tid, 0.1, name=f"worker_{tid}") for tid in range(200, 220)]
    worker = seen(
        *workers,
        gil={tid: {(APP, JSON if tid % 2 else APP): 1} for tid in range(200, 220)},
        native={tid: {EVAL: 10} for tid in range(200, 220)},
    )
    assert values(worker) == {"serialise": 0.5, "python": 0.5}


def test_stacks_that_only_wait_are_not_counted() -> None:
    worker = seen(thread(MAIN, 1.0), active={MAIN: {(WORKER,): 90, (WORKER, APP): 10}})
    assert values(worker) == {"python": 1.0}


def test_a_process_without_cpu_time_has_no_classes() -> None:
    worker = seen(thread(MAIN, 0.0, waits={"sleep": 100}))
    assert (dict(worker.classes), worker.cores, dict(worker.waits)) == ({}, 0.0, {"sleep": 1.0})


def test_threads_that_live_for_one_request_count_for_as_long_as_they_were_there() -> None:
    """Twenty threads of 2 looks each beside a thread of 100: none is known to the kernel's counters any more."""
    gone = [
        msgspec.structs.replace(
            thread(tid, python=True, name=f"Thread-{tid}"), run_seconds=None, delay_seconds=None, looks=2, running=1,
            waits={"outbound": 1},
        )
        for tid in range(200, 220)
    ]  # fmt: skip
    worker = seen(thread(MAIN, 1.0, waits={"listening": 90}), *gone)
    assert worker.cores == pytest.approx(0.1 + 20 * 0.01)
    assert worker.python_active == pytest.approx(0.1 + 20 * 0.01)
    assert worker.waits["outbound"] == pytest.approx(20 * 0.01)
    assert worker.waits["listening"] == pytest.approx(0.9)


def test_a_thread_that_came_late_did_not_wait_before_it_was_there() -> None:
    late = msgspec.structs.replace(thread(OTHER, 0.5, waits={"sleep": 5}), looks=10, running=5)
    worker = seen(thread(MAIN, 1.0, waits={"loop": 90}), late)
    assert worker.waits["sleep"] == pytest.approx(0.1 - 0.05)


def test_some_looks_that_failed_do_not_make_a_thread_short_lived() -> None:
    shaky = msgspec.structs.replace(thread(OTHER, 0.0, waits={"outbound": 70}), looks=70, running=0)
    assert seen(thread(MAIN, 1.0, waits={"loop": 90}), shaky).waits["outbound"] == pytest.approx(1.0)


def test_the_gil_is_held_as_often_as_a_holder_was_seen() -> None:
    worker = seen(
        thread(MAIN, 4.0, waits={"gil": 50}, delay=1.0),
        thread(OTHER, 5.0, waits={"gil": 40, "futex": 10}),
        gil={MAIN: {(APP,): 200}, OTHER: {(APP,): 250}},
    )
    assert worker.gil_held is not None
    assert worker.gil_held.value == 0.9
    assert worker.gil_held.error == pytest.approx((0.9 * 0.1 / 500) ** 0.5, rel=0.02)
    assert worker.gil_waiting == pytest.approx(0.5 + 0.5 * 0.8)  # what they did not run, as looks divide it
    assert worker.python_active == pytest.approx(0.5 + 0.5 + worker.gil_waiting)
    assert worker.waits["futex"] == pytest.approx(0.1)


def test_nobody_looked_for_the_holder() -> None:
    assert seen(thread(MAIN, 1.0), gil_ticks=0).gil_held is None


def test_a_thread_that_wakes_for_something_else_says_how_long_it_then_waits_for_the_gil() -> None:
    # 300 turns: it sleeps for data, then waits 10 ms for the GIL: 2 switches and one renewal or two each
    io = thread(MAIN, 0.0, waits={"inbound": 70, "gil": 30}, switches=1050)
    burner = thread(OTHER, 7.0, waits={"gil": 30}, switches=900)
    shares = {share.tid: share for share in seen(io, burner).threads}
    assert shares[MAIN].gil_wait_seconds == pytest.approx(0.010)
    assert shares[MAIN].io
    assert shares[OTHER].gil_wait_seconds is None
    assert not shares[OTHER].io


def test_the_event_loop_is_busy_blocked_or_idle() -> None:
    root = (RUN_ONCE, HANDLE_RUN)
    worker = seen(
        thread(MAIN, 2.0, delay=1.0, waits={"loop": 35, "outbound": 30, "gil": 5}, switches=100),
        active={MAIN: {(*root, STARLETTE, APP): 60, (*root, STARLETTE, APP, JSON): 30, (RUN_ONCE, SELECT): 10}},
        waiting={MAIN: {((*root, APP), "outbound"): 9, ((RUN_ONCE, SELECT), "loop"): 12}},
    )
    loop = worker.loop
    assert loop is not None
    assert (loop.tid, loop.busy, loop.idle, loop.gil_wait, loop.blocked) == (
        MAIN, pytest.approx(0.3), pytest.approx(0.35), pytest.approx(0.05), pytest.approx(0.3),
    )  # fmt: skip
    assert loop.run_seconds == 0.02
    assert {work: round(share, 2) for work, share in loop.work.items()} == {
        "python": 0.6,
        "serialise": 0.3,
        "loop": 0.1,
    }
    assert [(spot.where, spot.work, round(spot.share, 2)) for spot in loop.hot] == [
        ("App.handle (/srv/app/app.py:10)", "outbound", 0.3),
        ("App.handle (/srv/app/app.py:10)", "python", 0.18),
        ("App.handle (/srv/app/app.py:10)", "serialise", 0.09),
    ]


def test_a_process_without_a_loop_has_none() -> None:
    assert seen(thread(MAIN, 1.0), active={MAIN: {(APP,): 5}}).loop is None


def test_uvloop_has_no_frames_but_a_loop() -> None:
    runner = Frame("Runner.run", "/usr/lib/python3.11/asyncio/runners.py", 118)
    uvloop = Frame("run", f"{SITE}/uvloop/__init__.py", 92)
    worker = seen(
        thread(MAIN, 5.0, waits={"loop": 50}),
        active={MAIN: {(uvloop, runner): 20, (uvloop, runner, STARLETTE, APP): 30}},
    )
    assert worker.loop is not None
    assert worker.loop.work == {"loop": 0.4, "python": 0.6}


def test_phases_and_named_functions_have_shares_of_cpu_time() -> None:
    predict = Frame("Model.predict", "/srv/app/model.py", 5)
    preprocess = Frame("Model.preprocess", "/srv/app/model.py", 9)
    resize = Frame("Image.resize", f"{SITE}/PIL/Image.py", 2304)
    product = Frame("Model.forward", "/srv/app/model.py", 20)
    worker = seen(
        thread(MAIN, 5.0),
        thread(OTHER, 5.0, python=False),
        active={MAIN: {(predict, preprocess, resize): 30, (predict, product): 50, (STARLETTE,): 20}},
        calls={product: "@"},
    )
    assert worker.phases == {"preprocess": pytest.approx(0.15), "predict": pytest.approx(0.25)}
    assert worker.calls == {"Image.resize": pytest.approx(0.15), "@": pytest.approx(0.25)}
    assert values(worker) == {"unknown": 0.5, "kernel": 0.25, "decode": 0.15, "glue": 0.1}


def test_stacks_that_lost_their_outer_frames_count_for_no_phase_and_against_none() -> None:
    start = Frame("<module>", "/srv/app/main.py", 1)
    predict = Frame("Model.predict", "/srv/app/model.py", 5)
    product = Frame("Model.multiply", "/srv/app/model.py", 20)
    active = {MAIN: {(start, predict, product): 60, (start, APP): 20, (product,): 15, (): 5}}
    worker = seen(thread(MAIN, 5.0), active=active)
    assert worker.phases == {"predict": pytest.approx(0.75)}
    mostly_torn = {MAIN: {(start, predict, product): 20, (predict, product): 20, (product,): 60}}
    assert seen(thread(MAIN, 5.0), active=mostly_torn).phases == {"predict": pytest.approx(0.4)}
