"""gunicorn, uvicorn and hypercorn, which publish no metrics: recognised, grouped, and what the kernel tells is right."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from collectors.entities import Role, Service
from collectors.levers import Lever
from collectors.places import settings_of
from collectors.sources.serving import ServingCollector
from tests.live.client import Request, closed_loop, get_json
from tests.live.environments import environment
from tests.live.recognised import Running, gunicorn, hypercorn, uvicorn
from tests.live.watch import Watch, roles, stop_holding

EXTRA = 7
"""Connections that come while every worker is busy."""
BURNS, CONNECTIONS = 120, 8
CPU_TOLERANCE = 0.10
UVICORN_WORKER = ("-k", "uvicorn_worker.UvicornWorker")
ONE_AT_A_TIME = ("--threads", "1", "--worker-connections", "1")

Start = Callable[[Path, Path], AbstractContextManager[Running]]

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.heavy]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How a server is started, and what is expected of it. `holds`: requests that make all its workers busy."""

    name: str
    environment: str
    start: Start
    framework: str
    application: str
    roles: dict[Role, int]
    holds: int


def _gunicorn(app: str, *arguments: str) -> Start:
    return lambda programs, folder: gunicorn(programs, folder, app, *arguments)


def _kinds() -> Iterator[Kind]:
    forked = {Role.FRONT_END: 1, Role.WORKER: 2}
    spawned = {**forked, Role.SUPPORT: 1}
    of_gunicorn = partial(Kind, framework="gunicorn", roles=forked, holds=2)
    for where in ("web", "titled"):
        yield of_gunicorn(
            name=f"gunicorn-sync-{where}", environment=where, application="wsgi_app",
            start=_gunicorn("wsgi_app:app", "-w", "2"),
        )  # fmt: skip
        yield of_gunicorn(
            name=f"gunicorn-gthread-{where}", environment=where, application="wsgi_app",
            start=_gunicorn("wsgi_app:app", "-w", "2", "-k", "gthread", *ONE_AT_A_TIME),
        )  # fmt: skip
        yield of_gunicorn(
            name=f"gunicorn-uvicorn-{where}", environment=where, application="asgi_app",
            start=_gunicorn("asgi_app:app", "-w", "2", *UVICORN_WORKER),
        )  # fmt: skip
    other = partial(Kind, environment="web", application="asgi_app")
    yield other(
        name="uvicorn-1", framework="uvicorn", roles={Role.FRONT_END: 1}, holds=1,
        start=lambda programs, folder: uvicorn(programs, folder),
    )  # fmt: skip
    yield other(
        name="uvicorn-2", framework="uvicorn", roles=spawned, holds=2,
        start=lambda programs, folder: uvicorn(programs, folder, "--workers", "2"),
    )  # fmt: skip
    yield other(
        name="hypercorn-2", framework="hypercorn", roles=spawned, holds=2,
        start=lambda programs, folder: hypercorn(programs, folder, "-w", "2"),
    )  # fmt: skip


@dataclass
class Seen:
    kind: Kind
    running: Running
    service: Service
    watch: Watch


@pytest.fixture(scope="module", params=_kinds(), ids=lambda kind: kind.name)
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    kind: Kind = request.param
    watch = Watch()
    with kind.start(environment(kind.environment), tmp_path_factory.mktemp("web")) as running:
        yield Seen(kind, running, watch.find(running.pid, lambda service: roles(service) == kind.roles), watch)
    watch.close()


def test_it_is_recognised_with_its_workers(seen: Seen) -> None:
    service, kind = seen.service, seen.kind
    assert service.name == f"{kind.framework}/{kind.application}:{seen.running.port}"
    assert (service.framework, service.application, service.port) == (
        kind.framework, kind.application, seen.running.port,
    )  # fmt: skip
    assert service.front_end is not None
    assert service.front_end.pid == seen.running.pid
    assert {worker.pid for worker in service.serving} == pids_that_answer(seen)
    held = {setting.lever: setting.value for setting in settings_of(service, seen.watch.discovery.facts)}
    assert held[Lever.WORKERS] == len(service.serving)
    assert service.front_end.process.argv[0].startswith("gunicorn: master") == (kind.environment == "titled")


def test_it_tells_no_requests(seen: Seen) -> None:
    assert list(ServingCollector().collect(seen.watch.host, [seen.service])) == []


def test_cpu_of_the_workers_is_what_they_count_themselves(seen: Seen) -> None:
    pids_that_answer(seen)  # so that the threads for requests are there
    own, ours = cpu_of_each(seen), seen.watch.cpu_seconds(seen.service)
    answers = closed_loop(seen.running.port, [Request(path="/burn")] * BURNS, CONNECTIONS)
    assert answers.codes == {"200": BURNS}
    own_after, ours_after = cpu_of_each(seen), seen.watch.cpu_seconds(seen.service)
    for pid in own:
        counted, read = own_after[pid] - own[pid], ours_after[pid] - ours[pid]
        print(f"{seen.kind.name:24} worker {pid}: {counted:6.2f} s counted itself, {read:6.2f} s read")
        assert read == pytest.approx(counted, rel=CPU_TOLERANCE, abs=0.05)
    assert sum(own_after.values()) - sum(own.values()) > BURNS * 0.04


def test_connections_that_wait_and_that_are_open(seen: Seen) -> None:
    with ExitStack() as stack:
        stack.callback(stop_holding, seen.running.folder)
        for number in range(seen.kind.holds):
            connect(stack, seen.running.port, "/hold")
            wait_for(lambda number=number: len(list(seen.running.folder.glob("held-*"))) == number + 1)
        for _ in range(EXTRA):
            connect(stack, seen.running.port, "/who")
        listening = seen.watch.listening(seen.service)
        print(f"{seen.kind.name:24} {EXTRA} wait: {listening.accept_queue} seen; {listening.established} established")
        assert abs(listening.accept_queue - EXTRA) <= 1
        assert listening.established == seen.kind.holds + EXTRA


def connect(stack: ExitStack, port: int, path: str) -> None:
    """Open a connection and send a request whose answer nobody reads."""
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())


def wait_for(good: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not good():
        assert time.monotonic() < end, "not every worker became busy"
        time.sleep(0.02)


def cpu_of_each(seen: Seen) -> dict[int, float]:
    """CPU time of each worker, as it tells itself."""
    found: dict[int, float] = {}
    end = time.monotonic() + 30
    while len(found) < len(seen.service.serving):
        told = get_json(seen.running.port, "/who")
        found[int(told["pid"])] = told["cpu_seconds"]
        assert time.monotonic() < end, "not every worker answers"
    return found


def pids_that_answer(seen: Seen) -> set[int]:
    return set(cpu_of_each(seen))
