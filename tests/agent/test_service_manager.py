"""What the service manager is told, by our end alone and by an agent and a sidecar that run."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.service_manager import ServiceManager
from tests.agent.running import agent, command
from tests.live.servers import program

WATCHDOG = {"WATCHDOG_USEC": "1500000"}


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """Where a service manager listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stream:
        stream.bind(str(tmp_path / "notify"))
        stream.settimeout(30)
        yield stream


def heard(manager: socket.socket, wanted: str) -> dict[str, str]:
    """The first message with `wanted` in it."""
    while True:
        lines = manager.recv(4096).decode().splitlines()
        if wanted in lines:
            return dict(line.split("=", 1) for line in lines)


def reload(running, manager: socket.socket) -> str:
    """Ask for it; what is logged by the time it is done."""
    running.process.send_signal(signal.SIGHUP)
    before = time.monotonic_ns() // 1000
    assert abs(int(heard(manager, "RELOADING=1")["MONOTONIC_USEC"]) - before) < 30e6
    heard(manager, "READY=1")
    return running.errors().splitlines()[-1]


def test_without_a_manager_nothing_is_sent_and_nothing_fails() -> None:
    for name in ({}, {"NOTIFY_SOCKET": "vsock:2:9"}, {"NOTIFY_SOCKET": "/nonexistent/socket"}):
        told = ServiceManager({**name})
        told.ready("x")
        told.alive()
        assert told.beat_seconds is None


def test_its_variables_are_taken_away_so_that_no_child_speaks_for_us(manager: socket.socket) -> None:
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_PID": str(os.getpid()), **WATCHDOG, "HOME": "/"}
    told = ServiceManager(environ)
    assert environ == {"HOME": "/"}
    assert told.beat_seconds == pytest.approx(0.5)
    told.ready("listening\non two lines")
    assert manager.recv(4096) == b"READY=1\nSTATUS=listening on two lines"


def test_a_watchdog_of_another_process_is_none_of_ours(manager: socket.socket) -> None:
    told = ServiceManager({"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_PID": "1", **WATCHDOG})
    assert told.beat_seconds is None


def test_an_abstract_address_is_one() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stream:
        stream.bind(f"\0nodewright-test-{os.getpid()}")
        stream.settimeout(10)
        ServiceManager({"NOTIFY_SOCKET": f"@nodewright-test-{os.getpid()}"}).stopping()
        assert stream.recv(99) == b"STOPPING=1"


def test_the_agent_is_ready_alive_rereads_its_settings_and_keeps_them_where_new_ones_are_bad(tmp_path, manager) -> None:
    file = tmp_path / "own.toml"
    file.write_text("")
    environ = {"NOTIFY_SOCKET": manager.getsockname(), **WATCHDOG}
    with agent(tmp_path / "a", "--no-sidecar", "--config", str(file), environ=environ, wait=False) as running:
        assert heard(manager, "READY=1")["STATUS"].startswith("listening on http://127.0.0.1:")
        for _ in range(3):
            heard(manager, "WATCHDOG=1")
        file.write_text(
            '[service."a"]\nslo_p99 = "9ms"\nmetrics_url = "http://127.0.0.1:1"\n[store]\nsize_cap = "1GiB"'
        )
        line = reload(running, manager)
        assert "service.a.slo_p99 changed; after a restart: service.a.metrics_url, store.size_cap" in line
        file.write_text('[prices]\nhourly = 1.5\ncurrency = "EUR"')
        assert "prices.currency, prices.hourly" in reload(running, manager)
        node = running.wait_for("/v1/node", lambda node: node["price"] is not None)
        assert (node["price"]["hourly"], node["price"]["currency"]) == (1.5, "EUR")
        file.write_text("[store]\nsize_cpa = 1")
        line = reload(running, manager)
        assert f"{file}: unknown key store.size_cpa" in line
        assert "the configuration stays as it was" in line
        assert "Traceback" not in running.errors()
        running.process.send_signal(signal.SIGTERM)
        heard(manager, "STOPPING=1")
        assert running.process.wait(10) == 0


def test_a_sidecar_is_ready_and_alive_while_nobody_asks(tmp_path, manager) -> None:
    environ = {"NOTIFY_SOCKET": manager.getsockname(), **WATCHDOG}
    with program(command("sidecar", "--socket", str(tmp_path / "run" / "sidecar.sock")), env=environ):
        heard(manager, "READY=1")
        for _ in range(3):
            heard(manager, "WATCHDOG=1")
