"""A crowd that does nothing: many processes with many sleeping threads, as a program of its own.

    python sleepers.py PROCESSES THREADS

All are forked from one small interpreter, share its memory, and die with it. Prints `ready` when all are there.
"""

import contextlib
import ctypes
import gc
import os
import signal
import sys
import threading

STACK_BYTES = 65536
PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


def sleep_with(threads: int, parent: int, ready: int) -> None:
    """Be one process of the crowd, with `threads` threads in all, until the parent ends."""
    ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        return
    threading.stack_size(STACK_BYTES)
    forever = threading.Lock()
    forever.acquire()
    for _ in range(threads - 1):
        threading.Thread(target=forever.acquire, daemon=True).start()
    os.write(ready, b".")
    while True:
        signal.pause()


def main() -> None:
    processes, threads = int(sys.argv[1]) - 1, int(sys.argv[2]) - 1
    parent = os.getpid()
    heard, ready = os.pipe()
    gc.freeze()
    for number in range(processes):
        if os.fork() == 0:
            os.close(heard)
            sleep_with(threads // processes + (number < threads % processes), parent, ready)
            os._exit(0)
    missing = processes
    while missing:
        missing -= len(os.read(heard, missing))
    print("ready", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


if __name__ == "__main__":
    main()
