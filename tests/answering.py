"""A server on loopback that answers as a test wants."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def server(answer: Answer) -> Iterator[str]:
    """The address of a server whose GET is `answer`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                answer(self)
            except OSError:
                pass

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}/metrics"
        finally:
            http.shutdown()
            thread.join()


def says(body: str | bytes, status: int = 200, kind: str = "text/plain; version=0.0.4", **headers: str) -> Answer:
    data = body.encode() if isinstance(body, str) else body

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

    return answer


class Pages:
    """Answers each path with its body and a status, and remembers what was asked. What is absent is 404."""

    def __init__(self, **bodies: str) -> None:
        self.bodies = {f"/{name}": body for name, body in bodies.items()}
        self.kind = "text/plain"
        self.asked: list[str] = []
        self.accepted: list[str | None] = []

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append(handler.path)
        self.accepted.append(handler.headers.get("Accept"))
        body = self.bodies.get(handler.path)
        says(body or "", 404 if body is None else 200, self.kind)(handler)
