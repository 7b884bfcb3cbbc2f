"""A client that keeps its connections, sends the next request when the answer has come, and knows how long each took."""

import http.client
import json
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Request:
    path: str
    body: str = ""
    method: str = ""

    @property
    def verb(self) -> str:
        return self.method or ("POST" if self.body else "GET")


@dataclass
class Answers:
    """What came back: how long the requests of each status took, from their first byte to the last one of the answer."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    @property
    def codes(self) -> dict[str, int]:
        return {code: len(took) for code, took in self.seconds.items()}

    @property
    def number(self) -> int:
        return sum(self.codes.values())

    def of(self, *codes: str) -> "Answers":
        """Those of some statuses."""
        return Answers({code: took for code, took in self.seconds.items() if code in codes})

    @property
    def mean_us(self) -> float:
        return statistics.fmean(chain.from_iterable(self.seconds.values())) * 1e6

    @property
    def p50_us(self) -> float:
        """The smallest time that half of the requests do not exceed, as a histogram counts."""
        every = sorted(chain.from_iterable(self.seconds.values()))
        return every[(len(every) + 1) // 2 - 1] * 1e6


def closed_loop(port: int, requests: Sequence[Request], connections: int) -> Answers:
    """Send all requests, each once, over `connections` kept connections."""
    waiting = iter(requests)
    lock = threading.Lock()
    answers = Answers()

    def run() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        try:
            while True:
                with lock:
                    request = next(waiting, None)
                if request is None:
                    return
                if connection.sock is None:
                    connection.connect()
                began = time.perf_counter()
                code = _send(connection, request)
                took = time.perf_counter() - began
                with lock:
                    answers.seconds.setdefault(code, []).append(took)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def _send(connection: http.client.HTTPConnection, request: Request) -> str:
    headers = {"Content-Type": "application/json"} if request.body else {}
    try:
        connection.request(request.verb, request.path, request.body or None, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status >= http.client.INTERNAL_SERVER_ERROR:
            connection.close()  # some servers close it without saying so after an exception
    except OSError as error:
        connection.close()
        return type(error).__name__
    return str(answer.status)


def get_json(port: int, path: str, timeout: float = 10.0) -> dict[str, float]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()
