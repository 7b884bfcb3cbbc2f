"""What do requests cost on a node and on a device, and from which load on is the device cheaper?"""

from math import ceil

import msgspec

AT_CAPACITY = 0.85
"""Of what it can do at most: so far a node is filled."""
MOST_NODES = 2000


class DevicePrice(msgspec.Struct, frozen=True, kw_only=True):
    """An hour of a node that has the device. `as_of`: the day of the price (ISO 8601); None = not stated."""

    currency: str
    hourly: float
    as_of: str | None = None


def per_1000_at_capacity(hourly: float, most_per_second: float) -> float:
    return hourly / (3.6 * AT_CAPACITY * most_per_second)


def nodes_for(per_second: float, most_per_second: float) -> int:
    return max(1, ceil(per_second / (AT_CAPACITY * most_per_second) - 1e-9))


def per_1000_at(per_second: float, hourly: float, most_per_second: float) -> float:
    """At the load that there is: whole nodes are paid for."""
    return nodes_for(per_second, most_per_second) * hourly / (3.6 * per_second)


def per_million(per_1000_requests: float, tokens: float) -> float:
    """Of tokens, of which a request has so many; above 0."""
    return per_1000_requests * 1000 / tokens


def break_even(cpu_hourly: float, cpu_most: float, device_hourly: float, device_most: float) -> float | None:
    """The least load in requests per second above which the device is cheaper; 0 = at any; None = never."""
    step = AT_CAPACITY * cpu_most
    for nodes in range(MOST_NODES):
        load = nodes * step * (1 + 1e-9)
        if nodes_for(load, device_most) * device_hourly < (nodes + 1) * cpu_hourly:
            return nodes * step
    return None
