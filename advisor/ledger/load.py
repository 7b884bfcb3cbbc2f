"""Do the loads before and after a change allow the comparison?

A rate tells what a service can do only where the service holds it back: its workers are busy all the time, or clients wait
for them. Else it tells what the clients ask for. But where as many requests are in the service as before (Little's law) and
more of them are answered, each takes less time, whoever asks.
"""

from advisor.answered import answered_per_second, seen_by
from advisor.ledger.side import Side

BUSY = 0.8
QUEUED = 0.5
"""Connections in the accept queue at its longest, as a mean over stretches."""
MATCHED_LOAD = 0.8
"""Latencies are compared where the rate after the change is at least this share of the rate before."""
AS_MUCH = 1.07
"""A rate that has changed by no more is the one before."""
SAME_IN_FLIGHT = 1.1
OTHER_CLIENTS = 1.25
MANY_MORE_CLIENTS = 1.5
"""Fewer more of them widen the interval of a busy service's rate, by all that they can explain."""
BEYOND_CLIENTS = 2.0
"""More clients bring at best as many times the rate: a rate that grew by so much more did not come from them."""


def why_no_rate(ratio: float, before: Side, after: Side) -> str | None:
    """Why the ratio of the rates says nothing of what the service can do; None = it does."""
    clients = _ratio_of(before.mean("established"), after.mean("established"))
    if 1 / AS_MUCH <= ratio <= AS_MUCH:
        if is_limited(after):
            return None
        return f"the clients ask for as much as before, and the workers are busy {busy(after):.0%} of the time"
    in_flight = _ratio_of(_in_flight(before), _in_flight(after))
    if in_flight is not None and 1 / SAME_IN_FLIGHT <= in_flight <= SAME_IN_FLIGHT:
        return None
    if ratio > 1:
        if not is_limited(before):
            return f"the clients ask for more than before, when the workers were busy {busy(before):.0%} of the time"
        if clients is None or clients <= MANY_MORE_CLIENTS or ratio >= BEYOND_CLIENTS * clients:
            return None
        return f"there are {clients:.2f} times as many connections"
    if not is_limited(after):
        return f"the clients ask for less than before: the workers are busy {busy(after):.0%} of the time"
    return f"there are {clients:.2f} times as many connections" if clients and clients < 1 / OTHER_CLIENTS else None


def explained_by_clients(before: Side, after: Side) -> float:
    """By how much the rate may have grown because more clients asked: in proportion to their connections, at least 1."""
    return max(1.0, _ratio_of(before.mean("established"), after.mean("established")) or 1.0)


def why_no_latency(latency: float, rate: float | None, rate_matched: bool, before: Side, after: Side) -> str | None:
    """Why the ratio of the latencies says nothing of the change; None = it does. `rate`: ratio of the rates, None = nobody
    knows them."""
    if rate is None:
        return "how much was asked for is not known in the same measure before and after"
    if rate < MATCHED_LOAD:
        return f"the rate after the change is {rate:.2f} of the rate before"
    if latency > 1 and rate > OTHER_CLIENTS and not rate_matched:
        return f"the rate after the change is {rate:.2f} times the rate before"
    clients = _ratio_of(before.mean("established"), after.mean("established"))
    queues = is_limited(after) or (rate < 1 and is_limited(before))
    if latency < 1 and queues and clients is not None and clients < MATCHED_LOAD:
        return f"there are {clients:.2f} times as many connections, which wait for each other"
    return None


def is_limited(side: Side) -> bool:
    """Whether the service, not what its clients ask for, decides how much is answered."""
    if busy(side) > BUSY:
        return True
    crowded = (_in_flight(side) or 0.0) >= (side.mean("workers") or 1.0)
    return (side.mean("accept_queue_peak") or 0.0) >= QUEUED and (busy(side) >= BUSY / 2 or crowded)


def busy(side: Side) -> float:
    """Share of the time in which a worker runs or waits for a CPU."""
    return (side.mean("demand") or 0.0) / max(1.0, side.mean("workers") or 1.0)


def _in_flight(side: Side) -> float | None:
    """Requests in the service: by Little's law from its own page, or its connections where each is one request."""
    rate, latency = side.mean("requests_per_second"), side.mean("latency_seconds")
    if rate is not None and latency is not None:
        return rate * latency
    answered = answered_per_second(seen_by(side.mean))
    return side.mean("established") if answered is not None and answered.what == "connections" else None


def _ratio_of(before: float | None, after: float | None) -> float | None:
    return after / before if before and after is not None else None
