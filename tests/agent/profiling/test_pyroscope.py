"""Are profiles pushed as Pyroscope reads them, and does a bad server cost nothing but the profiles?

A small real HTTP server on loopback stands in for Pyroscope; it refuses what Pyroscope refuses.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from advisor.profiling.stored import StoredProfile
from agent.profiling.pyroscope import MOST_QUEUED, PushStatus, PyroscopePusher
from agent.profiling.pyroscope_requests import requests_of
from tests.agent.profiling.examples import ENCODE, MATRIX, NOON, digest, sample, stored, two_stacks, whole
from tests.agent.profiling.pyroscope_stand_in import Ingested, Refused, ingest
from tests.agent.tls_server import certificate, speak_tls

WAIT_SECONDS = 20.0


class Server:
    """Answers each POST with the next of `answers`, the last one for ever, and keeps what it was sent."""

    def __init__(self, *answers: int) -> None:
        self.received: list[tuple[str, dict[str, list[str]], dict[str, str], str]] = []
        self.ingested: list[Ingested] = []
        self.changed = threading.Condition()
        answers_left = list(answers)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                parts = urlsplit(self.path)
                with outer.changed:
                    outer.received.append((parts.path, parse_qs(parts.query), dict(self.headers), body))
                    status = answers_left.pop(0) if len(answers_left) > 1 else answers_left[0]
                    try:
                        outer.ingested.append(ingest(self.path, body.encode()))
                    except Refused:
                        status = 400
                    outer.changed.notify_all()
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def one(*answers: int) -> Server:
        servers.append(Server(*answers))
        return servers[-1]

    yield one
    for server in servers:
        server.close()


Push = Callable[..., PyroscopePusher]


@pytest.fixture
def pusher() -> Iterator[Push]:
    """Starts pushers that try again soon, and ends them."""
    started: list[PyroscopePusher] = []

    def start(url: str, **options: Any) -> PyroscopePusher:
        started.append(PyroscopePusher(url, first_backoff_seconds=0.02, **options))
        started[-1].start()
        return started[-1]

    yield start
    for one in started:
        one.stop(5.0)
        assert not one._thread.is_alive()


def until(pusher: PyroscopePusher, is_so: Callable[[PushStatus], bool]) -> PushStatus:
    """The first status for which `is_so` holds."""
    over = threading.Event()
    for _ in range(int(WAIT_SECONDS / 0.01)):
        if is_so(pusher.status()):
            return pusher.status()
        over.wait(0.01)
    raise AssertionError(pusher.status())


def test_each_side_is_sent_as_folded_stacks_with_the_documented_parameters(
    serve: Callable[..., Server], pusher: Push
) -> None:
    server = serve(200)
    pushing = pusher(f"{server.url}/pyro/", labels={"node": "n 1"})
    pushing.push(two_stacks())
    assert until(pushing, lambda status: status.sent == 1).problem is None
    ((path, query, headers, body),) = server.received
    assert path == "/pyro/ingest"
    assert query == {
        "name": ["gunicorn/app_8000.cpu{kind=burst,node=n_1,service=gunicorn/app:8000,side=cpu,slot=0}"], "from": [str(NOON)],
        "until": [str(NOON + 10)], "format": ["folded"], "sampleRate": ["50"], "units": ["samples"],
        "spyName": ["nodewright"], "aggregationType": ["sum"],
    }  # fmt: skip
    assert sorted(body.splitlines()) == sorted(
        [";".join(("MainThread", *MATRIX)) + " 700", ";".join(("MainThread", *ENCODE)) + " 300"]
    )
    assert not {"Authorization", "X-Scope-OrgID"} & set(headers)


def test_each_side_is_an_application_of_its_own_and_its_time_is_whole(
    serve: Callable[..., Server], pusher: Push
) -> None:
    server = serve(200)
    pushing = pusher(server.url)
    pushing.push(whole(service="10.0.0.7/app v1.2:8000"))
    assert until(pushing, lambda status: status.sent == 1).dropped == 0
    name = "10.0.0.7/app_v1.2_8000"
    seconds = {one.service_name: sum(one.nanoseconds.values()) / 1e9 for one in server.ingested}
    assert seconds == {name: 20.0, f"{name}/gil": 5.0, f"{name}/native": pytest.approx(15.0)}
    assert {(one.type, one.start, one.end) for one in server.ingested} == {("process_cpu", NOON, NOON + 10)}
    assert {one.labels["service"] for one in server.ingested} == {"10.0.0.7/app_v1.2:8000"}


def test_a_stack_that_is_too_long_for_the_server_loses_its_outermost_frames_and_no_other_stack() -> None:
    deep = tuple(f"frame_{number} (/a/long/path/to/the/file.py:{number})" for number in range(3000))
    ((target, body),) = requests_of(stored([sample(deep, 7), sample(ENCODE, 3)]), {})
    counts = ingest(target, body).nanoseconds
    assert sorted(counts.values()) == [3 * 20_000_000, 7 * 20_000_000]
    longest = max(counts, key=len)
    assert longest.startswith("...;frame_")
    assert longest.endswith(deep[-1])


def test_counts_stand_for_seconds_at_the_rate_that_is_sent() -> None:
    def seconds(profile: StoredProfile) -> dict[str, float]:
        found = {}
        for target, body in requests_of(profile, {}):
            query = parse_qs(urlsplit(target).query)
            side = query["name"][0].partition("side=")[2].partition(",")[0].rstrip("}")
            total = sum(int(line.rpartition(" ")[2]) for line in body.decode().splitlines())
            found[side] = total / int(query["sampleRate"][0])
        return found

    slow = seconds(stored([sample(ENCODE, 30)], hertz=0.5))
    assert slow == {"cpu": 60.0}
    assert seconds(whole())["cpu"] == 20.0
    assert seconds(whole(digest=digest(cores=1.5, seconds=10.0)))["native"] == pytest.approx(15.0)
    assert seconds(stored([sample(ENCODE, 100, side="native")], hertz=50.0)) == {"native": 2.0}


def test_names_cannot_break_out_of_their_place() -> None:
    profile = stored([sample(("a;b 3\nc",), 2, thread="t;u")], service='x{y="z"},\r\nHost: e&name=q', slot=None)
    ((target, body),) = requests_of(profile, {})
    assert parse_qs(urlsplit(target).query)["name"] == [
        "x_y__z_____Host__e_name_q.cpu{kind=burst,service=x_y__z_____Host:_e&name_q,side=cpu}"
    ]
    assert "\r" not in target
    assert "\n" not in target
    assert body == b"t:u;a:b 3 c 2\n"


def test_a_failing_server_is_tried_again_and_nothing_is_sent_twice(serve: Callable[..., Server], pusher: Push) -> None:
    server = serve(500, 200, 503, 429, 200)
    pushing = pusher(server.url)
    pushing.push(msgspec.structs.replace(whole(), digest=None))
    assert until(pushing, lambda status: status.sent == 1) == PushStatus(sent=1, dropped=0, queued=0, problem=None)
    sides = [query["name"][0].partition("side=")[2].partition(",")[0] for _, query, _, _ in server.received]
    assert sides == ["cpu", "cpu", "gil", "gil", "gil", "native"]


def test_what_the_server_refuses_is_dropped_and_counted(serve: Callable[..., Server], pusher: Push) -> None:
    server = serve(422, 200)
    pushing = pusher(server.url)
    pushing.push(two_stacks())
    refused = until(pushing, lambda status: status.dropped == 1)
    assert "answered 422 and will not take the profile" in (refused.problem or "")
    pushing.push(two_stacks())
    assert until(pushing, lambda status: status.sent == 1).problem is None
    pushing.push(two_stacks(at_unix_seconds=float("nan")))
    assert until(pushing, lambda status: status.dropped == 2).queued == 0


def test_while_nobody_listens_the_newest_wait_and_the_oldest_are_dropped(pusher: Push) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        pushing = pusher(f"http://127.0.0.1:{closed.getsockname()[1]}")
        for number in range(MOST_QUEUED + 5):
            pushing.push(two_stacks(id=f"p{number}"))
        status = until(pushing, lambda status: status.problem is not None)
        assert (status.sent, status.dropped, status.queued) == (0, 5, MOST_QUEUED)
        assert "Connection refused" in (status.problem or "")


@pytest.mark.parametrize("sends", [b"", b"H"])
def test_a_server_that_hangs_or_dribbles_is_given_up(pusher: Push, sends: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        ended = threading.Event()

        def dribble() -> None:
            connection, _ = hanging.accept()
            with connection:
                while sends and not ended.wait(0.02):
                    try:
                        connection.sendall(sends)
                    except OSError:
                        return
                ended.wait(WAIT_SECONDS)

        thread = threading.Thread(target=dribble, daemon=True)
        thread.start()
        pushing = pusher(f"http://127.0.0.1:{hanging.getsockname()[1]}", timeout_seconds=0.3)
        pushing.push(two_stacks())
        status = until(pushing, lambda status: status.problem is not None)
        assert "no answer in time" in (status.problem or "")
        assert status.queued == 1
        ended.set()
        thread.join(WAIT_SECONDS)


def test_what_speaks_no_http_is_said_to(pusher: Push) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            connection, _ = other.accept()
            with connection:
                connection.recv(100_000)
                connection.sendall(b"SSH-2.0-x\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        pushing = pusher(f"http://127.0.0.1:{other.getsockname()[1]}")
        pushing.push(two_stacks())
        assert "answers no HTTP" in (until(pushing, lambda status: status.problem is not None).problem or "")
        thread.join(WAIT_SECONDS)


@pytest.mark.parametrize(("text", "header"), [("secret\n", "Bearer secret"), ("Basic dTpw", "Basic dTpw")])
def test_the_token_of_the_file_goes_along(
    serve: Callable[..., Server], pusher: Push, tmp_path: Path, text: str, header: str
) -> None:
    server = serve(200)
    token = tmp_path / "token"
    pushing = pusher(server.url, token_file=token)
    pushing.push(two_stacks())
    assert "No such file" in (until(pushing, lambda status: status.problem is not None).problem or "")
    token.write_text("bad\r\nX-Other: 1")
    until(pushing, lambda status: "holds no token" in (status.problem or ""))
    assert server.received == []
    token.write_text(text)
    until(pushing, lambda status: status.sent == 1)
    assert server.received[0][2]["Authorization"] == header


def test_an_https_server_is_known_by_its_authority_and_told_whose_profiles_they_are(
    serve: Callable[..., Server], pusher: Push, tmp_path: Path
) -> None:
    made, key = certificate(tmp_path)
    server = serve(200)
    speak_tls(server.server, made, key)
    url = server.url.replace("http:", "https:")
    stranger = pusher(url)
    stranger.push(two_stacks())
    assert "CERTIFICATE_VERIFY_FAILED" in (until(stranger, lambda status: status.problem is not None).problem or "")
    assert server.received == []
    known = pusher(url, ca_file=made, tenant="team-a")
    known.push(two_stacks())
    until(known, lambda status: status.sent == 1)
    assert server.received[0][2]["X-Scope-OrgID"] == "team-a"


@pytest.mark.parametrize(
    "url",
    ["ftp://a", "http://", "a:4040", "http://u:p@a", "http://a:x", "http://a/p?q=1", "http://a\r\nb", "http://a:0"],
)
def test_an_address_that_cannot_be_pushed_to_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not http://HOST"):
        PyroscopePusher(url)
