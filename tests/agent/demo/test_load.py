"""Does the load program count what was answered, and end when told?"""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from agent.demo.load import Window, header, percentile_ms, prepare
from agent.demo.serving import LOAD, free_ports


class Counter(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served = 0
    status = 200
    close_after = 0
    says_so = False

    def do_POST(self) -> None:
        type(self).served += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b"x" * 100_000
        self.send_response(self.status)
        self.send_header("content-length", str(len(body)))
        if self.says_so:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = bool(self.close_after and self.served % self.close_after == 0)

    def log_message(self, *_: object) -> None:
        pass


class QuietServer(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """The client hangs up at the end of its window."""


@pytest.fixture
def server() -> Iterator[tuple[int, type[Counter]]]:
    handler = type("Handler", (Counter,), {})
    with QuietServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running.server_port, handler
        running.shutdown()
        thread.join()


def test_every_answer_is_counted_once(server: tuple[int, type[Counter]]) -> None:
    port, handler = server
    window = Window(port, prepare("/", "{}", "application/json"))
    seconds = window.run(connections=2, seconds=0.3, skip_seconds=0.0)
    assert seconds == pytest.approx(0.3, abs=0.05)
    assert window.errors == 0
    assert 0 <= handler.served - len(window.latencies_seconds) <= 2
    assert len(window.latencies_seconds) > 0


def test_refusals_count_as_errors_and_not_as_answers(server: tuple[int, type[Counter]]) -> None:
    port, handler = server
    handler.status = 503
    window = Window(port, prepare("/", "{}", "application/json"))
    window.run(connections=1, seconds=0.2, skip_seconds=0.0)
    assert window.latencies_seconds == []
    assert window.errors > 0


def test_a_connection_that_the_server_closes_is_opened_again(server: tuple[int, type[Counter]]) -> None:
    port, handler = server
    handler.close_after = 1
    window = Window(port, prepare("/", "{}", "application/json"))
    window.run(connections=1, seconds=0.5, skip_seconds=0.0)
    assert len(window.latencies_seconds) >= 2
    assert window.errors >= 1


def test_nothing_listens_gives_errors_and_no_answer() -> None:
    [port] = free_ports(1)
    window = Window(port, prepare("/", "{}", "application/json"))
    window.run(connections=3, seconds=0.2, skip_seconds=0.0)
    assert window.latencies_seconds == []
    assert window.errors >= 1


def test_sigterm_ends_the_window_early_with_its_numbers(server: tuple[int, type[Counter]]) -> None:
    port, handler = server
    wanted = {"port": port, "path": "/", "body": "{}", "connections": 1, "seconds": 600}
    program = subprocess.Popen([sys.executable, str(LOAD), json.dumps(wanted)], stdout=subprocess.PIPE)
    while handler.served < 3:
        pass
    program.send_signal(signal.SIGTERM)
    output, _ = program.communicate(timeout=20)
    answer = json.loads(output)
    assert program.returncode == 0
    assert answer["n"] >= 2
    assert answer["errors"] == 0
    assert answer["p50_ms"] <= answer["p99_ms"]


def test_a_server_that_says_that_it_closes_is_asked_anew_without_an_error(server: tuple[int, type[Counter]]) -> None:
    port, handler = server
    handler.close_after, handler.says_so = 1, True
    window = Window(port, prepare("/", "{}", "application/json"))
    window.run(connections=2, seconds=0.5, skip_seconds=0.0)
    assert len(window.latencies_seconds) >= 4
    assert window.errors == 0


def test_a_header_is_read_whatever_the_letters() -> None:
    assert header(b"HTTP/1.1 200 OK\r\nContent-LENGTH: 12\r\nX: y", b"content-length") == b"12"
    assert header(b"HTTP/1.1 204 No Content", b"content-length") is None


def test_percentiles_are_nearest_ranks_in_milliseconds() -> None:
    assert percentile_ms([0.004, 0.001, 0.003, 0.002], 0.5) == 3.0
    assert percentile_ms([0.001], 0.99) == 1.0
    assert percentile_ms([], 0.5) is None
