"""Work in a library that looks like the CUDA driver, from lines as a model's code has them.

Run as `python driver_work.py LIBRARY FUNCTION SECONDS [THREADS]`. It says `ready`, begins at the first line of its standard
input, calls FUNCTION for SECONDS of CPU time in its main thread, prints that time as a JSON object, and ends when its
standard input is closed. So many THREADS rest meanwhile.
"""

import ctypes
import json
import sys
import threading
import time
from types import SimpleNamespace

TURNS = 1_000_000


def wait_for(tensor: SimpleNamespace) -> None:
    tensor.item(TURNS)


def compute(add: object) -> None:
    add(TURNS)  # type: ignore[operator]


def main() -> None:
    _, library, function, seconds, *rest = sys.argv
    called = ctypes.CDLL(library)[function]
    called.argtypes = [ctypes.c_long]
    called.restype = ctypes.c_int
    for _ in range(int(rest[0]) if rest else 0):
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.readline()
    end = time.thread_time() + float(seconds)
    tensor = SimpleNamespace(item=called)
    while time.thread_time() < end:
        wait_for(tensor) if "Synchronize" in function else compute(called)
    print(json.dumps({function: time.thread_time()}), flush=True)
    sys.stdin.read()


main()
