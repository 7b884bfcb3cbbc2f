"""hypercorn as it was recorded, and the places of its settings."""

import pytest

from collectors.entities import Process, Role, Service
from collectors.facts import SettingsFile
from collectors.framework import Facts
from collectors.frameworks.hypercorn import Hypercorn
from collectors.levers import Lever, Value
from tests.captures import Recorded, facts, process, service_of

FRONT, WORKER = Role.FRONT_END, Role.WORKER
SPAWNED = ("python", "-c", "from multiprocessing.spawn import spawn_main; spawn_main(pipe_handle=9)", "--x")


def hypercorn(*arguments: str) -> Process:
    return process(10, "/opt/venv/bin/python3.11", "/opt/venv/bin/hypercorn", *arguments, comm="hypercorn")


def with_workers(one: Process, count: int = 2) -> Service:
    spawned = [(process(20 + place, *SPAWNED, ppid=10), WORKER) for place in range(count)]
    return service_of("hypercorn", (one, FRONT), *spawned)


def settings(values: dict[str, Value] | None = None, problem: str | None = None, **more: Value) -> SettingsFile:
    return SettingsFile("hypercorn.toml", "/srv/app/hypercorn.toml", True, {**(values or {}), **more}, problem)


def test_its_anonymous_children_are_workers_and_the_resource_tracker_is_not() -> None:
    recorded = Recorded(Hypercorn(), "hypercorn_tree")
    assert recorded.roles == {1162: FRONT, 1165: Role.SUPPORT, 1166: WORKER, 1167: WORKER}
    traits = recorded.traits()
    assert (traits.application, traits.port, traits.calls, traits.metrics_urls) == ("app", 18092, None, ())
    assert Hypercorn.metrics is None
    setting = Hypercorn().setting(Lever.WORKERS, recorded.service(), recorded.known)
    assert setting is not None
    assert (setting.value, setting.origin) == (2, "argument --workers")
    (place,) = Hypercorn().places(Lever.WORKERS, 1, recorded.service(), recorded.known)
    assert (place.kind, place.key, place.value, place.effective) == ("argument", "--workers", "1", True)


@pytest.mark.parametrize(
    ("argv", "role"),
    [
        (("python", "-m", "hypercorn", "a:b"), FRONT),
        (("hypercorn", "a:b"), FRONT),
        (("vim", "hypercorn.toml"), None),
        (("bash", "-c", "hypercorn a:b"), None),
        (("pip", "install", "hypercorn"), None),
        (("uvicorn", "a:b"), None),
    ],
)
def test_what_is_a_server(argv: tuple[str, ...], role: Role | None) -> None:
    assert Hypercorn().recognise(process(1, *argv), None, None) is role


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (("a:b",), []),
        (("-c", "hypercorn.toml", "a:b"), ["hypercorn.toml"]),
        (("--config=file:conf.py", "a:b"), ["conf.py"]),
        (("--config", "python:shop.conf", "a:b"), []),
    ],
)
def test_a_file_is_read_only_where_an_option_names_it(arguments: tuple[str, ...], asked: list[str]) -> None:
    requests = Hypercorn().settings_requests(hypercorn(*arguments))
    assert [request.pattern for request in requests] == asked
    assert all(request.keys == ("workers", "bind", "bind.*") for request in requests)


@pytest.mark.parametrize(
    ("arguments", "files", "ports", "port"),
    [
        (("a:b",), (), (), 8000),
        (("-b", "0.0.0.0:9001", "a:b"), (), (), 9001),
        (("--bind=[::]:9002", "a:b"), (), (), 9002),
        (("-b", "127.0.0.1", "a:b"), (), (), 8000),
        (("-b", "unix:/run/a.sock", "a:b"), (), (9,), None),
        (("-b", "fd://3", "a:b"), (), (9003,), 9003),
        (("-b", "127.0.0.1:0", "a:b"), (), (43210,), 43210),
        (("-c", "h.toml", "a:b"), (settings(bind="0.0.0.0:9004"),), (), 9004),
        (("-c", "h.toml", "a:b"), (settings({"bind.0": "0.0.0.0:9006", "bind.1": "[::]:9006"}),), (), 9006),
        (("-c", "h.toml", "a:b"), (settings(),), (), 8000),
        (("-c", "h.toml", "a:b"), (settings(problem="not read"),), (), None),
        (("-c", "h.toml", "a:b"), (), (9005,), 9005),
        (("-c", "h.toml", "a:b"), (), (), None),
    ],
)
def test_the_port(
    arguments: tuple[str, ...], files: tuple[SettingsFile, ...], ports: tuple[int, ...], port: int | None
) -> None:
    one = hypercorn(*arguments)
    known: Facts = {one.key: facts(one, environ={}, files=files, ports=ports)}
    assert Hypercorn().traits([(one, FRONT)], known).port == port


@pytest.mark.parametrize(
    ("arguments", "files", "value", "origin"),
    [
        (("-w", "3", "a:b"), (settings(workers=4),), 3, "argument --workers"),
        (("-c", "h.toml", "a:b"), (settings(workers=4),), 4, "file hypercorn.toml"),
        (("-c", "h.toml", "a:b"), (settings(),), 1, "default"),
        (("-c", "h.toml", "a:b"), (), 2, "counted; hypercorn.toml is not readable"),
        (("-c", "h.toml", "a:b"), (settings(problem="damaged"),), 2, "counted; hypercorn.toml: damaged"),
        (("a:b",), (), 1, "default"),
    ],
)
def test_the_number_of_workers_comes_from_the_place_that_wins(
    arguments: tuple[str, ...], files: tuple[SettingsFile, ...], value: int, origin: str
) -> None:
    one = hypercorn(*arguments)
    setting = Hypercorn().setting(Lever.WORKERS, with_workers(one), {one.key: facts(one, environ={}, files=files)})
    assert setting is not None
    assert (setting.value, setting.origin) == (value, origin)


def test_a_file_that_sets_the_workers_is_named_first_and_an_option_would_win() -> None:
    one = hypercorn("-c", "hypercorn.toml", "a:b")
    known = {one.key: facts(one, environ={}, files=(settings(workers=4),))}
    in_file, option = Hypercorn().places(Lever.WORKERS, 2, with_workers(one), known)
    assert (in_file.kind, in_file.target, in_file.key, in_file.value, in_file.effective) == (
        "file", "/srv/app/hypercorn.toml", "workers", 2, True,
    )  # fmt: skip
    assert (option.kind, option.effective) == ("argument", True)
    given = hypercorn("-w", "1", "-c", "hypercorn.toml", "a:b")
    first, second = Hypercorn().places(Lever.WORKERS, 2, with_workers(given), known)
    assert (first.kind, first.effective, second.kind, second.effective) == ("argument", True, "file", False)


def test_no_variable_of_the_environment_counts() -> None:
    one = hypercorn("a:b")
    known = {one.key: facts(one, environ={"WEB_CONCURRENCY": "7", "PORT": "9", "OMP_NUM_THREADS": "3"})}
    service = service_of("hypercorn", (one, FRONT))
    found = {lever: Hypercorn().setting(lever, service, known) for lever in Lever}
    assert {lever: one.value for lever, one in found.items() if one is not None} == {
        Lever.WORKERS: 1, Lever.COMPUTE_THREADS: 3, Lever.THREAD_BINDING: False,
    }  # fmt: skip
    assert Hypercorn().traits([(one, FRONT)], known).port == 8000
