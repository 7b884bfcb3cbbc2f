"""What do the loaded workers of the crowd do? A little numpy and a long wait for each request, on every thread.

gunicorn loads this file, both as its application and as its configuration. BENCH_COMPUTE_ROUNDS is the work of a
request, BENCH_WAIT_SECONDS how long it waits as if for another service.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np  # type: ignore[import-not-found, unused-ignore]

ROUNDS = int(os.environ.get("BENCH_COMPUTE_ROUNDS", "1"))
WAIT_SECONDS = float(os.environ.get("BENCH_WAIT_SECONDS", "0"))
WEIGHTS = np.random.default_rng(0).random((300, 300), dtype=np.float32) / 300


def application(_: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    rows = np.ones((64, 300), dtype=np.float32)
    for _round in range(ROUNDS):
        rows = np.tanh(rows @ WEIGHTS)
    time.sleep(WAIT_SECONDS)
    body = str(float(rows.sum())).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def post_worker_init(worker: Any) -> None:
    """Start all threads of the worker's pool at once; gunicorn would wait until they are needed."""
    threads = worker.cfg.threads
    if threads > 1:
        together = threading.Barrier(threads)
        for _ in range(threads):
            worker.tpool.submit(together.wait)
