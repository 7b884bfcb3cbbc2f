"""How fast does a server answer? A closed loop over a few kept connections, as a program of its own.

    python load.py '{"port": 8080, "path": "/predict", "body": "{}", "connections": 8, "seconds": 5}'

Each connection sends its next request when the answer has come; the bytes are prepared once. What is answered in the
first `skip_seconds` is not counted. SIGTERM ends the window early. Prints one JSON line. Standard library only.
"""

import json
import selectors
import signal
import socket
import sys
import time
from typing import Any

ANSWER_BYTES = 65536
RETRY_SECONDS = 0.1


class Connection:
    """One connection with at most one request under way."""

    def __init__(self, port: int, request: bytes) -> None:
        self._request = request
        self._received = b""
        self.closing = False
        """Whether the server said that it closes the connection after this answer."""
        self.sent = time.perf_counter()
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=1)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self) -> None:
        self._received = b""
        self.sent = time.perf_counter()
        self.socket.sendall(self._request)

    def status(self) -> bytes | None:
        """Take what has come: the status once the answer is whole, else None. OSError when the server hung up."""
        piece = self.socket.recv(ANSWER_BYTES)
        if not piece:
            raise ConnectionResetError
        self._received += piece
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator or len(body) < int(header(head, b"content-length") or 0):
            return None
        self.closing = (header(head, b"connection") or b"").lower() == b"close"
        return head.split(b" ", 2)[1]


def header(head: bytes, name: bytes) -> bytes | None:
    """The value of a header of the answer; `name` in small letters."""
    for line in head.split(b"\r\n"):
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip()
    return None


def prepare(path: str, body: str, content_type: str) -> bytes:
    """The bytes of one request."""
    content = body.encode()
    method = "POST" if content else "GET"
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


class Window:
    """Keeps the connections busy until the end, and holds what was counted."""

    def __init__(self, port: int, request: bytes) -> None:
        self._port, self._request = port, request
        self._selector = selectors.DefaultSelector()
        self.latencies_seconds: list[float] = []
        self.errors = 0
        self.stopped = False

    def run(self, connections: int, seconds: float, skip_seconds: float) -> float:
        """Load for `skip_seconds` and then `seconds`; returns how many seconds were counted."""
        begin = time.perf_counter() + skip_seconds
        missing, retry = connections, 0.0
        while not self.stopped and (now := time.perf_counter()) < begin + seconds:
            if missing and now >= retry:
                missing, retry = missing - self._open(missing), now + RETRY_SECONDS
            for key, _ in self._selector.select(min(RETRY_SECONDS, max(0.0, begin + seconds - now))):
                missing += self._answer(key.data, begin)
        self._close()
        return max(0.0, min(time.perf_counter(), begin + seconds) - begin)

    def _open(self, wanted: int) -> int:
        for opened in range(wanted):
            try:
                connection = Connection(self._port, self._request)
                connection.send()
            except OSError:
                self.errors += 1
                return opened
            self._selector.register(connection.socket, selectors.EVENT_READ, connection)
        return wanted

    def _answer(self, connection: Connection, begin: float) -> int:
        """Handle one readable connection; 1 if it is lost, else 0."""
        try:
            status = connection.status()
            if status is None:
                return 0
            now = time.perf_counter()
            if status != b"200":
                self.errors += 1
            elif now >= begin:
                self.latencies_seconds.append(now - connection.sent)
            if not connection.closing:
                connection.send()
                return 0
            self._drop(connection)
            return 1 - self._open(1)
        except OSError:
            self.errors += 1
            self._drop(connection)
            return 1

    def _drop(self, connection: Connection) -> None:
        self._selector.unregister(connection.socket)
        connection.socket.close()

    def _close(self) -> None:
        for key in list(self._selector.get_map().values()):
            key.data.socket.close()
        self._selector.close()


def percentile_ms(latencies_seconds: list[float], share: float) -> float | None:
    """Nearest rank; None without answers."""
    if not latencies_seconds:
        return None
    rank = min(len(latencies_seconds) - 1, int(len(latencies_seconds) * share))
    return round(sorted(latencies_seconds)[rank] * 1e3, 3)


def main() -> None:
    wanted: dict[str, Any] = json.loads(sys.argv[1])
    request = prepare(wanted["path"], wanted.get("body", ""), wanted.get("content_type", "application/json"))
    window = Window(wanted["port"], request)

    def stop(*_: object) -> None:
        window.stopped = True

    signal.signal(signal.SIGTERM, stop)
    seconds = window.run(wanted["connections"], wanted["seconds"], wanted.get("skip_seconds", 0.0))
    answer = {
        "n": len(window.latencies_seconds),
        "rps": round(len(window.latencies_seconds) / seconds, 3) if seconds else None,
        "p50_ms": percentile_ms(window.latencies_seconds, 0.5),
        "p99_ms": percentile_ms(window.latencies_seconds, 0.99),
        "errors": window.errors,
    }
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
