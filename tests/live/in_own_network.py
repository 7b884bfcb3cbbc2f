"""A program: servers and their clients alone in a network namespace, and what the collector counts of them.

`python -m tests.live.in_own_network SERVER CLIENT PROGRAMS FOLDER` prints one JSON object for each of two loads: by port of a
server the requests that it got, and by how much each of its counters grew. unshare(1) runs it.
"""

import fcntl
import http.client
import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path

from collectors.entities import Process, Role, Service, Worker, WorkerKey
from collectors.host import Host
from collectors.sources.connections import ConnectionsCollector, ConnectionsSample
from tests.live.recognised import Running, gunicorn, uvicorn

LOOK_SECONDS = 0.4
IDLE_LOOKS = 7
CLIENTS = 4
LOADS = (60, 180)
"""Requests to the first server; the second gets a third."""
COUNTERS = ("opened", "received_bytes", "sent_bytes", "received_segments")
SIOCSIFFLAGS, IFF_UP = 0x8914, 1

Start = Callable[[Path, Path], AbstractContextManager[Running]]
Ask = Callable[[], None]
SYNC: Start = partial(gunicorn, app="wsgi_app:app")


def threaded(programs: Path, folder: Path) -> AbstractContextManager[Running]:
    return gunicorn(programs, folder, "wsgi_app:app", "-k", "gthread", "--threads", "8")


SERVERS: dict[str, tuple[Start, ...]] = {
    "sync": (SYNC,), "two-sync": (SYNC, SYNC), "gthread": (threaded,), "uvicorn": (uvicorn,),
}  # fmt: skip


def main(server: str, client: str, programs: Path, folder: Path) -> None:
    raise_loopback()
    with ExitStack() as stack:
        stack.enter_context(socket.create_server(("127.0.0.1", 0)))  # the service's port is not the only one
        starts = enumerate(SERVERS[server])
        running = [stack.enter_context(start(programs, folder / str(number))) for number, start in starts]
        looks = Looks(running)
        clients = [[stack.enter_context(CLIENTS_OF[client](one.port)) for _ in range(CLIENTS)] for one in running]
        for _ in range(IDLE_LOOKS):
            looks.until_done([])
        for load in LOADS:
            numbers = {one.port: load // (1 + 2 * place) for place, one in enumerate(running)}
            asked = [asking(of, numbers[one.port]) for of, one in zip(clients, running, strict=True)]
            grown = looks.until_done([thread for threads in asked for thread in threads])
            print(json.dumps([{"requests": numbers[port], **grown[port]} for port in numbers]))


def raise_loopback() -> None:
    with socket.socket() as anyone:
        fcntl.ioctl(anyone, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))


@contextmanager
def anew(port: int) -> Iterator[Ask]:
    """Each request over a connection of its own, which the client closes if the server does not."""

    def ask() -> None:
        with keeping(port) as once:
            once()

    yield ask


@contextmanager
def keeping(port: int) -> Iterator[Ask]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.connect()

    def ask() -> None:
        connection.request("GET", "/who")
        answer = connection.getresponse()
        assert answer.status == http.client.OK, answer.status
        answer.read()

    try:
        yield ask
    finally:
        connection.close()


CLIENTS_OF = {"anew": anew, "keeping": keeping}


def asking(clients: list[Ask], number: int) -> list[threading.Thread]:
    """The clients ask in turn, so many times altogether, in threads of their own."""

    def run(ask: Ask) -> None:
        for _ in range(number // len(clients)):
            ask()
            time.sleep(0.02)

    threads = [threading.Thread(target=run, args=(ask,)) for ask in clients]
    for thread in threads:
        thread.start()
    return threads


class Looks:
    """The collector's readings, one after the other."""

    def __init__(self, running: list[Running]) -> None:
        self._collector = ConnectionsCollector()
        self._services = [service_of(one) for one in running]
        self._last = self.look()

    def look(self) -> dict[int, ConnectionsSample]:
        time.sleep(LOOK_SECONDS)
        samples = self._collector.collect(Host.real(), self._services)
        return {int(s.entity.partition(":")[2]): s for s in samples if isinstance(s, ConnectionsSample)}

    def until_done(self, threads: list[threading.Thread]) -> dict[int, dict[str, int | None]]:
        """Growth of each counter from before to after the load; of bytes and segments in the looks that could tell them."""
        grown: dict[int, dict[str, int | None]] = {port: dict.fromkeys(COUNTERS) for port in self._last}
        last = False
        while not last:
            last = not any(thread.is_alive() for thread in threads)
            now = self.look()
            for port, sample in now.items():
                for name in COUNTERS:
                    before, value = getattr(self._last[port], name), getattr(sample, name)
                    if before is not None and value is not None:
                        grown[port][name] = (grown[port][name] or 0) + value - before
            self._last = now
        return grown


def service_of(running: Running) -> Service:
    process = Process(key=WorkerKey(running.pid, 1), ppid=1, uid=0, comm="python", argv=("python",))
    worker = Worker(process=process, role=Role.FRONT_END, framework="any", service="app", slot=0)
    return Service(
        id=str(running.port), name="app", framework="any", application="app", port=running.port, owner=None,
        manager="bare", workers=(worker,), started=1,
    )  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
