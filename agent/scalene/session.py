"""How does a program run in a session of its own, so that it can be interrupted, and ended with all that came of it?"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from agent.demo.processes import ProcessRow, read_process
from agent.scalene.leftovers import kill_session, session_members

OUTPUT = 2
"""Standard error: what the program prints is no part of our answer."""
_LINE_BYTES = 1 << 16
_OF_SCALENE = (
    b"Scalene: profile saved to ",
    b"  To view in browser:",
    b"  To view in terminal:",
    b"Scalene: The specified code did not run",
    b"By default, Scalene only profiles",
    b"To track the time spent in all files",
)
"""Scalene's advice about files that we remove and options that we choose."""


class Session:
    """A running program. `pid` leads its session and process group."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], folder: str) -> None:
        self._process = subprocess.Popen(
            list(argv), env=dict(env), cwd=folder, stdin=subprocess.DEVNULL, stdout=OUTPUT, stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        self.pid = self._process.pid
        row = read_process(self.pid)
        self.started = row.started if row is not None else 0
        """Clock ticks since boot."""
        self._known = {(self.pid, self.started)}
        self._copier = threading.Thread(target=self._copy, name="output", daemon=True)
        self._copier.start()

    @property
    def status(self) -> int | None:
        """Exit status of the first process; None while it runs."""
        return self._process.poll()

    def processes(self) -> list[ProcessRow]:
        """What runs of it now."""
        rows = session_members(self.pid, self.started, self._known)
        self._known.update((row.pid, row.started) for row in rows)
        return rows

    def interrupt(self) -> None:
        """SIGINT to the whole group, as Ctrl-C would."""
        # a group's number is not given away while one of its processes lives
        if any(row.session == self.pid for row in self.processes()):
            try:
                os.killpg(self.pid, signal.SIGINT)
            except OSError:
                pass

    def kill(self) -> set[int]:
        """End everything at once; the pids that it had."""
        pids = kill_session(self.pid, self.started, self._known)
        self._process.wait()
        self._copier.join(1.0)
        return pids | {pid for pid, _ in self._known}

    def _copy(self) -> None:
        """What it prints to standard error goes to ours, without scalene's advice."""
        stream = self._process.stderr
        if stream is None:
            return
        with stream:
            blank = b""
            while line := stream.readline(_LINE_BYTES):
                if line == b"\n" and not blank:
                    blank = line  # scalene begins its advice with one
                    continue
                try:
                    if not line.startswith(_OF_SCALENE):
                        os.write(OUTPUT, blank + line)
                except OSError:
                    pass
                blank = b""


class Asked:
    """Whether a signal asked to end: once in order, twice at once."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, *_: object) -> None:
        self.times += 1

    def sleep(self, seconds: float) -> None:
        """Sleep, but not longer than the first signal."""
        until = time.monotonic() + seconds
        before = self.times
        while self.times == before and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.05))


@contextmanager
def signals_asked() -> Iterator[Asked]:
    """SIGINT, SIGTERM and SIGHUP, unless ignored, count instead of ending this process, where this is its main thread."""
    asked = Asked()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    names = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {name: signal.getsignal(name) for name in names}
    heeded = [name for name in names if before[name] is not signal.SIG_IGN]  # nohup, or a job in the background
    for name in heeded:
        signal.signal(name, asked)
    try:
        yield asked
    finally:
        for name in heeded:
            signal.signal(name, before[name] or signal.SIG_DFL)
