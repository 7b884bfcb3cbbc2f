"""A server as many write their own: a front-end that listens, and spawned workers that share its socket and compute.

Run as `python spawn_server.py PORT WORKERS`. It ends when its standard input is closed; workers that have lost it end
after three minutes.
"""

import multiprocessing
import signal
import socket
import sys

import numpy as np

LEFT_ALONE_SECONDS = 180


def serve(listener: socket.socket, weights: int) -> None:
    signal.alarm(LEFT_ALONE_SECONDS)
    held = np.ones(weights)
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            body = b"%d\n" % held.sum()
            connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def main() -> None:
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=serve, args=(listener, 4_000_000)) for _ in range(int(sys.argv[2]))]
    for worker in workers:
        worker.start()
    print(*(worker.pid for worker in workers), flush=True)
    sys.stdin.read()
    for worker in workers:
        worker.kill()


if __name__ == "__main__":
    main()
