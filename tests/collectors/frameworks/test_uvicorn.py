"""uvicorn as it was recorded, alone and with workers, and the places of its settings."""

import pytest
from msgspec.structs import replace

from collectors.entities import Process, Role
from collectors.frameworks.uvicorn import Uvicorn
from collectors.levers import Lever
from collectors.seen_environment import as_seen
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
        ({"UVICORN_WORKERS": "", "WEB_CONCURRENCY": "3"}, 3, "env WEB_CONCURRENCY", True),
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


@pytest.mark.parametrize(
    ("argv", "role"),
    [
        (("uvicorn", "a:b"), FRONT),
        (("python", "-m", "uvicorn", "a:b"), FRONT),
        (("fastapi", "run", "app/main.py"), FRONT),
        (("fastapi", "dev"), FRONT),
        (("python", "-m", "fastapi", "run", "main.py"), FRONT),
        (("fastapi", "--version"), None),
        (("fastapi", "deploy"), None),
        (("vim", "uvicorn"), None),
        (("bash", "-c", "uvicorn a:b"), None),
        (("pip", "install", "uvicorn"), None),
        (("tail", "-f", "uvicorn.log"), None),
    ],
)
def test_what_is_a_server(argv: tuple[str, ...], role: Role | None) -> None:
    assert Uvicorn().recognise(process(1, *argv), None, None) is role


@pytest.mark.parametrize(
    ("arguments", "environ", "application", "port"),
    [
        (("run", "app/main.py"), {}, "main", 8000),
        (("run", "shop/", "--port", "9000"), {}, "shop", 9000),
        (("run", "--workers", "4"), {"PORT": "9001"}, "app", 9001),
        (("run", "--entrypoint", "shop.main:make"), {"UVICORN_PORT": "9002"}, "shop.main", 8000),
        (("dev", "--no-reload", "serve.py"), {}, "serve", 8000),
    ],
)
def test_the_command_of_fastapi_is_uvicorn_with_a_path(
    arguments: tuple[str, ...], environ: dict[str, str], application: str, port: int
) -> None:
    one = process(10, "fastapi", *arguments)
    traits = Uvicorn().traits([(one, FRONT)], {one.key: facts(one, environ=environ)})
    assert (traits.application, traits.port) == (application, port)


@pytest.mark.parametrize(
    ("arguments", "environ", "value", "origin"),
    [
        (("run", "--workers", "4"), {}, 4, "argument --workers"),
        (("run",), {"WEB_CONCURRENCY": "3", "UVICORN_WORKERS": "7"}, 3, "env WEB_CONCURRENCY"),
        (("run",), {"UVICORN_WORKERS": "7"}, 1, "default"),
    ],
)
def test_fastapi_hands_on_no_variable_of_uvicorn(
    arguments: tuple[str, ...], environ: dict[str, str], value: int, origin: str
) -> None:
    one = process(10, "fastapi", *arguments)
    service, known = service_of("uvicorn", (one, FRONT)), {one.key: facts(one, environ=environ)}
    setting = Uvicorn().setting(Lever.WORKERS, service, known)
    assert setting is not None
    assert (setting.value, setting.origin) == (value, origin)
    assert Uvicorn().setting(Lever.MAX_REQUESTS_IN_FLIGHT, service, known) is None
    assert Uvicorn().places(Lever.MAX_REQUESTS_IN_FLIGHT, 8, service, known) == ()


@pytest.mark.parametrize(
    ("arguments", "environ", "value", "origin", "effective"),
    [
        (("a:b", "--limit-concurrency", "50"), {}, 50, "argument --limit-concurrency", False),
        (("a:b",), {"UVICORN_LIMIT_CONCURRENCY": "40"}, 40, "env UVICORN_LIMIT_CONCURRENCY", True),
        (("a:b",), {}, None, "default (no limit)", True),
        (("a:b",), None, None, "environment not readable: the process wrote over its environment (setproctitle)", None),
    ],
)
def test_the_limit_of_requests_at_once(
    arguments: tuple[str, ...], environ: dict[str, str] | None, value: int | None, origin: str, effective: bool | None
) -> None:
    one = uvicorn(*arguments)
    service, known = service_of("uvicorn", (one, FRONT)), {one.key: facts(one, environ=environ)}
    setting = Uvicorn().setting(Lever.MAX_REQUESTS_IN_FLIGHT, service, known)
    assert setting is not None
    assert (setting.value, setting.origin) == (value, origin)
    option, variable = Uvicorn().places(Lever.MAX_REQUESTS_IN_FLIGHT, 8, service, known)
    assert (option.key, option.value, option.effective) == ("--limit-concurrency", "8", True)
    assert (variable.key, variable.effective) == ("UVICORN_LIMIT_CONCURRENCY", effective)


def test_a_file_of_variables_leaves_workers_and_threads_unknown() -> None:
    """`--env-file` is loaded after the start: /proc does not show what it sets."""
    one = uvicorn("a:b", "--env-file", ".env", "--workers", "1")
    spawned = process(11, "python", "-c", "from multiprocessing.spawn import spawn_main; spawn_main(pipe_handle=9)")
    known = {one.key: facts(one, environ={}), spawned.key: facts(spawned, environ={})}
    traits = Uvicorn().traits([(one, FRONT), (spawned, Role.WORKER)], known)
    service = replace(service_of("uvicorn", (one, FRONT), (spawned, Role.WORKER)), sets=traits.sets)
    threads = Uvicorn().setting(Lever.COMPUTE_THREADS, service, as_seen(service, known))
    assert threads is not None
    assert threads.value is None
    assert "OMP_NUM_THREADS" in threads.origin
    silent = uvicorn("a:b", "--env-file", ".env")
    workers = Uvicorn().setting(
        Lever.WORKERS, service_of("uvicorn", (silent, FRONT), (spawned, Role.WORKER)), {silent.key: known[one.key]}
    )
    assert workers is not None
    assert (workers.value, workers.origin) == (1, "counted; the file of --env-file may set it")


def test_neither_metrics_page_nor_way_of_calling_is_assumed() -> None:
    one = uvicorn("a:b")
    traits = Uvicorn().traits([(one, FRONT)], {one.key: facts(one, environ={})})
    assert (Uvicorn.metrics, traits.metrics_urls, traits.calls, traits.sets) == (None, (), None, ())
