"""A stand-in for MLServer: the same command line, settings file and addresses, and workers that outlive it.

A request takes 20 ms, or 5 ms where OMP_NUM_THREADS is set. One worker leaves the session, as a daemon would.
"""

import json
import os
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)", os.getcwd()]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer(b"{}")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(0.005 if "OMP_NUM_THREADS" in os.environ else 0.02)
        self._answer(b'{"outputs": []}')

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 64


def main() -> None:
    assert sys.argv[1:] == ["start", "."], sys.argv
    with open("settings.json") as stream:
        settings = json.load(stream)
    for number in range(settings["parallel_workers"]):
        subprocess.Popen(SLEEP, start_new_session=number == 0)
    Server((settings["host"], settings["http_port"]), Handler).serve_forever()


if __name__ == "__main__":
    main()
