"""How does the demo start programs, and end every process that came of them?

A model server's workers outlive a parent that is killed, so a program is more than its first process: each program gets
a session of its own, and what it left behind is found by that session and by parent links in /proc.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

GRACE_SECONDS = 3.0
KILL_SECONDS = 5.0
HELD = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """One line of the process table. `started` (clock ticks since boot) tells a reused pid from the process meant."""

    pid: int
    parent: int
    session: int
    started: int
    state: str


def read_process(pid: int, proc: Path = Path("/proc")) -> ProcessRow | None:
    """The process as /proc/PID/stat has it; None if it is gone."""
    try:
        text = (proc / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    fields = text[text.rindex(b")") + 2 :].split()
    return ProcessRow(pid, int(fields[1]), int(fields[3]), int(fields[19]), fields[0].decode())


def process_table() -> list[ProcessRow]:
    """Every process that still runs: ended ones that wait for their parent are left out."""
    rows = (read_process(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return [row for row in rows if row is not None and row.state not in "ZX"]


def members(roots: Iterable[int], table: Iterable[ProcessRow]) -> list[ProcessRow]:
    """The processes of the sessions that `roots` were started in, and all their descendants."""
    rows = list(table)
    sessions = set(roots)
    chosen = {row.pid for row in rows if row.session in sessions}
    while True:
        more = {row.pid for row in rows if row.parent in chosen} - chosen
        if not more:
            return [row for row in rows if row.pid in chosen]
        chosen |= more


class Programs:
    """The programs of one demo. Leaving the `with` block ends them all, whatever the reason."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "Programs":
        return self

    def __exit__(self, *_: object) -> None:
        with _undisturbed():
            self.end(*self._running)

    def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        log: Path | None = None,
        cpus: frozenset[int] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start `argv` in a session of its own, on `cpus` if given. Its output goes to `log`, or else to a pipe."""
        with _undisturbed(), _affinity(cpus), _sink(log) as sink:
            program = subprocess.Popen(
                list(argv),
                env=None if env is None else dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running.append(program)
        return program

    def end(self, *programs: subprocess.Popen[bytes]) -> None:
        """Ask the programs to end, then kill what is left of their trees after GRACE_SECONDS."""
        roots = [program.pid for program in programs]
        known = {(row.pid, row.started) for row in members(roots, process_table())}
        for program in programs:
            if program.poll() is None:
                program.send_signal(signal.SIGTERM)
        left = self._wait(programs, known, GRACE_SECONDS)
        if left:
            for row in left:
                _kill(row)
            self._wait(programs, known, KILL_SECONDS)
        for program in programs:
            program.poll()
            if program.stdout is not None:
                program.stdout.close()
            self._running.remove(program)

    @staticmethod
    def _wait(
        programs: Sequence[subprocess.Popen[bytes]], known: set[tuple[int, int]], seconds: float
    ) -> list[ProcessRow]:
        """Wait until the programs and everything `known` of them are gone; what is left after `seconds`."""
        deadline = time.monotonic() + seconds
        roots = [program.pid for program in programs]
        while True:
            for program in programs:
                program.poll()
            table = process_table()
            left = {row.pid: row for row in members(roots, table)}
            left |= {row.pid: row for row in table if (row.pid, row.started) in known}
            known |= {(row.pid, row.started) for row in left.values()}
            if not left or time.monotonic() > deadline:
                return list(left.values())
            time.sleep(0.05)


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM ends this process as Ctrl-C does, so that what it started is ended too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _kill(row: ProcessRow) -> None:
    current = read_process(row.pid)
    if current is not None and current.started == row.started:
        try:
            os.kill(row.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


@contextmanager
def _sink(log: Path | None) -> Iterator[IO[bytes] | int]:
    if log is None:
        yield subprocess.PIPE
    else:
        with log.open("ab") as stream:
            yield stream


@contextmanager
def _affinity(cpus: frozenset[int] | None) -> Iterator[None]:
    """What is started inside inherits `cpus`; this thread has its own CPUs back afterwards."""
    if cpus is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait: not between the start of a program and its entry in the list, nor while all are ended.

    By handlers and not by a mask, which programs started meanwhile would inherit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []
    before = {name: signal.signal(name, lambda number, _: waiting.append(number)) for name in HELD}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
        for number in waiting[:1]:
            signal.raise_signal(number)
