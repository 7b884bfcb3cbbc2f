"""How long does one blocking look hold a process still? Measured on that process, before somebody decides for it.

A blocking py-spy works while the process stands still, so its CPU time for each look is the pause: that of a short
recording less that of a single look, which both read the interpreter and its symbols once.
"""

import os
import time

from collectors.profiles.child import Child, py_spy
from collectors.profiles.rates import pause_seconds

LOOKS = 10
_TIMEOUT_SECONDS = 10.0


def measured_pause(pid: int) -> tuple[float, int]:
    """(Seconds, threads): the pause of a look with native stacks, and no less than the rule of thumb for so many threads.
    Looks `LOOKS` times within a second."""
    try:
        threads = len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        threads = 1
    target = ("-p", str(pid), "--native")
    many = _cpu_seconds("record", *target, "-d", "1", "-r", str(LOOKS), "-f", "raw", "-o", Child.OUTPUT)
    one = _cpu_seconds("dump", *target, "--json")
    measured = (many - one) / (LOOKS - 1) if many is not None and one is not None else 0.0
    return max(pause_seconds(threads), measured), threads


def _cpu_seconds(*arguments: str) -> float | None:
    """CPU time of one run of py-spy; None where it failed."""
    program = py_spy()
    if program is None:
        return None
    try:
        child = Child([program, *arguments], time.monotonic() + _TIMEOUT_SECONDS)
    except OSError:
        return None
    try:
        child.wait()
        return child.cpu_seconds if child.status == 0 else None
    finally:
        child.close()
