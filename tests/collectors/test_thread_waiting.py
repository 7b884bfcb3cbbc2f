"""What makes idle threads of compute pools sleep."""

import pytest

from collectors.entities import Role
from collectors.facts import Library
from collectors.levers import Lever, Value
from collectors.places import places_for
from collectors.thread_waiting import PASSIVE, already_passive, thread_waiting_places
from tests.captures import facts, process, service_of

ONE = process(10, "python")
SERVICE = service_of("uvicorn", (ONE, Role.FRONT_END))


def shown(environ: dict[str, str] | None, *kinds: str) -> list[tuple[str, str, Value, bool | None]]:
    libraries = tuple(Library(kind, f"/x/{kind}.so") for kind in kinds)
    known = {ONE.key: facts(ONE, environ=environ, libraries=libraries)}
    return [(p.kind, p.key, p.value, p.effective) for p in thread_waiting_places(PASSIVE, SERVICE, known)]


@pytest.mark.parametrize(
    ("kind", "values", "passive"),
    [
        ("libgomp", {}, False),
        ("libgomp", {"OMP_WAIT_POLICY": "passive"}, True),
        ("libgomp", {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"}, False),
        ("libiomp", {"OMP_WAIT_POLICY": "PASSIVE"}, True),
        ("libiomp", {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "200"}, False),
        ("mkl", {"KMP_BLOCKTIME": "0"}, True),
        ("openblas", {"OMP_WAIT_POLICY": "PASSIVE"}, False),
        ("openblas", {"OPENBLAS_THREAD_TIMEOUT": "4"}, True),
        ("onnxruntime", {"OMP_WAIT_POLICY": "PASSIVE"}, False),
    ],
)
def test_which_pools_sleep_already(kind: str, values: dict[str, str], passive: bool) -> None:
    assert already_passive(kind, values) is passive


def test_each_mapped_pool_is_told_in_the_variable_that_it_reads() -> None:
    assert shown({}, "libgomp", "libiomp", "openblas") == [
        ("env", "OMP_WAIT_POLICY", "PASSIVE", True),
        ("env", "KMP_BLOCKTIME", "0", True),
        ("env", "OPENBLAS_THREAD_TIMEOUT", "4", True),
    ]
    assert shown({"KMP_BLOCKTIME": "0"}, "libiomp", "openblas") == [("env", "OPENBLAS_THREAD_TIMEOUT", "4", True)]


def test_a_spin_count_that_wins_is_to_be_removed() -> None:
    assert shown({"GOMP_SPINCOUNT": "30000"}, "libgomp") == [
        ("env", "OMP_WAIT_POLICY", "PASSIVE", True),
        ("env", "GOMP_SPINCOUNT", None, True),
    ]


def test_a_runtime_without_a_variable_is_told_in_code() -> None:
    assert shown({}, "onnxruntime") == [("code", "session.intra_op.allow_spinning", "0", True)]


def test_where_nobody_could_look_it_is_said() -> None:
    (place,) = thread_waiting_places(PASSIVE, SERVICE, {})
    assert (place.key, place.effective) == ("OMP_WAIT_POLICY", None)
    assert thread_waiting_places("active", SERVICE, {}) == ()


def test_servers_pass_it_on() -> None:
    known = {ONE.key: facts(ONE, environ={}, libraries=(Library("libgomp", "/x/libgomp.so"),))}
    found = places_for(Lever.THREAD_WAITING, PASSIVE, SERVICE, known)
    assert [(p.kind, p.target, p.key, p.value) for p in found] == [("env", "uvicorn", "OMP_WAIT_POLICY", "PASSIVE")]
