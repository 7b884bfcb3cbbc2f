"""gunicorn as it was recorded, with and without setproctitle, and the places of its settings."""

import pytest

from collectors.entities import Process, Role
from collectors.frameworks.gunicorn import Gunicorn
from collectors.levers import Lever
from tests.captures import Recorded, facts, process, service_of

MASTER, WORKER = Role.FRONT_END, Role.WORKER


def gunicorn(*arguments: str) -> Process:
    return process(10, "/opt/venv/bin/python3.11", "/opt/venv/bin/gunicorn", *arguments, comm="gunicorn")


@pytest.mark.parametrize(
    ("name", "pids"),
    [
        ("gunicorn_asgi_tree", (520, 523, 525)),
        ("gunicorn_uvicorn_tree", (768, 771, 773)),
        ("gunicorn_setproctitle_tree", (1421, 1430, 1432)),
    ],
)
def test_the_master_is_the_front_end_and_its_forks_are_workers(name: str, pids: tuple[int, ...]) -> None:
    assert Recorded(Gunicorn(), name).roles == dict(zip(pids, (MASTER, WORKER, WORKER), strict=True))


def test_application_and_port_are_read_off_the_command_line() -> None:
    traits = Recorded(Gunicorn(), "gunicorn_uvicorn_tree").traits()
    assert (traits.application, traits.port) == ("app", 18090)
    assert traits.request_threads is None  # an asynchronous worker class


def test_a_title_tells_the_application_and_the_socket_the_port() -> None:
    recorded = Recorded(Gunicorn(), "gunicorn_setproctitle_tree")
    assert (recorded.traits().application, recorded.traits().port) == ("app", None)
    master = recorded.processes[0]
    listening = {**recorded.known, master.key: facts(master, ports=(18090,))}
    assert recorded.traits(listening).port == 18090


def test_an_erased_environment_is_unknown_and_not_unset() -> None:
    recorded = Recorded(Gunicorn(), "gunicorn_setproctitle_tree")
    service = recorded.service()
    threads = Gunicorn().setting(Lever.COMPUTE_THREADS, service, recorded.known)
    assert threads is not None
    assert threads.value is None
    assert "setproctitle" in threads.origin
    workers = Gunicorn().setting(Lever.WORKERS, service, recorded.known)
    assert workers is not None
    assert (workers.value, workers.origin) == (2, "counted; its title replaced the command line")
    assert [p.effective for p in Gunicorn().places(Lever.WORKERS, 4, service, recorded.known)] == [True, None]


def test_names_cut_to_15_bytes_are_recognised_where_the_command_line_is_empty() -> None:
    assert Gunicorn().recognise(process(1, comm="gunicorn: maste"), None, None) is MASTER
    assert Gunicorn().recognise(process(1, comm="gunicorn: worke"), None, None) is WORKER
    assert Gunicorn().recognise(process(1, "gunicorn: dirty-arbiter"), None, None) is Role.SUPPORT
    assert Gunicorn().recognise(process(1, "gunicorn: dirty-worker [a:b]"), None, None) is WORKER


@pytest.mark.parametrize(
    ("arguments", "port"),
    [
        (("-b", "127.0.0.1:9001", "a:b"), 9001),
        (("--bind=[::]:9002", "a:b"), 9002),
        (("-b:9003", "a:b"), 9003),
        (("-b", "0.0.0.0", "a:b"), 8000),
        (("-b", "unix:/run/a.sock", "a:b"), None),
        (("-b", "fd://3", "a:b"), None),
        (("-c", "conf.py"), None),
        (("a:b",), 8000),
    ],
)
def test_the_port_comes_from_bind_or_is_the_default(arguments: tuple[str, ...], port: int | None) -> None:
    one = gunicorn(*arguments)
    assert Gunicorn().traits([(one, MASTER)], {one.key: facts(one, environ={})}).port == port


def test_environment_and_socket_tell_the_port_where_no_option_does() -> None:
    one = gunicorn("a:b")
    for known, port in (
        (facts(one, environ={"PORT": "9100"}), 9100),
        (facts(one, environ={"GUNICORN_CMD_ARGS": "--bind 127.0.0.1:9200"}), 9200),
        (facts(one, environ={}, ports=(9300, 9400)), 9300),
    ):
        assert Gunicorn().traits([(one, MASTER)], {one.key: known}).port == port


@pytest.mark.parametrize(
    ("arguments", "application"),
    [
        (("--preload", "-w", "2", "mlp_np:app"), "mlp_np"),
        (("shop.wsgi:create_app('x')", "-b", "0.0.0.0:80"), "shop.wsgi"),
        (("-k", "uvicorn.workers.UvicornWorker", "wsgi"), "wsgi"),
        (("-c", "conf.py"), "app"),
    ],
)
def test_the_application_is_the_module(arguments: tuple[str, ...], application: str) -> None:
    one = gunicorn(*arguments)
    assert Gunicorn().traits([(one, MASTER)], {one.key: facts(one, environ={})}).application == application


@pytest.mark.parametrize(
    ("arguments", "environ", "value", "origin"),
    [
        (("-w", "3", "a:b"), {"WEB_CONCURRENCY": "5"}, 3, "argument --workers"),
        (("a:b",), {"GUNICORN_CMD_ARGS": "--workers 4", "WEB_CONCURRENCY": "5"}, 4, "env GUNICORN_CMD_ARGS"),
        (("a:b",), {"WEB_CONCURRENCY": "2"}, 2, "env WEB_CONCURRENCY"),
        (("a:b",), {"WEB_CONCURRENCY": "5"}, 2, "counted; gunicorn.conf.py may set it"),
        (("-c", "conf.py"), {}, 2, "counted; the configuration file conf.py may set it and wins over the environment"),
        (("a:b",), None, 2, "counted; the environment is not readable"),
    ],
)
def test_the_number_of_workers_comes_from_the_place_that_wins(
    arguments: tuple[str, ...], environ: dict[str, str] | None, value: int, origin: str
) -> None:
    master = gunicorn(*arguments)
    forks = [process(pid, *master.argv, ppid=10, comm="gunicorn") for pid in (11, 12)]
    service = service_of("gunicorn", (master, MASTER), *((fork, WORKER) for fork in forks))
    known = {each.key: facts(each, environ=environ) for each in (master, *forks)}
    setting = Gunicorn().setting(Lever.WORKERS, service, known)
    assert setting is not None
    assert (setting.value, setting.origin) == (value, origin)


@pytest.mark.parametrize(
    ("arguments", "environ", "effective"),
    [
        (("-w", "1", "a:b"), {}, False),
        (("a:b",), {"GUNICORN_CMD_ARGS": "-w1"}, False),
        (("-c", "conf.py"), {}, None),
        (("a:b",), {}, True),
    ],
)
def test_the_command_line_comes_first_and_the_environment_says_whether_it_counts(
    arguments: tuple[str, ...], environ: dict[str, str], effective: bool | None
) -> None:
    master = gunicorn(*arguments)
    fork = process(11, *master.argv, ppid=10)
    service = service_of("gunicorn", (master, MASTER), (fork, WORKER))
    known = {each.key: facts(each, environ=environ) for each in (master, fork)}
    first, second = Gunicorn().places(Lever.WORKERS, 4, service, known)
    assert (first.kind, first.target, first.key, first.value, first.effective) == (
        "argument", "gunicorn", "--workers", "4", True,
    )  # fmt: skip
    assert (second.kind, second.key, second.value, second.effective) == ("env", "WEB_CONCURRENCY", "4", effective)
    assert second.because


def test_request_threads_exist_for_synchronous_workers_only() -> None:
    threaded = gunicorn("-k", "gthread", "--threads", "8", "a:b")
    service = service_of("gunicorn", (threaded, MASTER))
    known = {threaded.key: facts(threaded, environ={})}
    setting = Gunicorn().setting(Lever.REQUEST_THREADS, service, known)
    assert setting is not None
    assert (setting.value, setting.origin) == (8, "argument --threads")
    assert Gunicorn().traits([(threaded, MASTER)], known).request_threads == 8
    assert [p.key for p in Gunicorn().places(Lever.REQUEST_THREADS, 16, service, known)] == ["--threads"]
    plain = gunicorn("a:b")
    assert Gunicorn().traits([(plain, MASTER)], {plain.key: facts(plain, environ={})}).request_threads == 1
    loop = gunicorn("-k", "uvicorn.workers.UvicornWorker", "a:b")
    assert Gunicorn().setting(Lever.REQUEST_THREADS, service_of("gunicorn", (loop, MASTER)), {}) is None
    assert Gunicorn().places(Lever.REQUEST_THREADS, 4, service_of("gunicorn", (loop, MASTER)), {}) == ()


def test_other_programs_are_not_gunicorn() -> None:
    for argv in (("python", "-m", "uvicorn", "a:b"), ("vim", "gunicorn"), ("bash", "-c", "gunicorn a:b")):
        assert Gunicorn().recognise(process(1, *argv), None, None) is None
