"""Threads that each do one thing for ever: burn the GIL, wait for it, for a lock, an event, sockets, a pipe, a sleep.

Prints its ports and the kernel's numbers of its threads by name, then goes on until its input ends.
"""

import json
import os
import select
import socket
import sys
import threading
import time

LOCK = threading.Lock()


def burn():
    while True:
        sum(range(1000))


def wake_often():
    left, right = socket.socketpair()
    while True:
        left.send(b"x")
        select.select([right], [], [], 1)
        right.recv(10)
        time.sleep(0.001)


def accept():
    LISTENER.accept()


def own_client():
    """Calls a server itself and waits for its answer."""
    stream = socket.create_connection(("127.0.0.1", REMOTE))
    stream.recv(1)


def serve_one():
    """Waits for more from a client that says nothing."""
    stream, _ = SERVED.accept()
    stream.recv(1)


def pipe():
    reader, _ = os.pipe()
    os.read(reader, 1)


def polled():
    """A socket with a timeout is waited for with poll on that one descriptor."""
    stream = socket.create_connection(("127.0.0.1", REMOTE), timeout=600)
    stream.recv(1)


def loop():
    poll = select.epoll()
    reader, _ = os.pipe()
    poll.register(reader, select.EPOLLIN)
    poll.poll()


LISTENER = socket.create_server(("127.0.0.1", 0))
SERVED = socket.create_server(("127.0.0.1", 0))
REMOTE = int(sys.argv[1])
WORK = {
    "burn-1": burn,
    "burn-2": burn,
    "wake-often": wake_often,
    "lock-1": LOCK.acquire,
    "lock-2": LOCK.acquire,
    "event": lambda: threading.Event().wait(),
    "sleep": lambda: time.sleep(3600),
    "accept": accept,
    "own-client": own_client,
    "serve-one": serve_one,
    "pipe": pipe,
    "polled": polled,
    "loop": loop,
}

LOCK.acquire()
threads = {name: threading.Thread(target=work, name=name, daemon=True) for name, work in WORK.items()}
client = socket.create_connection(SERVED.getsockname())
chosen = sys.argv[2:] or list(WORK)
for name in chosen:
    threads[name].start()
tids = {name: getattr(threads[name], "native_id", None) for name in chosen}
print(json.dumps({"main": os.getpid(), **tids}), flush=True)
sys.stdin.read()
os._exit(0)
