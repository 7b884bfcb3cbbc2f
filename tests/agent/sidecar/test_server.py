"""The server answers allowed peers in order, survives every other one, and ends when told to."""

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import CliError
from agent.framing import FRAME_LIMIT_BYTES, receive
from agent.sidecar.endpoint import bind, inherited, passed_by_systemd
from agent.sidecar.protocol import (
    CostReply,
    CostRequest,
    Hello,
    HelloReply,
    Refusal,
    Reply,
    Request,
    to_frame,
    to_reply,
)
from agent.sidecar.server import CONNECTIONS_LIMIT, Server, peer_uid
from tests.agent.sidecar.serving import served

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def answer(request: Request) -> Reply:
    if isinstance(request, Hello):
        return HelloReply(version="1", capabilities=(), missing=())
    return CostReply(cpu_seconds=1.0, resident_bytes=2)


def connect(path: Path) -> socket.socket:
    stream = socket.socket(socket.AF_UNIX)
    stream.settimeout(10)
    stream.connect(str(path))
    return stream


def ask(stream: socket.socket, frame: bytes) -> Reply:
    stream.sendall(frame)
    body = receive(stream)
    assert body is not None
    return to_reply(body)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """The socket of a running server that allows our own user."""
    path = tmp_path / "run" / "sidecar.sock"
    with served(answer, frozenset({os.geteuid()}), bind(str(path), None)):
        yield path


def test_several_requests_are_answered_in_order_over_one_connection(path: Path) -> None:
    with connect(path) as stream:
        stream.sendall(to_frame(Hello()) + to_frame(CostRequest()) + to_frame(Hello())[:7])
        kinds = [type(to_reply(receive(stream) or b"")) for _ in range(2)]
        assert kinds == [HelloReply, CostReply]
        assert isinstance(ask(stream, to_frame(Hello())[7:]), HelloReply)


def test_an_oversize_frame_is_refused_and_its_connection_ended(path: Path) -> None:
    with connect(path) as stream:
        reply = ask(stream, (FRAME_LIMIT_BYTES + 1).to_bytes(4, "big"))
        assert isinstance(reply, Refusal)
        assert reply.key == "sidecar.bad-frame"
        assert stream.recv(1) == b""


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\4junk", b'\0\0\0\x10{"type":"shell"}'])
def test_garbage_ends_its_own_connection_and_no_other(path: Path, garbage: bytes) -> None:
    with connect(path) as good, connect(path) as bad:
        assert isinstance(ask(bad, garbage), Refusal)
        assert bad.recv(1) == b""
        assert isinstance(ask(good, to_frame(Hello())), HelloReply)


def test_a_peer_that_hangs_up_inside_a_frame_harms_nobody(path: Path) -> None:
    with connect(path) as stream:
        stream.sendall(b"\0\0\0")
    with connect(path) as stream:
        assert isinstance(ask(stream, to_frame(Hello())), HelloReply)


def test_more_connections_than_the_limit_are_told_so(path: Path) -> None:
    streams = [connect(path) for _ in range(CONNECTIONS_LIMIT)]
    for stream in streams:
        ask(stream, to_frame(Hello()))
    with connect(path) as one_more:
        reply = to_reply(receive(one_more) or b"")
        assert isinstance(reply, Refusal)
        assert reply.key == "sidecar.busy"
    for stream in streams:
        stream.close()


def test_a_reply_that_does_not_fit_into_a_frame_becomes_a_refusal(tmp_path: Path) -> None:
    def long(request: Request) -> Reply:
        return Refusal(key="k", message="x" * FRAME_LIMIT_BYTES, hint="")

    path = tmp_path / "s" / "x.sock"
    with served(long, frozenset({os.geteuid()}), bind(str(path), None)), connect(path) as stream:
        reply = ask(stream, to_frame(Hello()))
        assert isinstance(reply, Refusal)
        assert reply.key == "sidecar.too-long"


def test_a_question_that_cannot_be_answered_is_refused_and_the_next_one_answered(tmp_path: Path) -> None:
    def faulty(request: Request) -> Reply:
        if isinstance(request, Hello):
            raise RecursionError("a hostile file")
        return answer(request)

    path = tmp_path / "run" / "sidecar.sock"
    with served(faulty, frozenset({os.geteuid()}), bind(str(path), None)), connect(path) as stream:
        reply = ask(stream, to_frame(Hello()))
        assert isinstance(reply, Refusal)
        assert reply.key == "sidecar.fault"
        assert isinstance(ask(stream, to_frame(CostRequest())), CostReply)


def test_a_user_who_is_not_allowed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s" / "x.sock"
    with served(answer, frozenset({os.geteuid() + 1}), bind(str(path), None)), connect(path) as stream:
        reply = to_reply(receive(stream) or b"")
        assert isinstance(reply, Refusal)
        assert reply.key == "sidecar.peer-refused"
        assert stream.recv(1) == b""


@pytest.mark.root
@needs_root
@pytest.mark.parametrize(("allowed", "reply"), [(0, Refusal), (65534, HelloReply)])
def test_the_kernel_says_who_the_peer_is(tmp_path: Path, allowed: int, reply: type[Reply]) -> None:
    path = tmp_path / "s" / "x.sock"
    with served(answer, frozenset({allowed}), bind(str(path), None)):
        listing, told = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.chmod(path.parent, 0o711)
                os.chmod(path, 0o666)
                os.chdir(path.parent)  # the folders above are closed to others
                os.setresuid(65534, 65534, 65534)
            finally:
                _exit_with_reply(told)
        os.close(told)
        with os.fdopen(listing, "rb") as pipe:
            received = pipe.read()
        os.waitpid(child, 0)
    assert isinstance(to_reply(received), reply)


def _exit_with_reply(told: int) -> None:
    """In the child: ask, pass the reply's body on, end without the test's own clean-up."""
    try:
        stream = socket.socket(socket.AF_UNIX)
        stream.settimeout(10)
        stream.connect("x.sock")
        try:
            stream.sendall(to_frame(Hello()))
        except BrokenPipeError:
            pass
        os.write(told, receive(stream) or b"")
    finally:
        os._exit(0)


def test_the_servers_own_pair_ends_it_when_the_other_end_closes() -> None:
    ours, theirs = socket.socketpair()
    server = Server(answer, frozenset({os.geteuid()}))
    server.talk_on(theirs)
    ours.sendall(to_frame(Hello()))
    ours.shutdown(socket.SHUT_WR)
    server.run()
    server.close()
    assert isinstance(to_reply(receive(ours) or b""), HelloReply)
    ours.close()


def test_a_stopped_server_ends_with_open_connections(path: Path) -> None:
    with connect(path) as stream:
        assert isinstance(ask(stream, to_frame(Hello())), HelloReply)
        assert peer_uid(stream) == os.geteuid()


def test_the_socket_and_its_folder_are_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "run" / "sidecar.sock"
    with bind(str(path), None):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.root
@needs_root
def test_an_allowed_user_gets_in_through_its_group(tmp_path: Path) -> None:
    path = tmp_path / "run" / "sidecar.sock"
    with bind(str(path), 65534):
        assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_gid) == (0o660, 65534)
        assert (stat.S_IMODE(path.parent.stat().st_mode), path.parent.stat().st_gid) == (0o750, 65534)


def test_a_socket_left_by_a_dead_sidecar_is_replaced_and_a_living_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "run" / "sidecar.sock"
    bind(str(path), None).close()
    with bind(str(path), None), pytest.raises(CliError) as raised:
        bind(str(path), None)
    assert (raised.value.key, raised.value.exit_status) == ("sidecar.already-running", 5)


def test_a_path_that_is_no_socket_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "precious"
    file.write_text("data")
    with pytest.raises(CliError, match="no socket"):
        bind(str(file), None)
    assert file.read_text() == "data"


def test_a_folder_into_which_everybody_writes_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    os.chmod(tmp_path / "open", 0o777)
    with pytest.raises(CliError, match="every user may write"):
        bind(str(tmp_path / "open" / "x.sock"), None)


def test_a_path_that_is_too_long_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(CliError) as raised:
        bind(str(tmp_path / ("x" * 120)), None)
    assert str(raised.value).startswith("nodewright: sidecar.socket-unusable: cannot bind")
    assert "\n" not in str(raised.value)


def test_a_descriptor_that_is_no_socket_is_one_clear_line(tmp_path: Path) -> None:
    with open(tmp_path / "f", "w") as file, pytest.raises(CliError, match="is no socket"):
        inherited(file.fileno())


def test_sockets_that_systemd_passed_to_another_process_are_not_taken() -> None:
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "x", "OTHER": "y"}
    assert passed_by_systemd(environ) is None
    assert environ == {"OTHER": "y"}
