"""Does the kernel's answer tell of each connection what went over it, and where connections ended?"""

import socket
import struct
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from collectors.tcp_connections import Families, KernelTables
from collectors.tcp_messages import MessageParts

TABLES = KernelTables()
ENDED = "I16xHH16s16s12xI16x"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as entered:
        yield entered


def server(stack: ExitStack, family: int = socket.AF_INET) -> tuple[socket.socket, int]:
    listening = stack.enter_context(socket.socket(family))
    listening.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
    listening.listen(64)
    return listening, int(listening.getsockname()[1])


def connect(stack: ExitStack, listening: socket.socket) -> tuple[socket.socket, socket.socket]:
    client = stack.enter_context(socket.socket(listening.family))
    client.connect(listening.getsockname())
    accepted, _ = listening.accept()
    return client, stack.enter_context(accepted)


def exchange(client: socket.socket, accepted: socket.socket, ask: bytes, answer: bytes) -> None:
    client.sendall(ask)
    assert accepted.recv(len(ask), socket.MSG_WAITALL) == ask
    accepted.sendall(answer)
    assert client.recv(len(answer), socket.MSG_WAITALL) == answer


def listening_or_skip(*ports: int) -> Families:
    try:
        found = TABLES.listening()
    except OSError as error:
        pytest.skip(f"the kernel does not answer here: {error}")
    return {port: found[port] for port in ports}


def test_each_connection_tells_its_bytes_and_segments_as_the_server_sees_them(stack: ExitStack) -> None:
    listening, port = server(stack)
    busy, quiet = connect(stack, listening), connect(stack, listening)
    exchange(*busy, b"x" * 100, b"y" * 40)
    exchange(*busy, b"x" * 200, b"y" * 60)
    busy[0].sendall(b"z")  # which says that the answer has come
    assert busy[1].recv(1) == b"z"
    found = TABLES.accepted(listening_or_skip(port))
    assert sorted(found[port].counted.values()) == [(0, 0, 0), (301, 100, 3)]
    assert found[port].established == 2
    quiet[0].close()  # its server has not closed yet: no longer established, and not over
    again = TABLES.accepted(listening_or_skip(port))[port]
    assert (sorted(again.counted.values()), again.established) == ([(1, 0, 0), (301, 100, 3)], 1)  # the end is a byte


def test_ports_and_families_are_told_apart_and_others_left_out(stack: ExitStack) -> None:
    servers = [server(stack, family) for family in (socket.AF_INET, socket.AF_INET, socket.AF_INET, socket.AF_INET6)]
    ports = [port for _, port in servers]
    for count, (listening, _) in enumerate(servers, start=1):
        for _ in range(count):
            exchange(*connect(stack, listening), b"x", b"y")
    families = listening_or_skip(*ports)
    assert [families[port] for port in ports] == [{socket.AF_INET}] * 3 + [{socket.AF_INET6}]
    for asked in (ports, ports[1:], ports[2:3], ports[3:]):
        found = TABLES.accepted({port: families[port] for port in asked})
        assert {port: len(one.counted) for port, one in found.items()} == {p: ports.index(p) + 1 for p in asked}


def test_connections_that_ended_are_counted_at_the_listening_port_whichever_side_closed_first(stack: ExitStack) -> None:
    (first, one), (second, other) = server(stack), server(stack)
    families = listening_or_skip(one, other)
    began = time.monotonic()
    for _ in range(3):
        client, accepted = connect(stack, first)
        accepted.close()
        assert client.recv(1) == b""
        client.close()
    for _ in range(2):
        client, accepted = connect(stack, second)
        client.close()
        assert accepted.recv(1) == b""
        accepted.close()
    seconds = time.monotonic() - began + 0.5
    assert TABLES.closed(families, seconds, 100_000) == {one: 3, other: 2}
    assert TABLES.closed(families, seconds, 100_000, without=one) == {other: 2}
    assert TABLES.closed(families, seconds, 100_000, without=other) == {one: 3}
    with pytest.raises(OverflowError, match="more than 4"):
        TABLES.closed(families, seconds, 4)
    time.sleep(0.3)
    assert TABLES.closed(families, 0.2, 100_000) == Counter()


def message(*attributes: tuple[int, bytes], kind: int = 20) -> bytes:
    body = bytes(72) + b"".join(struct.pack("=HH", 4 + len(data), name) + data for name, data in attributes)
    return struct.pack("=IHHII", 16 + len(body), kind, 2, 2, 0) + body


def test_parts_are_found_wherever_the_attribute_is_and_a_message_without_it_is_left_out() -> None:
    parts = MessageParts("I84x", 2, "I")
    one, two = (2, struct.pack("=II", 7, 0)), (2, struct.pack("=II", 8, 0))
    mark = (15, bytes(4))
    plain = message(one, mark) * 2
    for _ in range(2):  # the second time the layout is known
        assert parts.rows(plain) == ([(108, 12, 2, 7)] * 2, False)
    swapped = message(mark, two) + message(one, mark)
    assert parts.rows(swapped) == ([(108, 12, 2, 8), (108, 12, 2, 7)], False)
    assert parts.rows(message(mark) + message(one) + message(kind=3)) == ([(100, 12, 2, 7)], True)


def test_a_kernel_that_tells_less_or_refuses_is_an_error() -> None:
    with pytest.raises(OSError, match="counts less"):
        MessageParts("I84x", 2, "QQ").rows(message((2, bytes(8))))
    with pytest.raises(OSError, match="refused"):
        MessageParts(ENDED).rows(message(kind=2))
