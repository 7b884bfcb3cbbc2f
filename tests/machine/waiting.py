"""When has it become so? What is asked again and again until it is true."""

import time
from collections.abc import Callable
from typing import Any


def wait_for(what: Callable[[], Any], told: Callable[[], str], seconds: float = 60) -> Any:
    """The first true value of `what`; AssertionError with what is `told` where there is none."""
    end, problem = time.monotonic() + seconds, None
    while time.monotonic() < end:
        try:
            if found := what():
                return found
        except AssertionError as error:
            problem = error
        time.sleep(0.2)
    raise AssertionError(f"it never became as expected: {problem}\n{told()}")
