"""Variables that tie threads to CPUs."""

import pytest

from collectors.entities import Role
from collectors.thread_binding import binding, thread_binding_places, thread_binding_setting
from tests.captures import facts, process, service_of

ONE = process(10, "python")
SERVICE = service_of("uvicorn", (ONE, Role.FRONT_END))


@pytest.mark.parametrize(
    ("values", "bound"),
    [
        ({}, []),
        ({"OMP_PROC_BIND": "close"}, ["OMP_PROC_BIND"]),
        ({"OMP_PROC_BIND": "FALSE", "OMP_PLACES": "cores", "GOMP_CPU_AFFINITY": "0"}, []),
        ({"OMP_PROC_BIND": "false", "KMP_AFFINITY": "compact"}, ["KMP_AFFINITY"]),
        ({"KMP_AFFINITY": "disabled"}, []),
        ({"OMP_PLACES": "cores", "GOMP_CPU_AFFINITY": "0 1"}, ["OMP_PLACES", "GOMP_CPU_AFFINITY"]),
    ],
)
def test_which_variables_bind(values: dict[str, str], bound: list[str]) -> None:
    assert list(binding(values)) == bound


def test_each_variable_that_binds_is_switched_off_or_removed() -> None:
    environ = {"OMP_PROC_BIND": "true", "OMP_PLACES": "{0}", "KMP_AFFINITY": "granularity=fine,compact"}
    known = {ONE.key: facts(ONE, environ=environ)}
    places = thread_binding_places(SERVICE, known)
    assert [(p.target, p.key, p.value, p.effective) for p in places] == [
        ("uvicorn", "OMP_PROC_BIND", "false", True),
        ("uvicorn", "OMP_PLACES", None, True),
        ("uvicorn", "KMP_AFFINITY", "disabled", True),
    ]
    setting = thread_binding_setting(SERVICE, known)
    assert setting.value == "OMP_PROC_BIND=true OMP_PLACES={0} KMP_AFFINITY=granularity=fine,compact"


def test_nothing_set_is_false_and_an_unreadable_environment_is_unknown() -> None:
    assert thread_binding_setting(SERVICE, {ONE.key: facts(ONE, environ={})}).value is False
    assert thread_binding_places(SERVICE, {ONE.key: facts(ONE, environ={})}) == ()
    assert thread_binding_setting(SERVICE, {ONE.key: facts(ONE)}).value is None
    assert [(p.key, p.effective) for p in thread_binding_places(SERVICE, {})] == [("OMP_PROC_BIND", None)]
