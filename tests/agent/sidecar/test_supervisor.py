"""The sidecar is a child or found at its socket, is started again when it dies, and never outlives the agent."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.sidecar.endpoint import bind
from agent.sidecar.protocol import CostReply, HelloReply
from agent.sidecar.supervisor import SidecarProcess
from collectors.facts import Environ
from collectors.reading import Unsupported
from tests.agent.sidecar.serving import served
from tests.agent.sidecar.targets_of_tests import PROGRAM, is_gone, key_of, python_server, until
from tests.agent.sidecar.test_client import FACTS, KEY, answer


@pytest.fixture
def sidecar() -> Iterator[SidecarProcess]:
    """A started sidecar child."""
    sidecar = SidecarProcess(PROGRAM, None)
    sidecar.start()
    until(lambda: isinstance(sidecar.client.hello(), HelloReply))
    yield sidecar
    sidecar.stop(5)


def test_a_child_answers_and_ends_without_a_zombie(sidecar: SidecarProcess) -> None:
    pid = sidecar.pid
    assert pid is not None
    assert sidecar.state == "running"
    cost = sidecar.client.cost()
    assert isinstance(cost, CostReply)
    assert cost.cpu_seconds > 0
    assert cost.resident_bytes is not None
    assert cost.resident_bytes <= 25e6
    sidecar.stop(5)
    assert sidecar.state == "off"
    assert is_gone(pid)


def test_a_killed_child_is_started_again_and_the_client_recovers(sidecar: SidecarProcess, tmp_path: Path) -> None:
    with python_server(tmp_path) as (key, _):
        assert isinstance(sidecar.client.facts(key).environ, Environ)
        first = sidecar.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        until(lambda: sidecar.state == "restarting")
        assert isinstance(sidecar.client.facts(key).environ, Unsupported)
        until(lambda: isinstance(sidecar.client.facts(key).environ, Environ))
        assert sidecar.pid != first
        assert is_gone(first)


def test_a_child_that_hangs_is_given_up_and_replaced(sidecar: SidecarProcess) -> None:
    hung = sidecar.pid
    assert hung is not None
    sidecar.client._deadline_seconds = (
        1.0  # less than usual, but a new child that starts on a busy machine answers in it
    )
    os.kill(hung, signal.SIGSTOP)
    until(lambda: isinstance(sidecar.client.hello(), HelloReply))
    assert sidecar.pid != hung
    assert is_gone(hung)


def test_a_child_that_ignores_sigterm_is_killed_at_the_deadline() -> None:
    stubborn = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    sidecar = SidecarProcess([sys.executable, "-c", stubborn], None)
    sidecar.start()
    pid = sidecar.pid
    assert pid is not None
    until(lambda: _ignores_term(pid))
    sidecar.stop(0.1)
    assert is_gone(pid)


def _ignores_term(pid: int) -> bool:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigIgn:"):
            return bool(int(line.split()[1], 16) & 1 << signal.SIGTERM - 1)
    return False


def test_a_child_ends_when_its_agent_is_killed(tmp_path: Path) -> None:
    agent = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from agent.sidecar.supervisor import SidecarProcess\n"
        "from agent.sidecar.protocol import HelloReply\n"
        "s = SidecarProcess(sys.argv[2:], None); s.start()\n"
        "while not isinstance(s.client.hello(), HelloReply): pass\n"
        "print(s.pid, flush=True); sys.stdin.read()\n"
    )
    root = str(Path(__file__).resolve().parents[3])
    with subprocess.Popen(
        [sys.executable, "-c", agent, root, *PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        child = key_of(int(process.stdout.readline()))
        process.kill()
        process.wait()
        until(lambda: is_gone(child.pid) or _is_zombie(child.pid))


def _is_zombie(pid: int) -> bool:
    try:
        return b") Z " in Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return True


def test_a_command_that_cannot_be_started_is_missing_and_stop_does_not_wait() -> None:
    sidecar = SidecarProcess(["/nonexistent/nodewright", "sidecar"], None)
    sidecar.start()
    assert sidecar.state == "missing"
    assert isinstance(sidecar.client.facts(KEY).cwd, Unsupported)
    sidecar.stop(5)
    assert sidecar.state == "off"


def test_without_command_and_socket_it_is_off() -> None:
    sidecar = SidecarProcess(None, None)
    sidecar.start()
    assert sidecar.state == "off"
    assert isinstance(sidecar.client.facts(KEY).cwd, Unsupported)
    sidecar.stop(1)


def test_a_sidecar_at_its_socket_is_used_and_left_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "s" / "x.sock")
    with served(answer, frozenset({os.geteuid()}), bind(path, None)):
        sidecar = SidecarProcess(["/nonexistent"], path)
        sidecar.start()
        assert sidecar.client.facts(KEY) == FACTS
        assert (sidecar.state, sidecar.pid) == ("running", None)
        sidecar.stop(1)
        with socket.socket(socket.AF_UNIX) as still_there:
            still_there.connect(path)


def test_a_socket_that_comes_later_is_found(tmp_path: Path) -> None:
    path = str(tmp_path / "s" / "x.sock")
    sidecar = SidecarProcess(None, path)
    sidecar.start()
    assert sidecar.state == "missing"
    with served(answer, frozenset({os.geteuid()}), bind(path, None)):
        assert sidecar.client.facts(KEY) == FACTS
        assert sidecar.state == "running"
    os.unlink(path)
    assert sidecar.state == "missing"
    sidecar.stop(1)
