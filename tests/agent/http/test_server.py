"""Where the interface cannot listen, one line says so; what an agent left behind does not stop the next."""

import asyncio
import socket

import pytest

from agent.errors import CliError
from agent.http.app import build_app
from agent.http.server import serve
from tests.agent.http.example import example_deps


def app():
    return build_app(example_deps())


async def problem(listen: str) -> CliError:
    with pytest.raises(CliError) as raised:
        await serve(app(), listen)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_status == 2
    return raised.value


async def test_a_port_in_use_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = await problem(f"127.0.0.1:{taken.getsockname()[1]}")
    assert found.key == "listen.in-use"


async def test_port_zero_listens_where_the_kernel_chose():
    runner = await serve(app(), "127.0.0.1:0")
    try:
        assert runner.address.port > 0
        assert runner.url == f"http://127.0.0.1:{runner.address.port}"
    finally:
        await runner.close()


async def test_a_live_unix_socket_is_in_use_and_a_dead_one_is_replaced(tmp_path):
    path = tmp_path / "agent.sock"
    runner = await serve(app(), f"unix:{path}")
    try:
        assert (await problem(f"unix:{path}")).key == "listen.in-use"
        assert path.is_socket()
    finally:
        await runner.close()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    again = await serve(app(), f"unix:{path}")
    await again.close()


async def test_another_file_is_never_removed(tmp_path):
    path = tmp_path / "state.db"
    path.write_text("kept")
    assert (await problem(f"unix:{path}")).key == "listen.not-a-socket"
    assert path.read_text() == "kept"


@pytest.mark.parametrize(
    ("listen", "key"),
    [
        ("9753", "listen.invalid"),
        ("127.0.0.1:http", "listen.invalid"),
        ("203.0.113.1:9753", "listen.failed"),
        ("unix:/nonexistent/agent.sock", "listen.failed"),
        ("no such host:1", "listen.invalid"),
    ],
)
async def test_an_impossible_address_is_one_line(listen, key):
    assert (await problem(listen)).key == key


async def test_closing_does_not_wait_for_an_open_stream():
    runner = await serve(app(), "127.0.0.1:0")
    reader, writer = await asyncio.open_connection("127.0.0.1", runner.address.port)
    writer.write(b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"200" in await reader.readline()
    await asyncio.wait_for(runner.close(), 10)
    writer.close()
