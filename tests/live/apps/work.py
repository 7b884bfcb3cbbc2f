"""What the small web applications do for a request: say who they are, use a core, or wait until they are let go."""

import itertools
import os
import time
from pathlib import Path

BURN_SECONDS = 0.04
HOLD_SECONDS = 60.0
_number = itertools.count()


def who() -> dict[str, float]:
    return {"pid": os.getpid(), "cpu_seconds": time.process_time()}


def burn() -> dict[str, float]:
    """Use a core for BURN_SECONDS."""
    end = time.thread_time() + BURN_SECONDS
    while time.thread_time() < end:
        sum(range(1000))
    return who()


def hold() -> dict[str, float]:
    """Leave a mark in the working folder and block until a file `release` is there."""
    Path(f"held-{os.getpid()}-{next(_number)}").touch()
    end = time.monotonic() + HOLD_SECONDS
    while not Path("release").exists() and time.monotonic() < end:
        time.sleep(0.02)
    return who()


WORK = {"/who": who, "/burn": burn, "/hold": hold}
