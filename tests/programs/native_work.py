"""Work in native code that the program measures itself: what a sampler from outside must find again.

Run as `python native_work.py KIND SECONDS`. It says `ready`, begins at the first line of its standard input, uses SECONDS
of CPU time in its main thread, prints a JSON object of seconds by part, and ends when its standard input is closed. Before
the first line its threads are there and at rest.
"""

import ctypes
import hashlib
import json
import mmap
import os
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable

import numpy as np

Part = Callable[[], object]


def multiply(size: int) -> Part:
    matrix = np.random.default_rng(1).random((size, size))
    return lambda: matrix @ matrix


def sort(size: int) -> Part:
    values = np.random.default_rng(1).random(size)
    return lambda: np.sort(values)


def compress() -> Part:
    data = np.random.default_rng(1).integers(0, 16, 200_000, dtype=np.uint8).tobytes()
    return lambda: zlib.compress(data)


def digest() -> Part:
    return lambda: hashlib.pbkdf2_hmac("sha512", b"x", b"y", 5_000)


def write_json() -> Part:
    document = {"values": [[str(row), row / 7] for row in range(2_000)]}
    return lambda: json.dumps(document)


def interpret() -> Part:
    """Nothing but Python and its built-in types."""
    words = [f"word {number}" for number in range(300)]
    return lambda: sorted({word.upper(): len(word) * number % 7 for number, word in enumerate(words)}.items())


def read_zeros() -> Part:
    descriptor = os.open("/dev/zero", os.O_RDONLY)
    buffer = bytearray(1 << 20)
    return lambda: os.preadv(descriptor, [buffer], 0)


def made_at_run_time() -> Part:
    """A loop of machine code in memory of no file: dec rdi; jnz; ret."""
    memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(bytes.fromhex("48ffcf75fbc3"))
    held = ctypes.c_char.from_buffer(memory)
    loop = ctypes.CFUNCTYPE(None, ctypes.c_ulong)(ctypes.addressof(held))
    return lambda: (loop(5_000_000), held)


def start_threads(count: int) -> None:
    """Threads at rest."""
    for _ in range(count):
        threading.Thread(target=threading.Event().wait, daemon=True).start()


KINDS: dict[str, Callable[[], dict[str, Part]]] = {
    "multiply": lambda: {"multiply": multiply(400)},
    "two": lambda: {"multiply": multiply(300), "sort": sort(40_000)},
    "zlib": lambda: {"zlib": compress()},
    "digest": lambda: {"digest": digest()},
    "json": lambda: {"json": write_json()},
    "interpret": lambda: {"interpret": interpret()},
    "kernel": lambda: {"kernel": read_zeros()},
    "made": lambda: {"made": made_at_run_time()},
    "threads": lambda: start_threads(300) or {"sort": sort(60_000)},  # type: ignore[func-returns-value]
}


def work(parts: dict[str, Part], seconds: float) -> Counter[str]:
    spent: Counter[str] = Counter()
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        for name, part in parts.items():
            before = time.thread_time()
            part()
            spent[name] += time.thread_time() - before
    return spent


def churn(end: float) -> None:
    """Threads that live for some milliseconds each, until the CPU time `end`."""
    part = sort(20_000)
    while time.process_time() < end:
        threads = [threading.Thread(target=part) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def main() -> None:
    kind, seconds = sys.argv[1], float(sys.argv[2])
    parts = KINDS[kind]() if kind != "churn" else {}
    for part in parts.values():
        part()  # libraries are loaded and pools are started
    print("ready", flush=True)
    sys.stdin.readline()
    if kind == "churn":
        churn(time.process_time() + seconds)
    print(json.dumps(work(parts, seconds) if parts else {}), flush=True)
    sys.stdin.read()


main()
