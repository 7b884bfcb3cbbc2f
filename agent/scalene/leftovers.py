"""How does nothing stay behind of a run under scalene, also when nodewright itself is killed in the middle?

Every process of the program's session and all their descendants are killed, then the run's folder is removed, and what
libscalene left in /tmp. A small process of our own waits on a pipe for the end of nodewright and does the same.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path

from agent.demo.processes import ProcessRow, members, process_table, read_process

KILL_SECONDS = 5.0
_ROOT = Path(__file__).parents[2]
_START = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from agent.scalene.leftovers import watch; watch(sys.argv[1])"
)
_SHARED = re.compile(r"scalene-(?:malloc|memcpy)-(?:signal|lock|init)(?P<pid>\d+)")
_SHARED_FOLDER = "/tmp"  # noqa: S108 - where libscalene has it, whatever TMPDIR says


class Watcher:
    """A process that clears up `folder` and the session that it is told of, should this process end without `done`."""

    def __init__(self, folder: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _START, str(_ROOT), folder],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, cwd="/",
        )  # fmt: skip

    def tell(self, session: int, started: int) -> None:
        self._write(f"{session} {started}\n")

    def done(self) -> None:
        """Everything is cleared up; wait until the watcher is gone."""
        self._write("done\n")
        if self._process.stdin is not None:
            try:
                self._process.stdin.close()
            except OSError:
                pass
        try:
            self._process.wait(KILL_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _write(self, line: str) -> None:
        if self._process.stdin is not None:
            try:
                self._process.stdin.write(line.encode())
                self._process.stdin.flush()
            except OSError:
                pass  # somebody killed it


def watch(folder: str) -> None:
    """Body of the watcher: returns when nodewright is done or gone."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)  # who ends us all, ends nodewright too, and then there is work to do
    began = time.time()
    told = sys.stdin.read().split()
    if "done" not in told:
        pids = kill_session(int(told[0]), int(told[1])) if len(told) == 2 else ()
        clear_up(folder, pids, began)


def session_members(session: int, started: int, known: Collection[tuple[int, int]] = ()) -> list[ProcessRow]:
    """What runs of the session whose leader started at `started` (clock ticks since boot), of its descendants, and of the
    processes (pid, start) that were `known` as such earlier: those may have lost session and parent."""
    table = process_table()
    leader = read_process(session)
    # the number is not given away while one of the session lives
    mine = [session] if leader is None or leader.started == started else []
    rows = {row.pid: row for row in members(mine, table)} if mine else {}
    return list((rows | {row.pid: row for row in table if (row.pid, row.started) in known}).values())


def kill_session(session: int, started: int, known: Collection[tuple[int, int]] = ()) -> set[int]:
    """Kill what is left of a session, of its descendants and of `known`; their pids."""
    pids: set[int] = set()
    until = time.monotonic() + KILL_SECONDS
    while left := session_members(session, started, known):
        pids.update(row.pid for row in left)
        for row in left:
            _kill(row)
        if time.monotonic() > until:
            break
        time.sleep(0.02)
    return pids


def clear_up(folder: str, pids: Collection[int], began: float) -> None:
    """Remove `folder`, and libscalene's files in /tmp of `pids` and of their children, begun at `began` (Unix seconds)."""
    shutil.rmtree(folder, ignore_errors=True)
    for entry in os.scandir(_SHARED_FOLDER):
        match = _SHARED.fullmatch(entry.name)
        if match is None:
            continue
        pid = int(match["pid"])
        try:
            state = entry.stat(follow_symlinks=False)
            ours = state.st_uid == os.getuid() and state.st_mtime >= began - 1
            if ours and (pid in pids or read_process(pid) is None):
                os.unlink(entry.path)
        except OSError:
            continue


def _kill(row: ProcessRow) -> None:
    now = read_process(row.pid)
    if now is not None and now.started == row.started:
        try:
            os.kill(row.pid, signal.SIGKILL)
        except OSError:
            pass
