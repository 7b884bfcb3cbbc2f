"""uvicorn as it was recorded, alone and with workers, and the places of its settings."""

import pytest

from collectors.entities import Process, Role
from collectors.frameworks.uvicorn import Uvicorn
from collectors.levers import Lever
from tests.captures import Recorded, facts, process, service_of

FRONT = Role.FRONT_END


def uvicorn(*arguments: str) -> Process:
    return process(10, "python", "-m", "uvicorn", *arguments)


def test_alone_it_is_one_front_end_that_serves() -> None:
    recorded = Recorded(Uvicorn(), "uvicorn_single_tree")
    assert recorded.roles == {1613: FRONT}
    assert [worker.pid for worker in recorded.service().serving] == [1613]
    assert (recorded.traits().application, recorded.traits().port) == ("app", 18091)


def test_its_anonymous_children_are_workers_and_the_resource_tracker_is_not() -> None:
    recorded = Recorded(Uvicorn(), "uvicorn_workers_tree")
    assert recorded.roles == {956: FRONT, 959: Role.SUPPORT, 960: Role.WORKER, 961: Role.WORKER}
    setting = Uvicorn().setting(Lever.WORKERS, recorded.service(), recorded.known)
    assert setting is not None
    assert (setting.value, setting.origin) == (2, "argument --workers")
    places = Uvicorn().places(Lever.WORKERS, 1, recorded.service(), recorded.known)
    assert [(p.key, p.value, p.effective) for p in places] == [
        ("--workers", "1", True),
        ("WEB_CONCURRENCY", "1", False),
    ]


@pytest.mark.parametrize(
    ("arguments", "environ", "ports", "port"),
    [
        (("a:b", "--port", "9001"), {}, (), 9001),
        (("a:b", "--uds", "/run/a.sock"), {}, (9,), None),
        (("a:b", "--port", "0"), {}, (43210,), 43210),
        (("a:b", "--port=0"), {}, (), None),
        (("a:b",), {"UVICORN_PORT": "9002"}, (), 9002),
        (("a:b",), {}, (), 8000),
    ],
)
def test_the_port(
    arguments: tuple[str, ...], environ: dict[str, str], ports: tuple[int, ...], port: int | None
) -> None:
    one = uvicorn(*arguments)
    assert Uvicorn().traits([(one, FRONT)], {one.key: facts(one, environ=environ, ports=ports)}).port == port


@pytest.mark.parametrize(
    ("environ", "value", "origin", "effective"),
    [
        ({"WEB_CONCURRENCY": "3"}, 3, "env WEB_CONCURRENCY", True),
        ({"UVICORN_WORKERS": "2", "WEB_CONCURRENCY": "3"}, 2, "env UVICORN_WORKERS", False),
        ({}, 1, "default", True),
    ],
)
def test_the_number_of_workers_without_an_option(
    environ: dict[str, str], value: int, origin: str, effective: bool
) -> None:
    one = uvicorn("--factory", "shop.main:make")
    known = {one.key: facts(one, environ=environ)}
    service = service_of("uvicorn", (one, FRONT))
    setting = Uvicorn().setting(Lever.WORKERS, service, known)
    assert setting is not None
    assert (setting.value, setting.origin) == (value, origin)
    assert Uvicorn().places(Lever.WORKERS, 2, service, known)[1].effective is effective
    assert Uvicorn().traits([(one, FRONT)], known).application == "shop.main"


def test_an_unreadable_environment_leaves_the_workers_unknown() -> None:
    one = uvicorn("a:b")
    service = service_of("uvicorn", (one, FRONT))
    setting = Uvicorn().setting(Lever.WORKERS, service, {one.key: facts(one)})
    assert setting is not None
    assert setting.value is None
    assert Uvicorn().places(Lever.WORKERS, 2, service, {})[1].effective is None


def test_it_has_no_lever_for_request_threads() -> None:
    one = uvicorn("a:b")
    service = service_of("uvicorn", (one, FRONT))
    assert Uvicorn().setting(Lever.REQUEST_THREADS, service, {}) is None
    assert Uvicorn().places(Lever.REQUEST_THREADS, 4, service, {}) == ()
    assert Uvicorn().traits([(one, FRONT)], {}).request_threads is None
