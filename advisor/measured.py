"""What did a load test find out about a service?"""

from typing import Literal

import msgspec


class LoadStep(msgspec.Struct, frozen=True, kw_only=True):
    """One rate that was offered, open loop. Latencies count from the planned instant of each request."""

    offered_per_second: float
    answered_per_second: float
    errors_ratio: float
    latency_p50_seconds: float
    latency_p99_seconds: float
    kept_up: bool | None = None
    """Whether answers, errors and p99 stayed within the limits of the test; None = it was not said."""


class MeasuredCapacity(msgspec.Struct, frozen=True, kw_only=True):
    """The knee that a load test found: the highest rate that the service kept up with."""

    at: str
    """When (RFC 3339)."""
    knee_per_second: float
    bound: Literal["measured", "lower bound"]
    """`lower bound`: it kept up with every rate that was offered."""
    workers: int | None
    """Processes that served then."""
    generation: int
    """Configuration in which it was measured; it holds while that is the present one."""
    steps: tuple[LoadStep, ...] = ()
    upper_per_second: float | None = None
    """The lowest rate that it did not keep up with: the knee lies between. None for a lower bound."""
    unloaded_p50_seconds: float | None = None
    """Latency of one request after the other."""
