"""How does a profiler run as a child that cannot outlive its time, leave a file behind, or block us?

Its output goes into memory files that vanish with their last descriptor. It is never waited for without a deadline:
SIGINT makes py-spy write what it has, SIGKILL follows after a grace.
"""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from collectors.dies_with_us import dies_with_us

OUTPUT_LIMIT_BYTES = 32 << 20
"""What is read of its output."""
_LIMITS = ((resource.RLIMIT_FSIZE, 2 * OUTPUT_LIMIT_BYTES), (resource.RLIMIT_DATA, 1 << 30))
"""Of the child: names and depth of stacks are the target's own, and what they fill is memory."""
KILL_AFTER_SECONDS = 1.0
"""From SIGINT to SIGKILL."""
POLITE_NICE = 10
"""A tenth of a core is left to it beside a worker that never rests: a look of 15 ms takes a sixth of a second then, and no
request waits for all of it."""
DUMP_ENVIRONMENT = {"LC_ALL": "C"}
"""Nothing of ours: RUST_BACKTRACE would bury each error in a stack."""


class Child:
    """One program that writes into `/proc/self/fd/N` of its own, whose path stands for `OUTPUT` in `argv`; without that
    word its standard output is what it writes."""

    OUTPUT = "{output}"

    def __init__(self, argv: Sequence[str], until: float, *, polite: bool = False) -> None:
        """Start it; it is told to end at the monotonic time `until`. `polite`: on a busy node everybody else runs first.
        Raises OSError where it cannot be started."""
        self._output = os.memfd_create("profile")
        try:
            self._said = os.memfd_create("said")
        except BaseException:
            os.close(self._output)
            raise
        self._until = until
        self._asked_at: float | None = None
        path = f"/proc/self/fd/{self._output}"
        command = [*dies_with_us(), *(path if word == self.OUTPUT else word for word in argv)]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=self._said if self.OUTPUT in argv else self._output,
                stderr=self._said, env=DUMP_ENVIRONMENT,
                pass_fds=(self._output,), start_new_session=True,
            )  # fmt: skip
        except BaseException:
            os.close(self._output)
            os.close(self._said)
            raise
        self.cpu_seconds = 0.0
        self.status: int | None = None
        self.ended_at = 0.0
        self._limit()
        if polite:
            self._step_back()

    def poll(self) -> bool:
        """Whether it ended. Tells it to end when its time is over, and kills it when it does not."""
        if self.status is not None:
            return True
        if os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            self._signal(signal.SIGKILL)  # what it started in its turn, while its number is still its own
            _, status, usage = os.wait4(self._process.pid, 0)
            self.status = self._process.returncode = os.waitstatus_to_exitcode(status)
            self.cpu_seconds = usage.ru_utime + usage.ru_stime
            self.ended_at = time.monotonic()
            return True
        now = time.monotonic()
        if self._asked_at is None and now >= self._until:
            self._asked_at = now
            self._signal(signal.SIGINT)
        elif self._asked_at is not None and now >= self._asked_at + KILL_AFTER_SECONDS:
            self._signal(signal.SIGKILL)
        return False

    @property
    def asked(self) -> bool:
        """Whether it was told to end."""
        return self._asked_at is not None

    def end(self) -> None:
        """Tell it to write what it has, now."""
        self._until = min(self._until, time.monotonic())

    def wait(self, meanwhile: Callable[[], None] | None = None) -> None:
        """Until it ended, which `until` and the grace bound; `meanwhile` is called now and then."""
        pause = 0.001
        while not self.poll():
            if meanwhile is not None:
                meanwhile()
            time.sleep(pause)
            pause = min(0.01, pause * 1.5)

    def output(self) -> bytes:
        return _content(self._output)

    def said(self) -> str:
        """Its standard error, and its standard output where that is not what it writes."""
        return _content(self._said)[:65536].decode("utf-8", "replace")

    def close(self) -> None:
        """End it if it still runs, and let go of its output."""
        if self.status is None:
            self._signal(signal.SIGKILL)
            self._until = 0.0
            self._asked_at = 0.0
            self.wait()
        for descriptor in (self._output, self._said):
            try:
                os.close(descriptor)
            except OSError:
                pass

    def _limit(self) -> None:
        for kind, most in _LIMITS:
            try:
                resource.prlimit(self._process.pid, kind, (most, most))
            except (OSError, ValueError):  # it ended already, or has a lower limit
                pass

    def _step_back(self) -> None:
        try:
            os.setpriority(os.PRIO_PROCESS, self._process.pid, POLITE_NICE)
        except OSError:  # it ended already, or our own priority is lower still
            pass

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            pass


@cache
def py_spy() -> str | None:
    """The program beside our interpreter, else one of the system's; never what PATH says. None: it is not installed."""
    beside = Path(sys.executable).parent / "py-spy"
    for path in (beside, Path("/usr/local/bin/py-spy"), Path("/usr/bin/py-spy")):
        if os.access(path, os.X_OK):
            return str(path)
    return None


def _content(descriptor: int) -> bytes:
    size = min(os.fstat(descriptor).st_size, OUTPUT_LIMIT_BYTES)
    parts, offset = [], 0
    while offset < size and (part := os.pread(descriptor, size - offset, offset)):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)
