"""The client turns every state of the sidecar into an answer with a reason."""

import errno
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.framing import receive
from agent.sidecar.client import Deadline, SidecarClient
from agent.sidecar.endpoint import bind
from agent.sidecar.protocol import (
    CostReply,
    FactsReply,
    FactsRequest,
    Hello,
    HelloReply,
    MemoryReply,
    MemoryRequest,
    Refusal,
    Reply,
    Request,
    to_frame,
    to_request,
)
from collectors.entities import WorkerKey
from collectors.facts import ProcessFacts, unreadable_facts
from collectors.inside.memory import ProcessMemory
from collectors.reading import Unsupported
from tests.agent.sidecar.serving import served

KEY = WorkerKey(10, 20)
FACTS = unreadable_facts(KEY, "from the sidecar", "hint")
MEMORY = ProcessMemory(resident_bytes=5, proportional_bytes=4, private_bytes=3, private_dirty_bytes=2, swapped_bytes=0)


def reason(facts: ProcessFacts) -> str:
    assert isinstance(facts.environ, Unsupported)
    return facts.environ.reason


def answer(request: Request) -> Reply:
    match request:
        case Hello():
            return HelloReply(version="1", capabilities=("facts", "memory"), missing=())
        case FactsRequest(key=key) if key == KEY:
            return FactsReply(FACTS)
        case MemoryRequest(key=key):
            return MemoryReply(KEY, MEMORY)
        case FactsRequest():
            return Refusal(key="sidecar.not-a-target", message="not a model server", hint="no")
        case _:
            return CostReply(cpu_seconds=0.5, resident_bytes=1000)


def peer(script: Callable[[socket.socket], None]) -> Callable[[], socket.socket]:
    """Each connection's other end is handed to `script` in a thread of its own."""

    def connect() -> socket.socket:
        ours, theirs = socket.socketpair()

        def run() -> None:
            with theirs:
                script(theirs)

        threading.Thread(target=run, daemon=True).start()
        return ours

    return connect


def good(stream: socket.socket) -> None:
    while (body := receive(stream)) is not None:
        stream.sendall(to_frame(answer(to_request(body))))


def test_every_verb_is_answered() -> None:
    client = SidecarClient(peer(good))
    assert client.facts(KEY) == FACTS
    assert client.hello() == HelloReply(version="1", capabilities=("facts", "memory"), missing=())
    assert client.memory(KEY) == MEMORY
    assert client.cost() == CostReply(cpu_seconds=0.5, resident_bytes=1000)
    client.close()


def test_a_refusal_becomes_facts_with_its_reason_and_hint() -> None:
    client = SidecarClient(peer(good))
    facts = client.facts(WorkerKey(11, 1))
    assert facts.key == WorkerKey(11, 1)
    assert facts.limits == Unsupported("not a model server", "no")
    client.close()


def test_the_memory_of_another_process_is_not_taken_for_the_one_asked_about() -> None:
    client = SidecarClient(peer(good))
    found = client.memory(WorkerKey(11, 1))
    assert isinstance(found, Unsupported)
    assert found.reason == "the sidecar answered another question"
    client.close()


def test_an_older_sidecar_is_not_asked_what_it_does_not_know() -> None:
    asked: list[Request] = []

    def older(stream: socket.socket) -> None:
        while (body := receive(stream)) is not None:
            asked.append(to_request(body))
            stream.sendall(to_frame(HelloReply(version="0.9", capabilities=("facts", "cost"), missing=())))

    client = SidecarClient(peer(older))
    found = client.memory(KEY)
    assert found == Unsupported("the sidecar (0.9) does not count memory", "use the same version of both")
    assert asked == [Hello()]
    client.close()


def test_no_sidecar_is_a_reason_and_no_exception() -> None:
    def connect() -> socket.socket:
        raise ConnectionRefusedError(errno.ECONNREFUSED, "it is being restarted")

    client = SidecarClient(connect)
    assert reason(client.facts(KEY)) == "the sidecar cannot be reached: it is being restarted"
    assert isinstance(client.hello(), Refusal)
    assert isinstance(client.cost(), Refusal)
    memory = client.memory(KEY)
    assert isinstance(memory, Unsupported)
    assert memory.reason == "the sidecar cannot be reached: it is being restarted"


def test_a_silent_sidecar_is_given_up_at_the_deadline_and_its_connection_with_it() -> None:
    ended = threading.Event()

    def silent(stream: socket.socket) -> None:
        receive(stream)
        assert stream.recv(1) == b""
        ended.set()

    client = SidecarClient(peer(silent), deadline_seconds=0.05)
    assert reason(client.facts(KEY)) == "the sidecar did not answer within 0.05 s"
    assert ended.wait(30)


def test_a_sidecar_that_dribbles_does_not_hold_the_client_past_the_deadline() -> None:
    def dribble(stream: socket.socket) -> None:
        receive(stream)
        stop = threading.Event()
        stream.sendall(b"\0\0\1\0")
        while not stop.wait(0.01):
            try:
                stream.sendall(b"x")
            except OSError:
                return

    client = SidecarClient(peer(dribble), deadline_seconds=0.1)
    assert "did not answer" in reason(client.facts(KEY))


@pytest.mark.parametrize("frame", [b"\0\0\0\4junk", b"\xff\xff\xff\xff", b"\0\0\0\5{", b'\0\0\0\x0f{"type":"hello"}'])
def test_a_sidecar_that_breaks_the_protocol_is_told_of(frame: bytes) -> None:
    def broken(stream: socket.socket) -> None:
        receive(stream)
        stream.sendall(frame)

    client = SidecarClient(peer(broken))
    assert "broke the protocol" in reason(client.facts(KEY))


def test_an_answer_to_another_question_is_not_taken() -> None:
    def confused(stream: socket.socket) -> None:
        while receive(stream) is not None:
            stream.sendall(to_frame(CostReply(cpu_seconds=0, resident_bytes=None)))

    client = SidecarClient(peer(confused))
    assert reason(client.facts(KEY)) == "the sidecar answered another question"
    assert isinstance(client.hello(), Refusal)
    client.close()


def test_a_connection_that_broke_between_two_questions_is_made_anew() -> None:
    def once(stream: socket.socket) -> None:
        body = receive(stream)
        if body is not None:
            stream.sendall(to_frame(answer(to_request(body))))

    client = SidecarClient(peer(once))
    assert [client.facts(KEY) for _ in range(3)] == [FACTS] * 3
    client.close()


def test_a_user_who_is_not_allowed_learns_why(tmp_path: Path) -> None:
    path = str(tmp_path / "s" / "x.sock")

    def connect() -> socket.socket:
        stream = socket.socket(socket.AF_UNIX)
        stream.connect(path)
        return stream

    with served(answer, frozenset(), bind(path, None)):
        client = SidecarClient(connect)
        assert reason(client.facts(KEY)) == "this user may not ask"
        client.close()


def test_threads_take_turns() -> None:
    client = SidecarClient(peer(good), deadline_seconds=30)
    results: list[ProcessFacts] = []
    threads = [threading.Thread(target=lambda: results.append(client.facts(KEY))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [FACTS] * 8
    client.close()


def test_who_was_suspended_past_the_deadline_takes_what_is_there_and_no_more() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        late = Deadline(ours, time.monotonic() - 5)
        theirs.sendall(b"answer")
        assert late.recv(6) == b"answer"
        theirs.sendall(b"more")
        with pytest.raises(TimeoutError):
            late.recv(4)
