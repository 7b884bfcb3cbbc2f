"""How long does a request take on a device while others come, and how many are computed together then?

A server that batches begins at once while the device rests. While it computes, requests gather, and go in together when the
step ends: between nothing and a whole step later, half of one on average. A model that generates takes them in after each token
(continuous batching). So as many are computed together as come in a step, not as many as could be. A large batch takes longer,
and a larger one gathers meanwhile: sizes waver by 1 / (1 - s^2) more than arrivals do, s being the load x the time that one
more request adds (gated service; where they share each step, 1 / (1 - s)). Whoever finds all places of a batch taken waits for
one as for the first free of so many servers (`advisor.queueing`); so does what stays on the host, for its cores. A test holds
all of that against simulated arrivals.
"""

from collections.abc import Callable
from math import sqrt

import msgspec

from advisor.migration.spread import Percentiles
from advisor.queueing import wait_of_many, wait_of_many_exceeded

EXCEEDING = 0.01
DEVIATIONS = 3.0
"""Standard deviations within which 99 of 100 batches are: they are skewed, as arrivals are."""
MOST_CORES = 64.0
"""Of which each is counted; more of them queue less."""
_HALVINGS = 16
_MOST_FED_BACK = 0.98
"""As of `advisor.queueing`: beyond it there is no load that is even for long."""

Seconds = Callable[[float], float]
"""What the device takes for a batch of so many."""


class AtLoad(msgspec.Struct, frozen=True, kw_only=True):
    """`per_second`: requests of the service, shared by so many `nodes` with the device as are paid for; `batch`: that are
    computed together then; `alone_seconds`: of a request while no other comes; `seconds`: of the mean one at this load, with
    its waits for a batch and for cores; `p99_seconds`: in which 99 of 100 are answered; `busy`: that load / the most of a
    node."""

    per_second: float
    nodes: Percentiles
    batch: Percentiles
    alone_seconds: Percentiles
    seconds: Percentiles
    p99_seconds: Percentiles
    busy: Percentiles


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of a request, of the mean one and of 99 of 100. `batch`: with how many it is computed, itself included."""

    batch: float
    mean: float
    p99: float


def on_device(seconds: Seconds, per_second: float, most: int, steps: float) -> Taken:
    """`most`: places of a batch; `steps`: passes one after the other, after each of which others are taken in. Never less than
    one alone takes."""
    alone, full = seconds(1), seconds(most)
    busy = min(1.0, per_second * alone)
    found = (_in_turn if steps <= 1 else _joining)(seconds, per_second, most, steps, busy)
    filled = per_second * full
    return Taken(
        batch=found.batch,
        mean=max(alone, found.mean) + full * wait_of_many(most, filled),
        p99=max(alone, found.p99) + full * wait_of_many_exceeded(most, filled, EXCEEDING),
    )


def waits_for_cores(servers: float, share: float) -> tuple[float, float]:
    """Of what stays on the host, in times that it takes there: on average, and in 99 of 100. `servers`: requests that the cores
    work on at a time; `share`: of the cores' time that is taken."""
    count = max(1, int(min(MOST_CORES, servers)))
    return wait_of_many(count, share * count), wait_of_many_exceeded(count, share * count, EXCEEDING)


def _in_turn(seconds: Seconds, rate: float, most: int, steps: float, busy: float) -> Taken:
    """One batch after the other, each of those that came during the one before. A request more often finds a long one."""
    batch = _settled(seconds, rate, most, alone=0.0)
    more = _one_more(seconds, batch, most)
    variance = batch / (1 - min(_MOST_FED_BACK, rate * more) ** 2)
    found = seconds(batch) + more**2 * variance / seconds(batch)
    waiting = _not_rarely(busy)
    longest = seconds(min(most, batch + waiting * DEVIATIONS * sqrt(variance)))
    return Taken(
        batch=batch,
        mean=busy * found / 2 + (1 - busy) * seconds(1) + busy * seconds(min(most, 1 + rate * found)),
        p99=waiting * longest + seconds(min(most, 1 + waiting * rate * longest)),
    )


def _joining(seconds: Seconds, rate: float, most: int, steps: float, busy: float) -> Taken:
    """Each finds those that are on their way, and begins after the token that is computed when it comes."""
    batch = _settled(seconds, rate, most, alone=1.0)
    each, more = seconds(batch), _one_more(seconds, batch, most)
    others = rate * each
    waiting = _not_rarely(busy)
    wavering = DEVIATIONS * sqrt(others / (1 - min(_MOST_FED_BACK, rate * more)))
    return Taken(
        batch=batch,
        mean=each + busy * each / steps / 2,
        p99=seconds(min(most, 1 + waiting * (others + wavering))) + waiting * each / steps,
    )


def _settled(seconds: Seconds, rate: float, most: int, *, alone: float) -> float:
    """The batch during which as many come: the least b of which `alone` + rate × seconds(b) ≤ b, one at least."""
    if alone + rate * seconds(1) <= 1:
        return 1.0
    low, high = 1.0, float(most)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if alone + rate * seconds(middle) > middle:
            low = middle
        else:
            high = middle
    return high


def _one_more(seconds: Seconds, batch: float, most: int) -> float:
    """Seconds by which one more request makes a batch longer, up to the largest one."""
    return (seconds(most) - seconds(batch)) / (most - batch) if most > batch else 0.0


def _not_rarely(busy: float) -> float:
    """Part of a step that all but one in a hundred wait less than, who come at any time: of a device that rests nearly always,
    nothing."""
    return max(0.0, 1 - EXCEEDING / busy) if busy > 0 else 0.0
