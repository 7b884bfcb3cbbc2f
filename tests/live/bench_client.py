"""A client as a program: `PORT closed CONNECTIONS` or `PORT open PER_SECOND BURST`. It ends when its standard input does."""

import http.client
import sys
import threading
import time

PORT = int(sys.argv[1])
stop = threading.Event()


def request() -> None:
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    try:
        connection.request("GET", "/predict")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        time.sleep(0.1)
    finally:
        connection.close()


def closed() -> None:
    while not stop.is_set():
        request()


def opened(per_second: float, burst: int) -> None:
    due = time.monotonic()
    while not stop.wait(max(0.0, due - time.monotonic())):
        for _ in range(burst):
            threading.Thread(target=request, daemon=True).start()
        due += burst / per_second


if sys.argv[2] == "closed":
    for _ in range(int(sys.argv[3])):
        threading.Thread(target=closed, daemon=True).start()
else:
    threading.Thread(target=opened, args=(float(sys.argv[3]), int(sys.argv[4])), daemon=True).start()
sys.stdin.read()
stop.set()
