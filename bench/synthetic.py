"""What would the samples of a loaded node look like, hour after hour, without having one?

A node of 16 cores that serves from one front-end and four workers with three classes of threads each; magnitudes as
on a host that has been up for weeks (nanosecond counters of 1e12 to 1e14).
"""

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

from agent.store.columns import known_kinds
from collectors.reading import Instant, Ok, Reading
from collectors.sample import Sample, fields_of

SECOND_NS = 1_000_000_000
NOON_NS = 1_793_448_000 * SECOND_NS
"""2026-10-31 12:00:00 UTC: the middle of a shard, where its times take their usual width."""


class Grows(NamedTuple):
    """A counter: where it starts, its mean growth per second, and how much that scatters."""

    start: float
    rate: float
    scatter: float = 0.0


class Wavers(NamedTuple):
    """A gauge around a level."""

    level: float
    scatter: float = 0.0


Behaviour = dict[str, Grows | Wavers | str | None]

_IDLE_CORE: Behaviour = {
    "user_ticks": Grows(90e6, 4, 4), "system_ticks": Grows(9e6, 1, 2), "iowait_ticks": Grows(4e5, 0.02),
    "irq_ticks": Grows(3e5, 0.6, 1), "steal_ticks": Grows(0, 0), "idle_ticks": Grows(4e8, 95, 6),
}  # fmt: skip
_BUSY_CORE: Behaviour = _IDLE_CORE | {
    "user_ticks": Grows(90e6, 70, 20), "system_ticks": Grows(9e6, 9, 5), "idle_ticks": Grows(4e8, 20, 20)
}  # fmt: skip
_WORKER: Behaviour = {
    "user_ticks": Grows(4e7, 95, 30), "system_ticks": Grows(4e6, 6, 4), "children_user_ticks": Grows(0, 0),
    "children_system_ticks": Grows(0, 0), "resident_bytes": Wavers(3.2e9, 4e5), "threads": Wavers(38),
    "minor_faults": Grows(9e7, 300, 200), "major_faults": Grows(1200, 0), "voluntary_switches": Grows(6e7, 400, 100),
    "involuntary_switches": Grows(9e6, 90, 30), "read_bytes": None, "write_bytes": None,
}  # fmt: skip
_THREAD: Behaviour = {
    "worker": "worker:812345:40211234", "name": "python3", "thread_class": "compute", "state": "R",
    "run_ns": Grows(9e13, 9.5e8, 3e7), "delay_ns": Grows(2e12, 4e7, 2e7), "timeslices": Grows(9e8, 300, 100),
    "last_cpu": Wavers(7, 7), "allowed_cpus": "0-15", "busy": Wavers(1),
}  # fmt: skip
_CGROUP: Behaviour = {
    "quota_us": Wavers(8e5), "period_us": Wavers(1e5), "weight": Wavers(100), "periods": Grows(5e6, 10),
    "throttled_periods": Grows(8e5, 2, 2), "throttled_us": Grows(9e11, 1e5, 5e4), "usage_us": Grows(5e13, 5e6, 1e6),
    "cpus": "0-15", "memory_limit_bytes": Wavers(17179869184), "memory_current_bytes": Wavers(9e9, 4e5),
    "memory_peak_bytes": Wavers(9.1e9), "memory_limit_hits": Grows(0, 0), "oom_kills": Grows(0, 0),
}  # fmt: skip
_SERVING: Behaviour = {
    "requests": Grows(4e7, 200, 20), "errors": Grows(1200, 0), "latency_sum_us": Grows(9e12, 9e6, 1e6),
    "latency_count": Grows(4e7, 200, 20), "in_flight": Wavers(4, 3), "queue": Wavers(3, 3),
    "latency_p50_us": Wavers(4.5e4, 8e3), "latency_p50_low_us": Wavers(2.5e4), "latency_p50_high_us": Wavers(5e4),
    "latency_p99_us": Wavers(2e5, 4e4), "latency_p99_low_us": Wavers(1e5), "latency_p99_high_us": Wavers(2.5e5),
    "queue_time_sum_us": Grows(3e12, 1e6, 3e5), "queue_time_count": Grows(4e7, 200, 20),
    "batch_size_sum": Grows(4e7, 200, 20), "batch_size_count": Grows(1e7, 60, 10),
    "tokens_in": Grows(9e9, 5e4, 1e4), "tokens_out": Grows(2e9, 8e3, 1e3), "kv_cache_ppm": Wavers(6e5, 2e5),
    "first_token_sum_us": Grows(2e12, 2e6, 3e5), "first_token_count": Grows(4e7, 200, 20),
    "first_token_p50_us": Wavers(9e3, 2e3), "first_token_p99_us": Wavers(6e4, 2e4),
    "inter_token_sum_us": Grows(8e12, 8e6, 1e6), "inter_token_count": Grows(2e9, 8e3, 1e3),
    "inter_token_p50_us": Wavers(9e2, 1e2), "inter_token_p99_us": Wavers(4e3, 1e3),
}  # fmt: skip


def _classes(worker: str) -> dict[str, Behaviour]:
    shares = {"compute": 0.9, "main": 0.05, "python": 0.01}
    return {
        f"{worker}:{name}": {
            "run_ns": Grows(9e13 * share, 1e9 * share, 1e8 * share), "delay_ns": Grows(3e12, 8e7 * share, 5e7 * share),
            "threads": Wavers(8),
        }
        for name, share in shares.items()
    }  # fmt: skip


def node() -> dict[str, dict[str, Behaviour]]:
    """Kind → entity → behaviour. Fields that are not named here stay None."""
    workers = [f"worker:{812345 + slot}:40211234" for slot in range(5)]
    return {
        "core": {f"core:{cpu}": _BUSY_CORE if cpu < 8 else _IDLE_CORE for cpu in range(16)},
        "node_cpu": {"node": {"forks": Grows(9e6, 3, 3), "context_switches": Grows(4e10, 12e3, 4e3),
                              "running": Wavers(8, 3), "blocked": Wavers(0)}},
        "memory": {"node": {"total_kib": Wavers(65e6), "available_kib": Wavers(3e7, 4e3), "free_kib": Wavers(5e6, 4e3),
                            "cached_kib": Wavers(2.5e7, 300), "swap_total_kib": Wavers(0), "swap_free_kib": Wavers(0)}},
        "pressure": {"pressure:cpu": {"some_us": Grows(9e10, 2e5, 6e4), "full_us": Grows(0, 0)},
                     "pressure:memory": {"some_us": Grows(1e5, 0), "full_us": Grows(9e4, 0)},
                     "pressure:io": {"some_us": Grows(5e9, 300, 300), "full_us": Grows(4e9, 200, 200)}},
        "vm": {"node": {"page_faults": Grows(9e9, 3e3, 900), "major_faults": Grows(4e5, 0),
                        "swap_in_pages": Grows(0, 0), "swap_out_pages": Grows(0, 0), "oom_kills": Grows(2, 0)}},
        "cgroup": {"cgroup:/serving.slice/app.service": _CGROUP},
        "listen": {f"listen:{port}": {"accept_queue": Wavers(depth, depth), "established": Wavers(20, 5)}
                   for port, depth in ((8000, 2), (22, 0), (9753, 0))},
        "listen_drops": {"node": {"overflows": Grows(1000, 0), "drops": Grows(1000, 0)}},
        "worker": dict.fromkeys(workers, _WORKER),
        "thread": {f"thread:{812346 + n}:40211234:{812400 + n}": _THREAD for n in range(4)},
        "thread_class": {entity: its for worker in workers for entity, its in _classes(worker).items()},
        "serving": {"service:5f0c2a9b1d3e": _SERVING},
    }  # fmt: skip


CADENCE_SECONDS = {"serving": 10}
"""Of the kinds that are not read each second."""


class SyntheticNode:
    """Makes the readings of one second after another, the same ones for the same seed."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._kinds = known_kinds()
        self._node = {kind: its for kind, its in node().items() if kind in self._kinds}
        self._counters: dict[tuple[str, str, str], float] = {}

    def readings(self, seconds: int, start_wall_ns: int = NOON_NS) -> Iterator[list[Reading]]:
        """The readings of each second, one per kind."""
        for second in range(seconds):
            jitter_ns = self._random.randrange(3_000_000)
            yield self.tick(
                second, Instant(second * SECOND_NS + jitter_ns, start_wall_ns + second * SECOND_NS + jitter_ns)
            )

    def tick(self, second: int, at: Instant) -> list[Reading]:
        return [
            Reading(collector=kind, at=at, duration_ns=90_000, cpu_ns=80_000, late_ns=200_000,
                    outcome=Ok([self._sample(kind, entity, its) for entity, its in entities.items()]))
            for kind, entities in self._node.items()
            if second % CADENCE_SECONDS.get(kind, 1) == 0
        ]  # fmt: skip

    def _sample(self, kind: str, entity: str, its: Behaviour) -> Sample:
        values = {
            spec.name: self._value((kind, entity, spec.name), its.get(spec.name))
            for spec in fields_of(self._kinds[kind])
        }
        return self._kinds[kind](entity=entity, **values)

    def _value(self, key: tuple[str, str, str], behaviour: Grows | Wavers | str | None) -> Any:
        match behaviour:
            case Grows(start, rate, scatter):
                growth = max(0.0, rate + self._random.uniform(-scatter, scatter)) * CADENCE_SECONDS.get(key[0], 1)
                self._counters[key] = self._counters.get(key, start) + growth
                return int(self._counters[key])
            case Wavers(level, scatter):
                return max(0, round(level + self._random.uniform(-scatter, scatter)))
            case _:
                return behaviour
