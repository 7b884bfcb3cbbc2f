"""A program that knows what it spent its CPU time on: it measures its own sections, and says so in one line of JSON.

`ready` is printed when the measured part begins. SIGTERM ends it; then come the shares.
"""

import json
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable

ENDED = threading.Event()
Piece = Callable[[], object]


class Sections:
    """CPU seconds by class of work. Every thread measures its own and adds them up at its end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: Counter[str] = Counter()
        self.said: dict[str, float] = {}

    def begin(self) -> None:
        signal.signal(signal.SIGTERM, lambda *_: ENDED.set())
        self._cpu, self._wall = time.process_time(), time.perf_counter()
        print("ready", flush=True)

    def cycle(self, pieces: dict[str, tuple[str, float, Piece]]) -> None:
        """Until the end: each piece in turn, for its milliseconds of this thread's CPU time."""
        own: Counter[str] = Counter()
        while not ENDED.is_set():
            for work, milliseconds, piece in pieces.values():
                begin = time.thread_time()
                end = begin + milliseconds / 1e3
                while (now := time.thread_time()) < end:
                    piece()
                own[work] += now - begin
        self.add(own)

    def add(self, seconds: Counter[str]) -> None:
        with self._lock:
            self._seconds.update(seconds)

    def finish(self, pool: str | None = None) -> None:
        """`pool`: the class of what other threads than the measured ones computed."""
        cpu, wall = time.process_time() - self._cpu, time.perf_counter() - self._wall
        if pool is not None:
            self._seconds[pool] += cpu - sum(self._seconds.values())
        total = sum(self._seconds.values())
        classes = {work: seconds / total for work, seconds in self._seconds.items()} if total else {}
        measured = total / cpu if cpu else 0.0
        print(json.dumps({"classes": classes, "cores": cpu / wall, "measured": measured, **self.said}), flush=True)
        sys.exit(0)
