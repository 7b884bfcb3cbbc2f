"""How is a helper process of the agent started, when is one that ended started again, and what does it cost?"""

import os
import socket
import subprocess
import time
from collections.abc import Sequence

FIRST_BACKOFF_SECONDS = 0.5
LAST_BACKOFF_SECONDS = 30.0
STEADY_SECONDS = 60.0
"""A helper that lived this long is started again without the delay that earlier failures added up."""
KILLED_SECONDS = 0.3
"""For which a killed child is waited for: one that hangs in the kernel does not end, and must not keep us."""


def spawn(command: Sequence[str]) -> tuple[subprocess.Popen[bytes], socket.socket] | None:
    """A child run by `command` with `--fd N` added, and our end of the pair whose other end is its descriptor N; None if the
    command cannot be started.

    The child ends by itself when its end closes, so none outlives an agent that is killed. An interrupt of the terminal is
    for us alone: we end the child when we no longer need it.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = subprocess.Popen(
                [*command, "--fd", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except OSError:
            ours.close()
            return None
    return process, ours


class Backoff:
    """The wait before the next start: doubled each time, and short again after one that lived long."""

    def __init__(self) -> None:
        self._next = FIRST_BACKOFF_SECONDS
        self._began = time.monotonic()

    def began(self) -> None:
        """A child was started."""
        self._began = time.monotonic()

    def replaced(self) -> float:
        """A child was ended to be replaced, which is no failure of its; seconds until another should be started."""
        self._next = FIRST_BACKOFF_SECONDS
        return FIRST_BACKOFF_SECONDS

    def ended(self) -> float:
        """A child ended; seconds until another should be started."""
        if time.monotonic() - self._began >= STEADY_SECONDS:
            self._next = FIRST_BACKOFF_SECONDS
        wait, self._next = self._next, min(2 * self._next, LAST_BACKOFF_SECONDS)
        return wait


def cost_of(pid: int) -> tuple[float | None, int | None]:
    """User and system time of /proc/PID/stat, of it and of what it waited for; resident pages of its statm, in bytes."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat, open(f"/proc/{pid}/statm", "rb") as statm:
            fields = stat.read().rpartition(b")")[2].split()
            pages = int(statm.read().split()[1])
    except (OSError, ValueError, IndexError):
        return (None, None)
    ticks = sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime
    return ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE")
