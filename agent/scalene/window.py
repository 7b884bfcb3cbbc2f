"""When has a program under scalene run long enough, and what happened meanwhile?"""

import time
from collections.abc import Callable
from os.path import join

import msgspec

from agent.demo.processes import read_process
from agent.scalene.listening import listening_addresses
from agent.scalene.session import Asked, Session

START_SECONDS = 300.0
"""A server that does not listen by then is given up."""
LOOK_SECONDS = 0.2


class Window(msgspec.Struct, kw_only=True):
    """How a run goes. `pid` None: scalene has not handed over to the program."""

    asked_seconds: float
    pid: int | None = None
    started: int = 0
    """Start of `pid` in clock ticks since boot."""
    began: float = 0.0
    """Monotonic, as are the others."""
    ended: float = 0.0
    addresses: tuple[str, ...] = ()
    listening_unix_seconds: float | None = None
    status: int | None = None
    """Exit status of a program that ended by itself."""
    interrupted: bool = False
    killed: bool = False
    spawned: int = 0
    """Processes that multiprocessing spawned: they are in no profile of scalene's."""

    @property
    def seconds(self) -> float:
        return self.ended - self.began


def watch_window(
    session: Session, seconds: float, place: str, asked: Asked, tell: Callable[[str], None], *, server: bool
) -> Window:
    """Wait `seconds` from when the program listens; if it does not, from its start. A `server` is given START_SECONDS to
    begin. Ends earlier when the program does, or a signal asks."""
    window = Window(asked_seconds=seconds, began=time.monotonic())
    until = window.began + (START_SECONDS if server else seconds)
    seen: tuple[str, ...] = ()
    while True:
        now = window.ended = time.monotonic()
        window.pid = window.pid or _handed_over(window, place)
        window.status = session.status
        window.interrupted = asked.times > 0
        if window.status is not None or window.interrupted or now >= until:
            break
        if window.pid is not None and not window.addresses:
            found = listening_addresses(row.pid for row in session.processes())
            if found and found == seen:  # a server may open several, one after the other
                window.addresses = found
                window.listening_unix_seconds = time.time()
                until = now + seconds
                tell(f"it listens on {', '.join(found)}: load on it counts now, for {seconds:g} s")
            seen = found
        asked.sleep(max(0.0, min(LOOK_SECONDS, until - now)))
    window.spawned = _spawned(session)
    return window


def _handed_over(window: Window, place: str) -> int | None:
    try:
        with open(join(place, "pid"), encoding="ascii") as stream:
            pid = int(stream.read())
    except (OSError, ValueError):
        return None
    row = read_process(pid)
    window.started = row.started if row is not None else 0
    return pid


def _spawned(session: Session) -> int:
    rows = [row for row in session.processes() if _is_spawned(row.pid)]
    pids = {row.pid for row in rows}
    return sum(row.parent not in pids for row in rows)  # scalene starts each through a shell


def _is_spawned(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as stream:
            return b"multiprocessing.spawn import spawn_main" in stream.read()
    except OSError:
        return False
