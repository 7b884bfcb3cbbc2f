"""A server as gunicorn looks from outside: a front-end that listens and two forked workers that keep a core busy in part.

Run as `python DIR/gunicorn -b 127.0.0.1:PORT app:app`. Ends when its standard input is closed.
"""

import os
import signal
import socket
import sys
import time


def work(share: float) -> None:
    while True:
        end = time.perf_counter() + share / 10
        while time.perf_counter() < end:
            pass
        time.sleep((1 - share) / 10)


def main() -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", int(sys.argv[sys.argv.index("-b") + 1].rpartition(":")[2])))
    listener.listen(16)
    children = []
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            os.close(0)
            work(float(os.environ.get("SHARE", "0.1")))
        children.append(pid)
    print("ready", flush=True)
    sys.stdin.read()
    for pid in children:
        os.kill(pid, signal.SIGKILL)


main()
