"""Whatever a server answers, `nodewright fleet` ends with advice or with one clear line."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from agent.cli import run_command
from agent.fleet import prometheus as asked

Answer = Callable[[str], tuple[int, bytes]]


def vector(*series: tuple[dict[str, str], str], **more: Any) -> tuple[int, bytes]:
    result = [{"metric": labels, "value": [1.0, value]} for labels, value in series]
    return 200, json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}, **more}).encode()


def one_node(query: str) -> tuple[int, bytes]:
    """A fleet of one node, of which a figure is no number."""
    labels = {"instance": "a:9753", "service": "app", "version": "1"}
    return vector((labels, "NaN" if "latency" in query else "+Inf" if "waiting" in query else "20"))


class Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer: Answer = one_node
        self.seen: list[tuple[str, dict[str, str], str]] = []
        self.hold = threading.Event()

    def handle_error(self, *_: object) -> None:
        """Whoever asked has left in the middle of an answer."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        query = parse_qs(body)["query"][0]
        self.server.seen.append((self.path, dict(self.headers), query))
        status, answer = self.server.answer(query)
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.hold.set()
        running.shutdown()
        thread.join()


def fleet(server: Server, *more: str) -> int:
    return run_command(["fleet", "--prometheus", server.url, *more])


def test_advice_comes_as_json_with_notes_on_what_was_no_number(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer = lambda query: vector(*_series(one_node(query)), warnings=["store 10.0.0.1 did not answer"])
    assert fleet(server, "--format", "json", "--since", "2h", "--match", 'job="nodewright"') == 0
    told = json.loads(capsys.readouterr().out)["data"]
    assert (told["node_count"], told["service_count"], told["since_seconds"]) == (1, 1, 7200)
    assert told["notes"][0].startswith("the server warns: store 10.0.0.1 did not answer")
    assert told["notes"][1] == "2 values were no numbers (NaN or infinite) and are left out"
    assert all('{job="nodewright"}' in query for _, _, query in server.seen)
    assert {path for path, _, _ in server.seen} == {"/api/v1/query"}


def _series(answer: tuple[int, bytes]) -> list[tuple[dict[str, str], str]]:
    return [(one["metric"], one["value"][1]) for one in json.loads(answer[1])["data"]["result"]]


def test_text_says_what_is_missing(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert fleet(server) == 0
    told = capsys.readouterr().out
    assert told.startswith("1 nodes, 1 services, last 1h  ")
    assert "headroom app: 0 % headroom at peak over 1 nodes" in told
    assert "from: max by (instance, service) (avg_over_time(nodewright_service_capacity_per_second[3600s]))" in told


def test_who_asks_is_told_and_the_secret_only_to_the_server(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    assert fleet(server, "--token-file", str(secret), "--tenant", "team-a") == 0
    assert fleet(server, "--token-file", str(secret), "--user", "ada") == 0
    first, last = server.seen[0][1], server.seen[-1][1]
    assert (first["Authorization"], first["X-Scope-OrgID"]) == ("Bearer s3cret", "team-a")
    assert (last["Authorization"], "X-Scope-OrgID" in last) == ("Basic YWRhOnMzY3JldA==", False)
    assert "s3cret" not in "".join(capsys.readouterr())


BAD_DATA = json.dumps({"status": "error", "errorType": "bad_data", "error": "parse error"}).encode()
SLOW = json.dumps({"status": "error", "errorType": "timeout", "error": "query timed out"}).encode()
MATRIX = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": []}}).encode()


@pytest.mark.parametrize(
    ("answer", "key", "status", "part"),
    [
        ((401, b"no"), "fleet.not-allowed", 5, "--token-file"),
        ((403, b'{"status":"error"}'), "fleet.not-allowed", 5, "answered 403"),
        ((404, b"<html>nothing here</html>"), "fleet.foreign", 4, "status 404"),
        ((302, b""), "fleet.foreign", 4, "status 302"),
        ((200, b"\xff\xfe"), "fleet.foreign", 4, "no JSON"),
        ((200, b'{"data":{"node":"a"}}'), "fleet.foreign", 4, "no JSON"),
        ((200, MATRIX), "fleet.foreign", 4, "a matrix"),
        ((200, vector(({"instance": "a"}, "x"))[1]), "fleet.foreign", 4, "the value 'x'"),
        ((400, BAD_DATA), "fleet.bad-query", 2, "parse error"),
        ((503, SLOW), "fleet.failed", 4, "query timed out"),
        (vector(), "fleet.no-nodes", 4, "does it scrape"),
        (vector(({"pod": "a"}, "1")), "fleet.no-nodes", 4, "no label 'instance'"),
    ],
)
def test_one_line_on_what_is_no_good_answer(
    server: Server, capsys: pytest.CaptureFixture[str], answer: tuple[int, bytes], key: str, status: int, part: str
) -> None:
    server.answer = lambda query: answer
    assert fleet(server) == status
    _one_line(capsys, key, part)


def _one_line(capsys: pytest.CaptureFixture[str], key: str, part: str) -> None:
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert told.err.startswith(f"nodewright: {key}: ")
    assert part in told.err


def test_a_server_that_does_not_answer_in_time(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    def hold(query: str) -> tuple[int, bytes]:
        server.hold.wait(30)
        return vector()

    server.answer = hold
    assert fleet(server, "--timeout", "1") == 4
    server.hold.set()
    _one_line(capsys, "fleet.no-answer", "no answer within 1 s")


def test_an_answer_that_is_too_large(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "ANSWER_LIMIT_BYTES", 1 << 20)
    server.answer = lambda query: (200, b" " * (3 << 20))
    assert fleet(server) == 4
    _one_line(capsys, "fleet.too-large", "--match")


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (("--prometheus", "ftp://x"), "url.invalid"),
        (("--prometheus", "http://ada:pw@host"), "url.invalid"),
        (("--prometheus", "http://host:99999"), "url.invalid"),
        (("--prometheus", "http://host/?a=b"), "url.invalid"),
        (("--prometheus", "http://127.0.0.1:1", "--by", "a b"), "usage"),
        (("--prometheus", "http://127.0.0.1:1", "--match", 'a="b"}) or vector(1'), "usage"),
        (("--prometheus", "http://127.0.0.1:1", "--since", "10s"), "usage"),
        (("--prometheus", "http://127.0.0.1:1", "--user", "ada"), "usage"),
        (("--prometheus", "http://127.0.0.1:1", "--token-file", "/nowhere"), "fleet.token"),
    ],
)
def test_bad_usage_is_one_line(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], key: str) -> None:
    assert run_command(["fleet", *arguments]) == 2
    _one_line(capsys, key, "")


def test_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["fleet", "--prometheus", "http://127.0.0.1:1"]) == 4
    _one_line(capsys, "fleet.no-answer", "Connection refused")
