"""Which variable holds a library's thread count, and which place would win."""

import pytest

from collectors.compute_threads import (
    UNSET,
    compute_threads,
    compute_threads_places,
    compute_threads_setting,
    thread_count,
)
from collectors.entities import Role
from collectors.facts import Library, ProcessFacts, unreadable_facts
from tests.captures import Recorded, facts, process, service_of

WORKER = process(11, "python", ppid=10)
MASTER = process(10, "python")
SERVICE = service_of("gunicorn", (MASTER, Role.FRONT_END), (WORKER, Role.WORKER))


def libraries(*kinds: str) -> tuple[Library, ...]:
    return tuple(Library(kind, f"/x/{kind}.so") for kind in kinds)


def worker(environ: dict[str, str] | None, *kinds: str) -> ProcessFacts:
    return facts(WORKER, environ=environ, libraries=libraries(*kinds))


@pytest.mark.parametrize(
    ("kinds", "environ", "value", "variable"),
    [
        (("openblas",), {"OMP_NUM_THREADS": "1"}, 1, "OMP_NUM_THREADS"),
        (("openblas",), {"OPENBLAS_NUM_THREADS": "3", "GOTO_NUM_THREADS": "2"}, 3, "OPENBLAS_NUM_THREADS"),
        (("openblas",), {"GOTO_NUM_THREADS": "2", "OMP_NUM_THREADS": "1"}, 2, "GOTO_NUM_THREADS"),
        (("libgomp",), {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "4,2"}, 4, "OMP_NUM_THREADS"),
        (("mkl",), {"MKL_NUM_THREADS": "2", "OMP_NUM_THREADS": "8"}, 2, "MKL_NUM_THREADS"),
        (("torch",), {"MKL_NUM_THREADS": "2", "OMP_NUM_THREADS": "8"}, 2, "MKL_NUM_THREADS"),
        (("openblas", "libgomp"), {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "4"}, 4, "OMP_NUM_THREADS"),
        (("openblas",), {"OPENBLAS_NUM_THREADS": "0", "OMP_NUM_THREADS": "2"}, 2, "OMP_NUM_THREADS"),
        (("openblas",), {}, None, None),
        (("openblas", "libgomp"), {"OPENBLAS_NUM_THREADS": "1"}, None, None),
    ],
)  # fmt: skip
def test_the_variable_that_holds_is_the_first_of_the_librarys_own(
    kinds: tuple[str, ...], environ: dict[str, str], value: int | None, variable: str | None
) -> None:
    threads = compute_threads(worker(environ, *kinds))
    assert (threads.value, threads.variable, threads.known) == (value, variable, True)


def test_the_default_names_the_libraries_that_have_no_limit() -> None:
    threads = compute_threads(worker({"OPENBLAS_NUM_THREADS": "1"}, "openblas", "libgomp"))
    assert threads.origin == "default of libgomp: one thread per allowed CPU"


def test_torch_sizes_the_openmp_runtime_that_it_brings() -> None:
    mapped = (Library("torch", "/x/torch/lib/libtorch_cpu.so"), Library("libgomp", "/x/torch/lib/libgomp-a34b.so.1"))
    threads = compute_threads(facts(WORKER, environ={"MKL_NUM_THREADS": "1"}, libraries=mapped))
    assert threads.value == 1


def test_recorded_workers_without_any_variable_have_no_limit() -> None:
    from collectors.frameworks.mlserver import MlServer

    recorded = Recorded(MlServer(), "mlserver_tree_idle")
    setting = compute_threads_setting(recorded.service(), recorded.known)
    assert setting.value == UNSET
    assert setting.origin == "default of openblas, libgomp: one thread per allowed CPU"


def test_an_erased_environment_is_unknown_unless_the_parents_is_readable() -> None:
    erased = worker(None, "openblas")
    assert compute_threads(erased).known is False
    alone = compute_threads_setting(SERVICE, {WORKER.key: erased})
    assert alone.value is None
    assert "not readable" in alone.origin
    parent = facts(MASTER, environ={"OMP_NUM_THREADS": "2"})
    assert compute_threads_setting(SERVICE, {WORKER.key: erased, MASTER.key: parent}).value == 2


def test_a_process_that_nobody_may_look_into_is_unknown() -> None:
    closed = unreadable_facts(WORKER.key, "no permission", "grant CAP_SYS_PTRACE")
    setting = compute_threads_setting(SERVICE, {WORKER.key: closed})
    assert setting.value is None
    assert "no permission" in setting.origin
    (place,) = compute_threads_places(1, SERVICE, {WORKER.key: closed})
    assert (place.key, place.value, place.effective) == ("OMP_NUM_THREADS", "1", None)


def places(environ: dict[str, str], *kinds: str) -> list[tuple[str, bool | None]]:
    found = compute_threads_places(1, SERVICE, {WORKER.key: worker(environ, *kinds)})
    assert all(place.because for place in found)
    return [(place.key, place.effective) for place in found]


def test_omp_num_threads_alone_where_nothing_else_is_set() -> None:
    (place,) = compute_threads_places(1, SERVICE, {WORKER.key: worker({}, "openblas", "libgomp")})
    assert (place.kind, place.target, place.key, place.value) == ("env", "gunicorn", "OMP_NUM_THREADS", "1")
    assert place.effective is True
    assert place.because == "openblas, libgomp reads it; not set: GOTO_NUM_THREADS, OPENBLAS_NUM_THREADS"


def test_a_variable_that_would_win_is_a_place_too() -> None:
    assert places({"OPENBLAS_NUM_THREADS": "4"}, "openblas", "libgomp") == [
        ("OMP_NUM_THREADS", True),
        ("OPENBLAS_NUM_THREADS", True),
    ]
    assert places({"OPENBLAS_NUM_THREADS": "4"}, "openblas") == [
        ("OPENBLAS_NUM_THREADS", True),
        ("OMP_NUM_THREADS", False),
    ]
    assert places({"MKL_NUM_THREADS": "4", "OMP_NUM_THREADS": "2"}, "torch") == [
        ("MKL_NUM_THREADS", True),
        ("OMP_NUM_THREADS", False),
    ]


def test_onnx_runtime_is_set_in_code() -> None:
    assert places({}, "onnxruntime") == [("intra_op_num_threads", True), ("OMP_NUM_THREADS", False)]
    assert places({}, "openblas", "onnxruntime") == [("OMP_NUM_THREADS", True), ("intra_op_num_threads", True)]


def test_unreadable_libraries_leave_it_open() -> None:
    closed = unreadable_facts(WORKER.key, "no permission", "grant it")
    known = ProcessFacts(**{**{n: getattr(closed, n) for n in closed.__struct_fields__}, "environ": worker({}).environ})
    (place,) = compute_threads_places(1, SERVICE, {WORKER.key: known})
    assert (place.effective, place.because) == (None, "the mapped libraries are not readable")
    (place,) = compute_threads_places(1, SERVICE, {WORKER.key: worker({})})
    assert (place.effective, place.because) == (None, "no library with own threads is mapped yet")


@pytest.mark.parametrize(
    ("text", "count"), [("4", 4), (" 2 ", 2), ("4,2", 4), ("0", None), ("-1", None), ("x", None), ("", None)]
)
def test_what_is_no_positive_number_is_ignored_as_the_libraries_do(text: str, count: int | None) -> None:
    assert thread_count(text) == count
