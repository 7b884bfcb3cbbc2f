"""How long does one blocking look hold a process still? Measured on that process, before somebody decides for it."""

import os
import subprocess
import time

from collectors.profiles.child import DUMP_ENVIRONMENT, py_spy
from collectors.profiles.rates import pause_seconds

LOOKS = 2
_TIMEOUT_SECONDS = 10.0


def measured_pause(pid: int) -> tuple[float, int]:
    """(Seconds, threads): what a blocking look with native stacks takes longer than one without stopping the process,
    and no less than the rule of thumb for so many threads."""
    try:
        threads = len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        threads = 1
    plain = [_look(pid, "--nonblocking") for _ in range(LOOKS)]
    native = [_look(pid, "--native") for _ in range(LOOKS)]
    known = [longer - shorter for shorter, longer in zip(plain, native, strict=True) if shorter and longer]
    return max([pause_seconds(threads), *known]), threads


def _look(pid: int, option: str) -> float | None:
    """How long one look took; None where it failed."""
    program = py_spy()
    if program is None:
        return None
    argv = [program, "dump", "-p", str(pid), "--json", option]
    began = time.monotonic()
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=DUMP_ENVIRONMENT, timeout=_TIMEOUT_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return time.monotonic() - began if done.returncode == 0 else None
