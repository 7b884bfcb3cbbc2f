"""Does the HTTP source turn answers into a picture, and every kind of failure into a problem with a remedy?"""

import asyncio
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import msgspec
import pytest

from advisor.documents import Problem, Snapshot
from tests.snapshots import example_history, example_snapshot
from tests.snapshots_advice import example_outcomes
from tui.http_source import NO_TOKEN, HttpSource, is_local
from tui.source import Act, Unreachable

Answer = Callable[[str, str | None], tuple[int, bytes]]
"""(path, Authorization header) -> (status, body)."""


def answers_of(snapshot: Snapshot) -> dict[str, object]:
    return {
        "/v1/node": snapshot.node,
        "/v1/services": snapshot.services,
        "/v1/workers": snapshot.workers,
        "/v1/advice": snapshot.advice,
        "/v1/self": snapshot.self_status,
    }


def good(path: str, authorization: str | None) -> tuple[int, bytes]:
    return 200, msgspec.json.encode({"data": answers_of(example_snapshot())[path]})


class Server:
    """An agent that answers as told, on a TCP port or a Unix socket."""

    def __init__(self, answer: Answer, unix: Path | None = None) -> None:
        self.connections = 0
        self.requests_per_connection = 1000
        self.posted: list[tuple[str, bytes]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                server.connections += 1
                self.left = server.requests_per_connection
                super().setup()

            def do_POST(self) -> None:
                self.posted = self.rfile.read(int(self.headers["Content-Length"]))
                server.posted.append((self.headers["Content-Type"], self.posted))
                self.do_GET()

            def do_GET(self) -> None:
                status, body = answer(self.path, self.headers.get("Authorization"))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                self.left -= 1
                self.close_connection = not self.left

            def address_string(self) -> str:
                return "local"

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                pass

        class UnixServer(socketserver.UnixStreamServer):
            pass

        self._server = UnixServer(str(unix), Handler) if unix else HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"unix:{unix}" if unix else f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[Server, HttpSource]]]:
    opened: list[tuple[Server, HttpSource]] = []

    def start(answer: Answer, unix: Path | None = None, token: str | None = None) -> tuple[Server, HttpSource]:
        server = Server(answer, unix)
        opened.append((server, HttpSource(server.url, token)))
        return opened[-1]

    yield start
    for server, source in opened:
        source.close()
        server.close()


async def problem_of(source: HttpSource) -> tuple[str, str]:
    with pytest.raises(Unreachable) as caught:
        await source.picture()
    return caught.value.problem.key, caught.value.problem.message


async def test_five_answers_become_one_picture_over_one_kept_connection(
    serve: Callable[..., tuple[Server, HttpSource]],
) -> None:
    server, source = serve(good)
    first, second = await source.picture(), await source.picture()
    assert first == second
    assert first.services == example_snapshot().services
    assert first.advice == example_snapshot().advice
    assert first.self_status.cpu_seconds == 4.2
    assert server.connections == 1


async def test_a_unix_socket_answers_like_a_port(
    serve: Callable[..., tuple[Server, HttpSource]], tmp_path: Path
) -> None:
    _, source = serve(good, unix=tmp_path / "agent.sock")
    assert (await source.picture()).node.node == "node-1"


async def test_the_token_is_sent_as_bearer(serve: Callable[..., tuple[Server, HttpSource]]) -> None:
    seen: set[str | None] = set()

    def answer(path: str, authorization: str | None) -> tuple[int, bytes]:
        seen.add(authorization)
        return good(path, authorization)

    _, source = serve(answer, token="s3cret")
    await source.picture()
    assert seen == {"Bearer s3cret"}


async def test_an_act_is_posted_and_a_history_read_beside_the_picture(
    serve: Callable[..., tuple[Server, HttpSource]],
) -> None:
    finding, asked = example_snapshot().advice.findings[3], []

    def answer(path: str, authorization: str | None) -> tuple[int, bytes]:
        asked.append(path)
        if not path.startswith("/v1/advice/"):
            return good(path, authorization)
        return 200, msgspec.json.encode({"data": example_history() if "history" in path else finding})

    server, source = serve(answer, token="s3cret")
    act = Act(state="acknowledged", owner="ada", reason="known")
    _, acted, events = await asyncio.gather(source.picture(), source.act("ab12", act), source.history("ab12"))
    assert (acted, events) == (finding, example_history())
    assert server.posted == [("application/json", b'{"state":"acknowledged","owner":"ada","reason":"known"}')]
    assert {"/v1/advice/ab12", "/v1/advice/ab12/history?limit=20"} <= set(asked)
    assert server.connections == 1


async def test_anything_is_posted_as_json_and_the_answer_read_as_its_kind(
    serve: Callable[..., tuple[Server, HttpSource]],
) -> None:
    asked = []

    def answer(path: str, authorization: str | None) -> tuple[int, bytes]:
        asked.append((path, authorization))
        return 202, b'{"data": {"key": "a", "message": "b", "hint": "c"}}'

    server, source = serve(answer, token="s3cret")
    assert await source.post("profiles", {"target": 812}, Problem) == Problem("a", "b", "c")
    assert asked == [("/v1/profiles", "Bearer s3cret")]
    assert server.posted == [("application/json", b'{"target":812}')]


@pytest.mark.parametrize(("since", "body"), [(None, b"{}"), ("5min", b'{"since":"5min"}')])
async def test_what_came_of_a_change_is_measured_from_when_it_was_made(
    serve: Callable[..., tuple[Server, HttpSource]], since: str | None, body: bytes
) -> None:
    begun, asked = example_outcomes().outcomes[0], []

    def answer(path: str, authorization: str | None) -> tuple[int, bytes]:
        asked.append(path)
        return 200, msgspec.json.encode({"data": begun})

    server, source = serve(answer, token="s3cret")
    assert await source.verify("ab12", since) == begun
    assert asked == ["/v1/advice/ab12/verify"]
    assert server.posted == [("application/json", body)]


async def test_who_has_no_token_may_only_read_but_a_socket_knows_its_user(
    serve: Callable[..., tuple[Server, HttpSource]], tmp_path: Path
) -> None:
    assert serve(good)[1].read_only == NO_TOKEN
    assert serve(good, token="s3cret")[1].read_only is None
    assert serve(good, unix=tmp_path / "agent.sock")[1].read_only is None


async def test_what_the_agent_refuses_is_its_own_problem(serve: Callable[..., tuple[Server, HttpSource]]) -> None:
    body = b'{"error": {"key": "finding.ended", "message": "it is not open", "hint": "later"}}'
    _, source = serve(lambda path, authorization: (409, body), token="s3cret")
    with pytest.raises(Unreachable) as caught:
        await source.act("ab12", Act(state="open", owner="ada"))
    assert caught.value.problem == Problem("finding.ended", "it is not open", "later")


async def test_the_agents_own_error_is_shown_as_it_is(serve: Callable[..., tuple[Server, HttpSource]]) -> None:
    body = b'{"error": {"key": "unauthorised", "message": "a token is needed", "hint": "pass --token-file"}}'
    _, source = serve(lambda path, authorization: (401, body))
    assert await problem_of(source) == ("unauthorised", "a token is needed")


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"", b"[]", b'{"data": {"node": 3}}', b"{}"])
async def test_another_programs_answer_is_a_problem_and_no_crash(
    serve: Callable[..., tuple[Server, HttpSource]], body: bytes
) -> None:
    _, source = serve(lambda path, authorization: (200, body))
    key, message = await problem_of(source)
    assert key == "protocol"
    assert message.startswith("/v1/node answered 200, but not as this version expects")


async def test_nothing_that_listens_is_told_apart_from_an_unknown_host(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        refused = await problem_of(HttpSource(f"http://127.0.0.1:{unused.getsockname()[1]}"))
    assert refused == ("connection-refused", "nothing listens there")
    assert (await problem_of(HttpSource(f"unix:{tmp_path}/none.sock")))[0] == "connection-refused"


async def test_a_kept_connection_that_the_agent_closed_is_opened_again(
    serve: Callable[..., tuple[Server, HttpSource]],
) -> None:
    server, source = serve(good)
    server.requests_per_connection = 7  # in the midst of the second picture
    assert await source.picture() == await source.picture()
    assert server.connections == 2


@pytest.mark.parametrize("url", ["", "127.0.0.1:9753", "ftp://host", "http://", "http://host:port"])
def test_what_is_no_address_is_one_clear_sentence(url: str) -> None:
    with pytest.raises(ValueError, match=r"address|port|Port"):
        HttpSource(url)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:9753", True),
        ("http://[::1]:9753", True),
        ("unix:/run/nodewright/agent.sock", True),
        ("http://node-7:9753", False),
        ("https://localhost.example.org", False),
    ],
)
def test_this_machines_token_belongs_to_this_machine(url: str, local: bool) -> None:
    assert is_local(url) is local
