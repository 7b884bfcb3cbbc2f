"""What did load tests find out about services, and does it still hold?

It holds while the configuration in which it was measured is the present one: no lever was seen to change since, and after a
restart of the agent none differs.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Annotated, Literal

import msgspec

from advisor.ledger.configuration import Configuration, changes_between
from advisor.measured import LoadStep, MeasuredCapacity
from agent.store.documents import DocumentKind
from collectors.entities import Service
from collectors.levers import Value

log = logging.getLogger("nodewright.capacities")

MOST_STEPS = 100
LATEST = "9999"
"""After every instant in RFC 3339."""
Rate = Annotated[float, msgspec.Meta(gt=0, le=1e9)]
Save = Callable[[DocumentKind, str, bytes], None]
Forget = Callable[[DocumentKind, str], None]


class CapacityRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /v1/services/{id}/capacity`. `generation`: as `/v1/services` showed it before the test began."""

    generation: int
    knee_per_second: Rate
    bound: Literal["measured", "lower bound"]
    upper_per_second: Rate | None = None
    unloaded_p50_seconds: Rate | None = None
    steps: Annotated[tuple[LoadStep, ...], msgspec.Meta(max_length=MOST_STEPS)] = ()

    def __post_init__(self) -> None:
        if self.upper_per_second is not None and self.upper_per_second <= self.knee_per_second:
            raise ValueError("upper_per_second is not above knee_per_second")
        if (self.upper_per_second is None) != (self.bound == "lower bound"):
            raise ValueError("a lower bound has no upper_per_second, and what was measured has one")


class StaleCapacity(Exception):  # noqa: N818 - an answer, not a fault
    """The configuration changed since the test began."""


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """As it is stored: with the levers, by which it is known after a restart."""

    capacity: MeasuredCapacity
    levers: dict[str, Value]


class Capacities:
    """By the service's id. The sampler's thread asks, HTTP brings: any thread may call."""

    def __init__(self, save: Save, forget: Forget) -> None:
        self._save = save
        self._forget = forget
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}

    def restore(self, documents: Mapping[str, bytes], began: str = LATEST, until: str = LATEST) -> None:
        """What was kept, but for what was measured after `until`. What was measured after `began` is of this run of the agent
        itself. Both RFC 3339 in UTC."""
        for service, body in documents.items():
            try:
                kept = msgspec.json.decode(body, type=_Kept)
            except msgspec.DecodeError as error:
                log.warning("the capacity kept of service %s is left out: %s", service, error)
                continue
            if kept.capacity.at > until:
                continue
            generation = kept.capacity.generation if kept.capacity.at > began else 0
            self._kept[service] = _Kept(
                capacity=msgspec.structs.replace(kept.capacity, generation=generation), levers=kept.levers
            )

    def measured(self, service: str, generation: int, levers: Callable[[], Configuration]) -> MeasuredCapacity | None:
        """What holds of the service in this generation of its levers."""
        with self._lock:
            kept = self._kept.get(service)
            if kept is None:
                return None
            if kept.capacity.generation != generation:
                del self._kept[service]
                self._forget("capacity", service)
                return None
            # one that differs is not forgotten yet: a service that starts shows its levers one by one
            return None if changes_between(kept.levers, levers()) else kept.capacity

    def learn(
        self, service: Service, generation: int, levers: Configuration, told: CapacityRequest, at: str
    ) -> MeasuredCapacity:
        """Take in what a load test found. Raises StaleCapacity where the configuration changed meanwhile."""
        if told.generation != generation:
            raise StaleCapacity(f"the configuration of {service.name} changed since the load test began")
        capacity = MeasuredCapacity(
            at=at,
            knee_per_second=told.knee_per_second,
            upper_per_second=told.upper_per_second,
            bound=told.bound,
            workers=len(service.serving) or None,
            generation=generation,
            unloaded_p50_seconds=told.unloaded_p50_seconds,
            steps=told.steps,
        )
        kept = _Kept(capacity=capacity, levers=dict(levers))
        with self._lock:
            self._kept[service.id] = kept
        self._save("capacity", service.id, msgspec.json.encode(kept))
        return capacity
