"""Requests go to this machine, or where the owner says."""

import socket
from collections.abc import Iterator

import pytest

from agent.errors import CliError
from agent.loadtest.options import parse_headers
from agent.loadtest.target import Pinned, find_target

OUTSIDE = "192.0.2.7"  # RFC 5737: nobody's


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def no_connections(monkeypatch) -> list[tuple[str, int]]:
    """Nothing may be sent anywhere before it is allowed."""
    tried: list[tuple[str, int]] = []

    def connect(address, timeout):
        tried.append(address)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", connect)
    return tried


def test_a_name_of_this_machine_is_pinned_to_the_address_that_answers(port):
    target = find_target(f"http://localhost:{port}/v2/models/m?x=1", ())
    assert (target.host, target.address, target.port, target.local) == ("localhost", "127.0.0.1", port, True)
    assert str(target.url) == f"http://localhost:{port}/v2/models/m?x=1"


async def test_no_other_name_is_looked_up_later(port):
    pinned = Pinned(find_target(f"http://localhost:{port}/", ()))
    (place,) = await pinned.resolve("localhost", port)
    assert (place["host"], place["port"]) == ("127.0.0.1", port)
    with pytest.raises(OSError, match="not the host"):
        await pinned.resolve("other.example", port)


def test_another_machine_is_refused_without_a_packet_unless_its_owner_names_it(no_connections):
    with pytest.raises(CliError) as refused:
        find_target(f"http://{OUTSIDE}:80/", ("other.example",))
    assert (refused.value.key, refused.value.exit_status) == ("loadtest.not-local", 2)
    assert f"--allow-host {OUTSIDE}" in refused.value.hint
    assert no_connections == []
    with pytest.raises(CliError) as silent:
        find_target(f"http://{OUTSIDE}:80/", (OUTSIDE,))
    assert (silent.value.key, no_connections) == ("loadtest.no-answer", [(OUTSIDE, 80)])


def test_a_name_that_leads_to_this_machine_and_to_another_is_refused(monkeypatch, no_connections):
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("127.0.0.1", OUTSIDE)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    with pytest.raises(CliError, match=OUTSIDE):
        find_target("http://two.example/", ())
    assert no_connections == []


@pytest.mark.parametrize(
    "text", ["", "127.0.0.1:80", "ftp://127.0.0.1/", "http://", "http://127.0.0.1:99999/", "http://[::1/"]
)
def test_what_is_no_address_is_said_so(text):
    with pytest.raises(CliError) as wrong:
        find_target(text, ())
    assert (wrong.value.key, wrong.value.exit_status) == ("loadtest.bad-url", 2)


def test_a_password_in_the_address_is_refused_and_not_repeated(port):
    with pytest.raises(CliError) as wrong:
        find_target(f"http://ada:hunter2@127.0.0.1:{port}/", ())
    assert "hunter2" not in str(wrong.value)


def test_headers_are_taken_apart_and_a_bad_one_does_not_show_its_value():
    assert parse_headers(("X-Key: a:b", "Accept:text/plain")) == {"X-Key": "a:b", "Accept": "text/plain"}
    for bad in ("no colon", ": hunter2", "X Key: hunter2", "X-Key: hunter2\r\nX: 1"):
        with pytest.raises(CliError) as wrong:
            parse_headers((bad,))
        assert wrong.value.key == "loadtest.bad-header"
        assert "hunter2" not in str(wrong.value)
