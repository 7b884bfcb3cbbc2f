"""What does `/metrics` say of each service?"""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from advisor.documents import ServiceStatus
from agent.http.family import PREFIX, Family
from agent.http.labels import Labels

_OF_SERVICE: tuple[tuple[str, str, Callable[[ServiceStatus], float | None]], ...] = (
    ("used_cores", "Cores' worth of time used over 15 s.", lambda one: one.cores_used),
    ("waiting_cores", "Cores' worth of time that threads waited to run over 15 s.", lambda one: one.waiting_cores),
    ("usable_cores", "Cores that mask and quota allow.", lambda one: one.usable_cores),
    ("resident_bytes", "Resident memory of all its processes.", lambda one: one.resident_bytes),
    ("accept_queue_connections", "Connections that wait for accept().", lambda one: one.accept_queue),
    ("requests_per_second", "Requests answered, as its metrics page says.", lambda one: one.requests_per_second),
    ("latency_seconds", "Mean latency, as its metrics page says.", lambda one: one.latency_seconds),
    (
        "latency_p99_seconds",
        "99 % point of its latency, as its metrics page says.",
        lambda one: one.latency_p99_seconds,
    ),
    (
        "capacity_per_second",
        "Requests that all its workers can answer, where that is known.",
        lambda one: _most(one, "per_second"),
    ),
    ("capacity_low_per_second", "The least that the evidence for its capacity allows.", lambda one: _most(one, "low")),
    ("capacity_high_per_second", "The most that the evidence for its capacity allows.", lambda one: _most(one, "high")),
    (
        "utilisation_ratio",
        "Used part of what it can do, now.",
        lambda one: one.capacity.utilisation_now if one.capacity else None,
    ),
    (
        "utilisation_peak_ratio",
        "Used part of what it can do, at the 95 % point of the day.",
        lambda one: one.capacity.utilisation_at_peak if one.capacity else None,
    ),
    (
        "node_share_ratio",
        "Part of the node's price that is counted for it.",
        lambda one: one.cost.share if one.cost else None,
    ),
    ("gpu_memory_bytes", "GPU memory of its processes, where it is known of all.", lambda one: one.gpu_memory_bytes),
    ("gpu_sm_ratio", "Shares of GPU time of its processes, added up.", lambda one: one.gpu_sm_ratio),
    ("gpu_contexts", "Its processes on GPUs.", lambda one: one.gpu_contexts),
    ("worker_processes", "Processes that run models.", lambda one: one.workers),
    ("loaded_ratio", "1 while it is under load, else 0.", lambda one: float(one.state == "loaded")),
)
_LARGEST = frozenset(
    ("latency_seconds", "latency_p99_seconds", "loaded_ratio", "utilisation_ratio", "utilisation_peak_ratio")
)
"""What does not add up."""


def _most(service: ServiceStatus, field: Literal["per_second", "low", "high"]) -> float | None:
    rate = service.capacity.n_workers_per_second if service.capacity is not None else None
    return None if rate is None else float(getattr(rate, field))


def service_families(services: Iterable[ServiceStatus]) -> Iterator[Family]:
    """Two services of one name (the same application under two owners) add up; of their latencies the longer stands."""
    for field, text, read in _OF_SERVICE:
        values: dict[Labels, float] = {}
        for service in services:
            value = read(service)
            if value is None:
                continue
            labels = (("service", service.name),)
            both = (values.get(labels, 0.0), value)
            values[labels] = max(both) if field in _LARGEST else sum(both)
        if values:
            yield Family(f"{PREFIX}_service_{field}", text, False, values)
