"""A server that answers one request at a time: `SERVICE_SECONDS [STALL_EVERY STALL_SECONDS]`. Prints its port.

One is ready that long after the one before it, and so a known number of them a second is all that it can do: what the
machine needs to accept and to write is part of that time. It ends with its standard input.
"""

import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

SERVICE_SECONDS = float(sys.argv[1])
STALL_EVERY, STALL_SECONDS = (int(sys.argv[2]), float(sys.argv[3])) if len(sys.argv) > 2 else (0, 0.0)
served = 0
ready = 0.0


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        global served, ready
        served += 1
        now = time.perf_counter()
        ready = (ready if now - ready < SERVICE_SECONDS else now) + SERVICE_SECONDS
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if STALL_EVERY and served % STALL_EVERY == 0:
            time.sleep(STALL_SECONDS)
        time.sleep(max(0.0, ready - time.perf_counter()))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


class Server(HTTPServer):
    request_queue_size = 1024


def end() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=end, daemon=True).start()
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
