"""What does an hour of this node cost?"""

import msgspec


class NodePrice(msgspec.Struct, frozen=True, kw_only=True):
    """The price of the whole node. `as_of`: date of the price (ISO 8601); None = not stated."""

    currency: str
    hourly: float
    as_of: str | None = None


class CostOf(msgspec.Struct, frozen=True, kw_only=True):
    """What a service costs per unit at the load it has now, and at its capacity; None = not known."""

    currency: str
    per_1000_requests: float | None
    per_1000_requests_at_capacity: float | None
    per_million_tokens: float | None
    share: float
    """Part of the node's price that is counted for it."""
