"""Clients that ask again as soon as they have an answer, each time over a new connection, and count what was answered."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Counted:
    """When each answer came, on the monotonic clock. A server that is away is asked again soon."""

    def __init__(self, port: int, path: str, body: str | None) -> None:
        self._port, self._path, self._body = port, path, body
        self._ended: list[float] = []
        self.stop = threading.Event()

    def run(self) -> None:
        while not self.stop.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
            headers = {"Connection": "close", **({"Content-Type": "application/json"} if self._body else {})}
            try:
                connection.request("POST" if self._body else "GET", self._path, self._body, headers)
                connection.getresponse().read()
                self._ended.append(time.monotonic())
            except (OSError, http.client.HTTPException):
                self.stop.wait(0.1)
            finally:
                connection.close()

    def per_second(self, since: float, until: float) -> float:
        """Answers per second between two times of the monotonic clock."""
        return sum(since <= at < until for at in list(self._ended)) / (until - since)


@contextmanager
def counted_load(port: int, clients: int, path: str = "/predict", body: str | None = None) -> Iterator[Counted]:
    counted = Counted(port, path, body)
    threads = [threading.Thread(target=counted.run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield counted
    finally:
        counted.stop.set()
        for thread in threads:
            thread.join()
