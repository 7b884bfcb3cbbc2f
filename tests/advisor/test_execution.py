"""How models are executed is told by the framework where it says so, else by what the threads did in the window."""

import msgspec
import pytest

from advisor.execution import execution_of
from advisor.view import View
from tests.advisor.built import thread, view, worker


def seen(
    main: float, rest: float = 0.0, *, calls: str | None = None, in_flight: float | None = None, samples: int = 15
) -> View:
    """Two workers whose main thread and other threads used that much of a core each."""
    threads = [[thread(k, main), thread(k + 50, rest, kind="python")] for k in (101, 102)]
    made = view([worker(k, each) for k, each in zip((101, 102), threads, strict=True)], samples=samples)
    service = msgspec.structs.replace(made.service, calls=calls)
    return msgspec.structs.replace(made, service=service, in_flight=in_flight)


def test_a_server_that_calls_in_the_thread_of_the_request_is_synchronous_whatever_the_load() -> None:
    found = execution_of(seen(0.0, calls="synchronous", samples=0))
    assert found is not None
    assert (found.kind, found.confidence) == ("synchronous", 0.95)


@pytest.mark.parametrize(("calls", "confidence"), [("asynchronous", 0.85), (None, 0.6)])
def test_a_loop_that_is_always_runnable_computes(calls: str | None, confidence: float) -> None:
    found = execution_of(seen(0.9, 0.1, calls=calls))
    assert found is not None
    assert (found.kind, found.confidence) == ("asynchronous-cpu-bound", confidence)
    assert found.because == "the main thread is runnable 90% of the time, other threads 10%"


@pytest.mark.parametrize(("in_flight", "kind"), [(40.0, "asynchronous-io-bound"), (2.0, None)])
def test_a_loop_with_many_requests_and_little_work_waits(in_flight: float, kind: str | None) -> None:
    found = execution_of(seen(0.2, calls="asynchronous", in_flight=in_flight))
    assert (found.kind if found else None) == kind
    if found:
        assert found.because == "20.0 requests in progress per worker, and its threads are runnable 20% of the time"


def test_work_in_threads_beside_the_main_one_is_synchronous_with_doubt() -> None:
    found = execution_of(seen(0.1, 0.8))
    assert found is not None
    assert (found.kind, found.confidence) == ("synchronous", 0.5)


def test_several_models_in_one_process_halve_the_confidence() -> None:
    found = execution_of(seen(0.9, calls="asynchronous"), several_models=True)
    assert found is not None
    assert (found.kind, found.confidence) == ("asynchronous-cpu-bound", 0.42)


@pytest.mark.parametrize("missing", [seen(0.9, samples=14), seen(0.6, 0.4), seen(0.0)])
def test_without_enough_to_tell_there_is_no_execution_model(missing: View) -> None:
    assert execution_of(missing) is None
    assert execution_of(None) is None
