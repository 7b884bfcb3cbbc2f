"""A call that hands its parts to a pool is told from one that computes, and from a server that hands requests on."""

import msgspec
import pytest

from advisor.profiling.digest import digest
from advisor.profiling.table import load_table
from advisor.profiling.view import CallTime
from collectors.profiles.profile import Frame
from tests.advisor.profiling.profiles import HANDLE_RUN, LIB, MAIN, OTHER, SITE, profile, thread

PREDICT = Frame("Forest.predict", "/srv/app/model.py", 26)
RETRIEVE = Frame("Parallel._retrieve", f"{SITE}/joblib/parallel.py", 1822)
TREE = Frame("BaseDecisionTree.predict", f"{SITE}/sklearn/tree/_classes.py", 526)
SEQUENTIAL = Frame("Parallel._get_sequential_output", f"{SITE}/joblib/parallel.py", 1940)
START = Frame("Thread.start", f"{LIB}/threading.py", 964)
POOL = Frame("worker", f"{LIB}/multiprocessing/pool.py", 114)
SERVER = Frame("Worker._process_request", f"{SITE}/mlserver/parallel/worker.py", 130)
SUBMIT = Frame("ThreadPoolExecutor.submit", f"{LIB}/concurrent/futures/thread.py", 162)


def seen(**parts: object) -> CallTime | None:
    threads = [thread(MAIN, 2.0, waits={"sleep": 70, "loop": 10}), thread(OTHER, 1.0)]
    return digest(profile(threads, **parts), load_table()).calling  # type: ignore[arg-type]


def test_running_and_waiting_in_the_pools_own_code_is_handing_on() -> None:
    found = seen(
        active={
            MAIN: {(HANDLE_RUN, PREDICT, RETRIEVE, START): 30, (HANDLE_RUN, PREDICT): 10},
            OTHER: {(POOL, TREE): 50},
        },
        waiting={MAIN: {((HANDLE_RUN, PREDICT, RETRIEVE), "sleep"): 70, ((HANDLE_RUN,), "loop"): 10}},
    )
    assert found is not None
    # it ran for 2 of 10 s, three quarters of that in the pool's code; of the other 8 s it slept there for seven eighths
    assert found.handing == pytest.approx(0.15 + 0.7)
    assert found.inside == pytest.approx(0.2 + 0.7)
    assert found.looks == 100


def test_threads_that_were_gone_before_they_were_looked_into_are_fleeting() -> None:
    short = [msgspec.structs.replace(thread(200 + k, 0.5), looks=2, running=1) for k in range(4)]
    stacks = {MAIN: {(HANDLE_RUN, PREDICT, RETRIEVE): 40}, 200: {(POOL, TREE): 1}}
    found = digest(profile([thread(MAIN, 2.0), *short], active=stacks), load_table()).calling
    assert found is not None
    assert found.fleeting == pytest.approx(3 * 0.5 / 10)  # one of the four was seen


@pytest.mark.parametrize(
    "stack",
    [
        (HANDLE_RUN, PREDICT, SEQUENTIAL, TREE),  # the calling thread computes the part itself
        (HANDLE_RUN, PREDICT),
        (HANDLE_RUN, SERVER, SUBMIT),  # the server hands a request on: no call of a model is under way
        (POOL, TREE),
    ],
)
def test_what_is_no_handing_on(stack: tuple[Frame, ...]) -> None:
    assert seen(active={MAIN: {stack: 40}}) is None
