"""Real servers whose front-end is killed: their workers are found, named and counted, and forgotten once they have left."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.agent.running import ROOT, Agent, agent, free_port
from tests.live.servers import ONE_THREAD, gunicorn, program

SERVER = ROOT / "tests" / "programs" / "spawn_server.py"
RULE = "orphaned-workers"
pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.heavy]


class Server:
    """A running spawn_server."""

    def __init__(self, front_end: "subprocess.Popen[bytes]", port: int, workers: Sequence[int]) -> None:
        self.front_end, self.port, self.workers = front_end, port, list(workers)

    def lose_front_end(self) -> None:
        self.front_end.kill()
        self.front_end.wait(10)
        assert all(map(runs, self.workers))

    @property
    def name(self) -> str:
        return f"generic/spawn_server:{self.port}"


@contextmanager
def spawn_server() -> Iterator[Server]:
    """Two workers with numpy mapped; whatever is left of it is ended by pid."""
    port = free_port()
    argv = [sys.executable, str(SERVER), str(port), "2"]
    front_end = subprocess.Popen(argv, env={**os.environ, **ONE_THREAD}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert front_end.stdout is not None
    assert front_end.stdin is not None
    server = Server(front_end, port, [int(word) for word in front_end.stdout.readline().split()])
    try:
        wait_until(lambda: all(resident_bytes(pid) > 30e6 for pid in server.workers))
        yield server
    finally:
        front_end.stdin.close()
        front_end.stdout.close()
        end(*server.workers)
        front_end.wait(10)


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] not in b"ZX"
    except OSError:
        return False


def resident_bytes(pid: int) -> int:
    found = re.search(r"^VmRSS:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def end(*pids: int) -> None:
    for pid in filter(runs, pids):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(runs, pids)))


def wait_until(good: Any, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not good():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def findings(document: Any) -> list[Any]:
    return [found for found in document["findings"] if found["rule"] == RULE]


def finding(running: Agent, seconds: float = 30) -> Any:
    """The one finding on orphans, awaited."""
    (found,) = findings(running.wait_for("/v1/advice", findings, seconds))
    return found


def seen(running: Agent, name: str, seconds: float = 40) -> Any:
    services = running.wait_for("/v1/services", lambda all_: any(s["name"] == name for s in all_), seconds)
    return next(service for service in services if service["name"] == name)


def numbers(found: Any) -> dict[str, float]:
    return {each["metric"]: each["observed"] for each in found["evidence"]}


def check(found: Any, workers: Sequence[int], port: int) -> None:
    """Pids, bytes and port of a finding on living workers."""
    assert sorted(found["subject"]["pids"]) == sorted(workers)
    assert f"kill {' '.join(map(str, sorted(workers)))} " in found["summary"]
    counted = numbers(found)
    assert counted["orphaned_workers"] == counted["orphans_listening"] == len(workers)
    assert counted["orphans_resident_bytes"] == pytest.approx(sum(map(resident_bytes, workers)), rel=0.2)
    assert f"port {port}" in found["title"]
    assert found["severity"] == "medium"
    assert found["changes"] == []


def forgotten(running: Agent, name: str) -> None:
    """Neither a finding on orphans nor the service is there any more."""
    running.wait_for("/v1/services", lambda services: all(s["name"] != name for s in services), 15)
    running.wait_for("/v1/advice", lambda document: not findings(document), 15)


def test_workers_of_a_killed_front_end_are_found_and_forgotten_once_ended(tmp_path):
    with agent(tmp_path / "agent") as running, spawn_server() as server:
        before = seen(running, server.name)
        server.lose_front_end()
        found = finding(running)
        check(found, server.workers, server.port)
        assert found["subject"]["name"] == server.name
        assert seen(running, server.name)["id"] == before["id"]
        end(*server.workers)
        forgotten(running, server.name)


@pytest.mark.heavy  # its parts are tested on made hosts
def test_an_agent_that_is_started_afterwards_finds_them_by_what_they_have_mapped(tmp_path):
    with spawn_server() as server:
        server.lose_front_end()
        with agent(tmp_path / "agent") as running:
            check(finding(running, 35), server.workers, server.port)
            end(*server.workers)
            running.wait_for("/v1/advice", lambda document: not findings(document), 15)


@pytest.mark.heavy  # who was whose is kept and read in tests/agent/test_known_processes.py
def test_an_agent_that_did_not_run_when_the_front_end_was_killed_knows_whose_they_were(tmp_path):
    with spawn_server() as server:
        with agent(tmp_path / "agent") as running:
            before = seen(running, server.name)
        server.lose_front_end()
        with agent(tmp_path / "agent") as running:
            found = finding(running, 35)
            check(found, server.workers, server.port)
            assert found["subject"]["name"] == server.name
            assert seen(running, server.name)["id"] == before["id"]


def workers_of(running: Agent, name: str) -> dict[str, list[int]]:
    """Pids of a service's processes by role."""
    roles: dict[str, list[int]] = {}
    for worker in running.get("/v1/workers"):
        if worker["service"] == name:
            roles.setdefault(worker["role"], []).append(worker["pid"])
    return roles


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param((), id="sync", marks=pytest.mark.heavy),
        pytest.param(("-k", "gthread", "--threads", "2"), id="gthread"),
    ],
)
def test_gunicorns_workers_that_leave_by_themselves_are_never_reported(tmp_path, arguments):
    with agent(tmp_path / "agent") as running, gunicorn(tmp_path, workers=2, arguments=arguments) as port:
        name = f"gunicorn/mlp:{port}"
        seen(running, name)
        roles = workers_of(running, name)
        os.kill(roles["front-end"][0], signal.SIGKILL)
        try:
            reported = []
            deadline = time.monotonic() + 40
            while any(map(runs, roles["worker"])) and time.monotonic() < deadline:
                reported += findings(running.get("/v1/advice"))
                time.sleep(0.5)
            assert not any(map(runs, roles["worker"]))
            forgotten(running, name)
            assert reported == []
        finally:
            end(*roles["worker"])


def test_gunicorns_workers_that_stay_are_reported_and_a_new_server_cannot_start(tmp_path):
    arguments = ("--timeout", "600")
    with agent(tmp_path / "agent") as running, gunicorn(tmp_path, workers=2, arguments=arguments) as port:
        name = f"gunicorn/mlp:{port}"
        seen(running, name)
        roles = workers_of(running, name)
        os.kill(roles["front-end"][0], signal.SIGKILL)
        try:
            check(finding(running), roles["worker"], port)
            bound = [sys.executable, str(SERVER), str(port), "1"]
            with program(bound) as refused:
                assert refused.wait(20) != 0  # what the finding says of a server that is started there
            end(*roles["worker"])
            forgotten(running, name)
        finally:
            end(*roles["worker"])
