"""Works in a process that multiprocessing spawned, and in its own."""

import multiprocessing
import time


def work(seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        sum(range(10_000))


if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    other = context.Process(target=work, args=(60.0,), daemon=True)
    other.start()
    work(60.0)
