"""What does gunicorn.conf.py say, what wins over it, and which variables does gunicorn set for its workers?"""

from pathlib import Path

import pytest
from msgspec.structs import replace

from collectors.entities import Process, Role, Service
from collectors.facts import Library, SettingsFile
from collectors.framework import Facts
from collectors.frameworks.gunicorn import Gunicorn
from collectors.inside import read_facts
from collectors.levers import Lever, Value
from collectors.seen_environment import as_seen
from tests.captures import facts, process, service_of
from tests.collectors.process_tree import host_of, key_of, make_process

MASTER, WORKER = Role.FRONT_END, Role.WORKER


def gunicorn(*arguments: str) -> Process:
    return process(10, "/opt/venv/bin/python3.11", "/opt/venv/bin/gunicorn", *arguments, comm="gunicorn")


def config(
    values: dict[str, Value] | None = None, present: bool = True, problem: str | None = None, **more: Value
) -> SettingsFile:
    return SettingsFile("gunicorn.conf.py", "/srv/app/gunicorn.conf.py", present, {**(values or {}), **more}, problem)


def forked(master: Process, count: int = 2) -> Service:
    forks = [(process(10 + place, *master.argv, ppid=10, comm="gunicorn"), WORKER) for place in range(1, count + 1)]
    return service_of("gunicorn", (master, MASTER), *forks)


def known_of(service: Service, environ: dict[str, str] | None, *files: SettingsFile) -> Facts:
    return {w.key: facts(w.process, environ=environ, files=files) for w in service.workers}


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (("a:b",), "gunicorn.conf.py"),
        (("-c", "/etc/shop/conf.py", "a:b"), "/etc/shop/conf.py"),
        (("--config=file:conf.py", "a:b"), "conf.py"),
        (("-c", "python:shop.conf", "a:b"), None),
        (("-c", "shop.conf", "a:b"), None),
    ],
)
def test_the_configuration_file_is_asked_for(arguments: tuple[str, ...], pattern: str | None) -> None:
    requests = Gunicorn().settings_requests(gunicorn(*arguments))
    assert [(request.name, request.pattern) for request in requests] == (
        [("gunicorn.conf.py", pattern)] if pattern else []
    )
    assert all({"workers", "threads", "worker_class", "bind", "preload_app"} <= set(r.keys) for r in requests)


@pytest.mark.parametrize(
    ("arguments", "environ", "file", "value", "origin"),
    [
        (("a:b",), {"WEB_CONCURRENCY": "5"}, config(workers=4), 4, "file gunicorn.conf.py"),
        (("-c", "conf.py", "a:b"), {}, config(workers=4), 4, "file gunicorn.conf.py"),
        (("-w", "3", "a:b"), {}, config(workers=4), 3, "argument --workers"),
        (("a:b",), {"GUNICORN_CMD_ARGS": "-w 6"}, config(workers=4), 6, "env GUNICORN_CMD_ARGS"),
        (("a:b",), {"WEB_CONCURRENCY": "2"}, config(), 2, "env WEB_CONCURRENCY"),
        (("a:b",), {"WEB_CONCURRENCY": "2"}, config(present=False), 2, "env WEB_CONCURRENCY"),
        (("a:b",), {}, config(present=False), 2, "counted; a signal may have changed it"),
        (("a:b",), {}, config(problem="workers is computed"), 2, "counted; gunicorn.conf.py: workers is computed"),
        (("a:b",), None, config(workers=4), 2, "counted; the environment is not readable"),
        (("--chdir", "/x", "a:b"), {}, config(present=False), 2,
         "counted; gunicorn.conf.py of the folder in which it was started may set it"),
        (("--chdir", "/x", "a:b"), {}, config(workers=4), 2,
         "counted; gunicorn.conf.py of the folder in which it was started may set it"),
        (("--chdir", "/x", "-c", "/etc/conf.py", "a:b"), {}, config(workers=4), 4, "file gunicorn.conf.py"),
        (("a:b",), {"GUNICORN_CMD_ARGS": "-c other.py"}, config(workers=4), 2,
         "counted; the configuration file other.py may set it and wins over the environment"),
    ],
)  # fmt: skip
def test_the_file_wins_over_the_environment_and_loses_to_options(
    arguments: tuple[str, ...], environ: dict[str, str] | None, file: SettingsFile, value: int, origin: str
) -> None:
    service = forked(gunicorn(*arguments))
    setting = Gunicorn().setting(Lever.WORKERS, service, known_of(service, environ, file))
    assert setting is not None
    assert (setting.value, setting.origin) == (value, origin)


@pytest.mark.parametrize(
    ("arguments", "file", "shown"),
    [
        (("a:b",), config(workers=2), [("file", True), ("argument", True), ("env", False)]),
        (("a:b",), config(), [("argument", True), ("file", True), ("env", None)]),
        (("-w", "2", "a:b"), config(workers=4), [("argument", True), ("file", False), ("env", False)]),
        (("a:b",), config(problem="computed"), [("argument", True), ("file", None), ("env", None)]),
        (("a:b",), config(present=False), [("argument", True), ("env", None)]),
    ],
)
def test_the_place_that_sets_the_workers_now_comes_first(
    arguments: tuple[str, ...], file: SettingsFile, shown: list[tuple[str, bool | None]]
) -> None:
    service = forked(gunicorn(*arguments))
    places = Gunicorn().places(Lever.WORKERS, 4, service, known_of(service, {}, file))
    assert [(place.kind, place.effective) for place in places] == shown
    in_file = [(place.target, place.key, place.value) for place in places if place.kind == "file"]
    assert in_file == ([("/srv/app/gunicorn.conf.py", "workers", 4)] if file.present else [])


def test_a_file_that_was_read_and_is_silent_makes_the_default_certain() -> None:
    service = forked(gunicorn("a:b"), count=1)
    known = known_of(service, {}, config(present=False))
    found = {lever: Gunicorn().setting(lever, service, known) for lever in Lever}
    assert {lever: (one.value, one.origin) for lever, one in found.items() if one is not None} == {
        Lever.WORKERS: (1, "default"),
        Lever.REQUEST_THREADS: (1, "default"),
        Lever.PRELOAD: (False, "default"),
        Lever.RECYCLE_AFTER: (0, "default"),
        Lever.COMPUTE_THREADS: ("unset", "default of openblas, libgomp: one thread per allowed CPU"),
        Lever.THREAD_BINDING: (False, "default"),
    }
    assert Gunicorn().places(Lever.WORKERS, 4, service, known)[-1].effective is True


@pytest.mark.parametrize(
    ("arguments", "file", "value", "origin"),
    [
        (("--preload", "a:b"), config(preload_app=False), True, "argument --preload"),
        (("a:b",), config(preload_app=True), True, "file gunicorn.conf.py"),
        (("a:b",), config(preload_app=False), False, "file gunicorn.conf.py"),
        (("a:b",), config(problem="computed"), None, "gunicorn.conf.py: computed"),
        (("a:b",), None, None, "gunicorn.conf.py may set it"),
    ],
)
def test_whether_the_application_is_loaded_before_the_fork(
    arguments: tuple[str, ...], file: SettingsFile | None, value: bool | None, origin: str
) -> None:
    service = forked(gunicorn(*arguments))
    known = known_of(service, {}, *([file] if file else []))
    setting = Gunicorn().setting(Lever.PRELOAD, service, known)
    assert setting is not None
    assert (setting.value, setting.origin) == (value, origin)
    option = next(p for p in Gunicorn().places(Lever.PRELOAD, True, service, known) if p.kind == "argument")
    assert (option.key, option.value, option.effective) == ("--preload", None, True)


def test_after_how_many_requests_a_worker_is_replaced_is_read_and_set() -> None:
    service = forked(gunicorn("--max-requests=500", "a:b"))
    known = known_of(service, {}, config(max_requests=9))
    setting = Gunicorn().setting(Lever.RECYCLE_AFTER, service, known)
    assert setting is not None
    assert (setting.value, setting.origin) == (500, "argument --max-requests")
    places = Gunicorn().places(Lever.RECYCLE_AFTER, 2000, service, known)
    assert [(p.kind, p.key, p.value, p.effective) for p in places] == [
        ("argument", "--max-requests", "2000", True),
        ("file", "max_requests", 2000, False),
    ]


@pytest.mark.parametrize(
    ("arguments", "file", "value"),
    [
        (("-k", "gevent", "--worker-connections", "50", "a:b"), config(), 50),
        (("-k", "gevent", "a:b"), config(worker_connections=70), 70),
        (("-k", "gthread", "a:b"), config(), 1000),
        (("--threads", "4", "a:b"), config(), 1000),
        (("-k", "gunicorn.workers.ggevent.GeventWorker", "a:b"), config(), 1000),
        (("a:b",), config(), None),
        (("-k", "uvicorn.workers.UvicornWorker", "--worker-connections", "50", "a:b"), config(), None),
    ],
)
def test_connections_of_a_worker_are_limited_only_by_classes_that_have_several(
    arguments: tuple[str, ...], file: SettingsFile, value: int | None
) -> None:
    service = forked(gunicorn(*arguments))
    known = known_of(service, {}, file)
    setting = Gunicorn().setting(Lever.MAX_REQUESTS_IN_FLIGHT, service, known)
    assert (setting.value if setting else None) == value
    assert bool(Gunicorn().places(Lever.MAX_REQUESTS_IN_FLIGHT, 10, service, known)) == (value is not None)


@pytest.mark.parametrize(
    ("arguments", "files", "calls", "threads"),
    [
        (("a:b",), (config(),), "synchronous", 1),
        (("a:b",), (), None, 1),
        (("-k", "sync", "a:b"), (), "synchronous", 1),
        (("-k", "gthread", "--threads", "4", "a:b"), (), "synchronous", 4),
        (("a:b",), (config(worker_class="gthread", threads=8),), "synchronous", 8),
        (("a:b",), (config(worker_class="uvicorn.workers.UvicornWorker"),), None, None),
        (("a:b",), (config(problem="worker_class is computed"),), None, None),
        (("-k", "asgi", "a:b"), (config(),), None, None),
        (("-k", "gevent", "a:b"), (config(),), None, None),
    ],
)
def test_how_the_application_is_called(
    arguments: tuple[str, ...], files: tuple[SettingsFile, ...], calls: str | None, threads: int | None
) -> None:
    one = gunicorn(*arguments)
    traits = Gunicorn().traits([(one, MASTER)], {one.key: facts(one, environ={}, files=files)})
    assert (traits.calls, traits.request_threads) == (calls, threads)


def test_a_real_configuration_is_read_without_being_run(tmp_path: Path) -> None:
    """What it computes leaves only that unknown; its secrets stay in it."""
    folder = make_process(tmp_path, cwd="/app", argv=("gunicorn", "shop:app"), comm="gunicorn")
    (folder / "root/app/gunicorn.conf.py").write_text(
        "import multiprocessing\nworkers = multiprocessing.cpu_count() * 2 + 1\nthreads = 4\n"
        "bind = ['0.0.0.0:9700', '[::]:9700']\nraw_env = ['OMP_NUM_THREADS=2', 'SECRET_KEY=hunter2']\n"
    )
    master = Process(key=key_of(), ppid=1, uid=0, comm="gunicorn", argv=("gunicorn", "shop:app"))
    known = {master.key: read_facts(host_of(tmp_path), master.key, tuple(Gunicorn().settings_requests(master)))}
    assert "hunter2" not in repr(known)
    traits = Gunicorn().traits([(master, MASTER)], known)
    assert (traits.port, traits.request_threads, traits.calls) == (9700, 4, "synchronous")
    assert traits.sets == (("OMP_NUM_THREADS", "2"),)
    service = service_of("gunicorn", (master, MASTER), (process(11, *master.argv, ppid=4242), WORKER))
    found = {lever: Gunicorn().setting(lever, service, known) for lever in (Lever.WORKERS, Lever.PRELOAD)}
    assert {lever: (one.value, one.origin) for lever, one in found.items() if one} == {
        Lever.WORKERS: (1, "counted; gunicorn.conf.py: computes workers; withholds raw_env.1"),
        Lever.PRELOAD: (False, "default"),
    }


def test_port_and_application_come_from_the_file_where_no_option_tells() -> None:
    one = gunicorn("-c", "conf.py")
    known = {one.key: facts(one, environ={}, files=(config(bind="0.0.0.0:9700,[::]:9700", wsgi_app="shop.wsgi:app"),))}
    traits = Gunicorn().traits([(one, MASTER)], known)
    assert (traits.application, traits.port) == ("shop.wsgi", 9700)
    several = {one.key: facts(one, environ={}, files=(config({"bind.0": "0.0.0.0:9702", "bind.1": "[::]:9702"}),))}
    assert Gunicorn().traits([(one, MASTER)], several).port == 9702
    silent = {one.key: facts(one, environ={"PORT": "9701"}, files=(config(),))}
    assert Gunicorn().traits([(one, MASTER)], silent).port == 9701
    chosen = gunicorn("-b", "127.0.0.1:0", "a:b")
    listening = {chosen.key: facts(chosen, environ={}, ports=(43210,))}
    assert Gunicorn().traits([(chosen, MASTER)], listening).port == 43210


@pytest.mark.parametrize(
    ("arguments", "environ", "value"),
    [
        (("-e", "OMP_NUM_THREADS=1", "a:b"), {}, 1),
        (("--env=OMP_NUM_THREADS=3", "a:b"), {"OMP_NUM_THREADS": "8"}, 3),
        (("a:b",), {"GUNICORN_CMD_ARGS": "--env OMP_NUM_THREADS=2"}, 2),
        (("a:b",), {"OMP_NUM_THREADS": "8"}, 8),
        (("-e", "OTHER=1", "a:b"), {}, "unset"),
    ],
)
def test_variables_of_its_env_option_count_for_the_threads_of_the_workers(
    arguments: tuple[str, ...], environ: dict[str, str], value: Value
) -> None:
    service = forked(gunicorn(*arguments))
    blas = (Library("openblas", "/x/libopenblas.so"),)
    known = {w.key: facts(w.process, environ=environ, libraries=blas) for w in service.workers}
    traits = Gunicorn().traits([(w.process, w.role) for w in service.workers], known)
    service = replace(service, sets=traits.sets)
    setting = Gunicorn().setting(Lever.COMPUTE_THREADS, service, as_seen(service, known))
    assert setting is not None
    assert setting.value == value


@pytest.mark.parametrize(
    ("arguments", "file", "sets"),
    [
        (("a:b",), config({"raw_env.0": "OMP_NUM_THREADS=2", "raw_env.1": "HOME=/x"}), (("OMP_NUM_THREADS", "2"),)),
        (("a:b",), config(raw_env="OMP_NUM_THREADS=3,MKL_NUM_THREADS=4"),
         (("OMP_NUM_THREADS", "3"), ("MKL_NUM_THREADS", "4"))),
        (("-e", "HOME=/x", "a:b"), config({"raw_env.0": "OMP_NUM_THREADS=2"}), ()),
        (("a:b",), config(problem="computes raw_env"), (("OMP_NUM_THREADS", None),)),
        (("a:b",), config(problem="computes workers"), ()),
        (("a:b",), config(problem="computes raw_env.1; withholds raw_env.0"), (("OMP_NUM_THREADS", None),)),
        (("a:b",), config({"raw_env.0": "OMP_NUM_THREADS=2"}, problem="withholds raw_env.1"), (("OMP_NUM_THREADS", "2"),)),
        (("a:b",), config(problem="uses exec, which may set anything"), (("OMP_NUM_THREADS", None),)),
        (("a:b",), config(present=False), ()),
    ],
)  # fmt: skip
def test_the_file_may_set_variables_for_the_workers(
    arguments: tuple[str, ...], file: SettingsFile, sets: tuple[tuple[str, str | None], ...]
) -> None:
    one = gunicorn(*arguments)
    traits = Gunicorn().traits([(one, MASTER)], {one.key: facts(one, environ={}, files=(file,))})
    assert traits.sets == sets


def test_of_its_env_option_only_what_may_be_known_is_kept() -> None:
    one = gunicorn("-e", "DATABASE_PASSWORD=hunter2", "-e", "OMP_NUM_THREADS=1", "-e", "HOME=/x", "a:b")
    traits = Gunicorn().traits([(one, MASTER)], {one.key: facts(one, environ={})})
    assert traits.sets == (("OMP_NUM_THREADS", "1"),)
