"""When is each request of a step due? All instants are planned before the first is sent, whatever becomes of it."""

import random
from collections.abc import Iterator
from itertools import count
from typing import Literal

Pattern = Literal["constant", "poisson"]


def arrivals(rate_per_second: float, pattern: Pattern, seed: int) -> Iterator[float]:
    """Seconds after the begin of the step, without end: evenly spaced, or with exponential gaps that `seed` decides."""
    if pattern == "constant":
        for number in count():
            yield number / rate_per_second
    drawn, due = random.Random(seed), 0.0  # noqa: S311 - gaps of a load test
    while True:
        due += drawn.expovariate(rate_per_second)
        yield due
