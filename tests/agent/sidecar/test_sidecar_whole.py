"""The sidecar as a program: what it sees with which rights, that nothing secret leaves it, and how it ends."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.framing import receive
from agent.sidecar.client import SidecarClient
from agent.sidecar.protocol import FactsRequest, Hello, HelloReply, to_frame
from collectors.facts import Environ, ProcessFacts
from collectors.framework import SettingsRequest
from collectors.inside.memory import ProcessMemory
from collectors.reading import Unsupported
from tests.agent.running import agent
from tests.agent.sidecar.targets_of_tests import PROGRAM, key_of, python_server

REQUEST = SettingsRequest(name="settings", pattern="settings.json", keys=("parallel_workers", "db_password"))
NOBODY = 65534
needs_other_users = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root can become another user, with setpriv"
)


@contextmanager
def running(prefix: Sequence[str] = ()) -> Iterator[socket.socket]:
    """A sidecar started as the agent does, behind `prefix`; our end of the pair."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            descriptor = theirs.fileno()
            process = subprocess.Popen([*prefix, *PROGRAM, "--fd", str(descriptor)], pass_fds=(descriptor,))
        ours.settimeout(30)
        yield ours
        ours.shutdown(socket.SHUT_WR)
        assert process.wait() == 0


def test_no_secret_leaves_the_sidecar(tmp_path: Path) -> None:
    with python_server(tmp_path) as (key, port), running() as stream:
        stream.sendall(to_frame(FactsRequest(key, (REQUEST,))))
        reply = receive(stream) or b""
    assert b"planted" not in reply
    assert f'"port":{port}'.encode() in reply
    assert b'"values":{"parallel_workers":2}' in reply
    assert b'"OMP_NUM_THREADS":"2"' in reply


def test_a_process_that_is_no_server_is_refused(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "600"]) as process, running() as stream:
        facts = SidecarClient(lambda: stream).facts(key_of(process.pid))
        process.kill()
    assert isinstance(facts.environ, Unsupported)
    assert "is not known as a model server" in facts.environ.reason


def as_nobody(*capabilities: str) -> list[str]:
    """A prefix that drops to another user and keeps only `capabilities`."""
    kept = ",".join(["-all", *(f"+{name}" for name in capabilities)])
    ids = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    return ["setpriv", *ids, f"--inh-caps={kept}", f"--ambient-caps={kept}", f"--bounding-set={kept}"]


def seen_by(prefix: Sequence[str], folder: Path, *arguments: str) -> tuple[HelloReply, ProcessFacts]:
    with python_server(folder, *arguments) as (key, _), running(prefix) as stream:
        client = SidecarClient(lambda: stream, deadline_seconds=30)
        hello, facts = client.hello(), client.facts(key, [REQUEST])
    assert isinstance(hello, HelloReply)
    return hello, facts


@pytest.mark.root
@needs_other_users
def test_two_capabilities_are_enough_for_another_users_process(tmp_path: Path) -> None:
    hello, facts = seen_by(as_nobody("sys_ptrace", "dac_read_search"), tmp_path)
    assert hello.missing == ()
    assert facts.environ == Environ({"OMP_NUM_THREADS": "2"})
    assert facts.cwd == str(tmp_path)
    assert isinstance(facts.exe, str)
    parts = (facts.libraries, facts.model_files, facts.listening, facts.limits)
    assert [part for part in parts if isinstance(part, Unsupported)] == []
    assert [file.values for file in facts.settings_files] == [{"parallel_workers": 2}]


@pytest.mark.root
@needs_other_users
def test_without_ptrace_rights_each_part_says_what_to_grant(tmp_path: Path) -> None:
    hello, facts = seen_by(as_nobody("dac_read_search"), tmp_path, "mlserver", "start", ".")
    assert hello.missing == ("CAP_SYS_PTRACE",)
    hint = "run the sidecar with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, or as uid 0"
    for part in (facts.environ, facts.libraries, facts.cwd, facts.exe, facts.limits):
        assert isinstance(part, Unsupported)
        assert "Permission denied" in part.reason
        assert part.hint == hint
    assert facts.settings_files == ()


def memory_by(prefix: Sequence[str], folder: Path) -> ProcessMemory | Unsupported:
    with python_server(folder, "mlserver", "start", ".") as (key, _), running(prefix) as stream:
        return SidecarClient(lambda: stream, deadline_seconds=30).memory(key)


@pytest.mark.root
@needs_other_users
def test_another_users_memory_is_counted_with_the_capabilities_alone(tmp_path: Path) -> None:
    found = memory_by(as_nobody("sys_ptrace", "dac_read_search"), tmp_path)
    assert isinstance(found, ProcessMemory)
    assert found.private_dirty_bytes is not None
    assert 1 << 20 < found.private_dirty_bytes < (found.resident_bytes or 0)
    refused = memory_by(as_nobody("dac_read_search"), tmp_path)
    assert refused == Unsupported(
        "smaps_rollup: Permission denied", "run the sidecar with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, or as uid 0"
    )


def test_the_memory_of_a_process_that_is_no_server_is_refused() -> None:
    with subprocess.Popen(["sleep", "600"]) as process, running() as stream:
        found = SidecarClient(lambda: stream).memory(key_of(process.pid))
        process.kill()
    assert isinstance(found, Unsupported)
    assert "is not known as a model server" in found.reason


@pytest.mark.root
@needs_other_users
def test_a_process_that_could_be_a_server_is_not_called_none_for_want_of_rights(tmp_path: Path) -> None:
    _, facts = seen_by(as_nobody("dac_read_search"), tmp_path)
    assert isinstance(facts.environ, Unsupported)
    assert "cannot be told whether it is a server" in facts.environ.reason
    assert facts.environ.hint == "run the sidecar with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, or as uid 0"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_status_0_and_its_socket_is_taken_away(tmp_path: Path, number: int) -> None:
    path = tmp_path / "run" / "sidecar.sock"
    with subprocess.Popen([*PROGRAM, "--socket", str(path)], stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert str(path).encode() in process.stderr.readline()
        with socket.socket(socket.AF_UNIX) as stream:
            stream.connect(str(path))
            stream.sendall(to_frame(Hello()))
            assert receive(stream)
            process.send_signal(number)
            assert process.wait() == 0
    assert not path.exists()


def test_a_socket_that_cannot_be_bound_is_one_line_and_status_5(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    command = [*PROGRAM, "--socket", str(tmp_path / "file" / "x.sock")]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 5
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("nodewright: sidecar.socket-unusable: ")


def test_a_wrong_descriptor_is_one_line_and_status_5() -> None:
    ended = subprocess.run([*PROGRAM, "--fd", "77"], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr.count("\n")) == (5, 1)


def test_an_agent_that_starts_before_the_sidecar_of_its_pod_finds_it_once_it_listens(tmp_path: Path) -> None:
    path = tmp_path / "private" / "sidecar.sock"
    with agent(tmp_path / "a", environ={"NODEWRIGHT_AGENT_SIDECAR_SOCKET": str(path)}) as running_agent:
        running_agent.wait_for("/v1/self", lambda self: self["sidecar"] == "missing")
        children = Path(f"/proc/{running_agent.process.pid}/task/{running_agent.process.pid}/children").read_text()
        assert children == "", "none of its own was started, which would lack the rights"
        with python_server(tmp_path), subprocess.Popen([*PROGRAM, "--socket", str(path)]) as process:
            running_agent.wait_for("/v1/self", lambda self: self["sidecar"] == "running")
            process.terminate()
            assert process.wait(10) == 0
