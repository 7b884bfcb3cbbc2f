"""A sidecar's server in a thread of the test, and the sockets to reach it."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from agent.sidecar.protocol import Reply, Request
from agent.sidecar.server import Server


@contextmanager
def served(
    answer: Callable[[Request], Reply], allowed_uids: frozenset[int], listener: socket.socket
) -> Iterator[Server]:
    """Serve on `listener` until the block ends."""
    server = Server(answer, allowed_uids)
    server.listen_on(listener)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()
        server.close()
