"""How long does a request wait for a server, from how busy the servers are?

Answers that come one after the other at random instants (Poisson arrivals, exponential service times) are the usual guide:
real arrivals come in bursts and wait longer, equal requests wait half as long. A. K. Erlang, 1917; A. Allen, "Probability,
Statistics, and Queueing Theory", chapter 5.
"""

from math import ceil, log

MOST_BUSY = 0.98
"""Beyond it the waiting time of the guide grows without bound, and nothing is this even for long."""


def wait_of_one(busy: float) -> float:
    """Mean wait for one server that is `busy` (0..1), in service times: ρ / (1 − ρ)."""
    share = min(MOST_BUSY, max(0.0, busy))
    return share / (1 - share)


def wait_exceeded(busy: float, share: float) -> float:
    """The wait for one server that is `busy` (0..1) that no more than `share` of requests exceed, in service times:
    ln(ρ / share) / (1 − ρ)."""
    most = min(MOST_BUSY, max(0.0, busy))
    return log(most / share) / (1 - most) if most > share else 0.0


def wait_of_many(servers: float, busy: float) -> float:
    """Mean wait for the first free of `servers` that share a queue, of which `busy` work on average, in service times.

    Erlang's C / (n − a). A part of a server, as where cores limit workers, counts as none.
    """
    waits, left = _waiting(servers, busy)
    return waits / left


def wait_of_many_exceeded(servers: float, busy: float, share: float) -> float:
    """The wait for the first free of `servers` that no more than `share` of requests exceed, in service times:
    ln(C / share) / (n − a), C being the part that waits at all."""
    waits, left = _waiting(servers, busy)
    return log(waits / share) / left if waits > share else 0.0


def _waiting(servers: float, busy: float) -> tuple[float, float]:
    """The part of requests that wait at all (Erlang's C), and servers that are left (n − a)."""
    count = max(1, int(servers + 1e-9))
    load = min(max(0.0, busy), MOST_BUSY * count)
    blocked = 1.0  # Erlang's B, by its recursion
    for n in range(1, count + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked / (1 - load / count * (1 - blocked)), count - load


def enough(busy: float, share: float) -> int:
    """The fewest servers that are busy for at most that share of the time, where so many are busy on average."""
    return max(1, ceil(busy / share - 1e-9))
