"""Of which stored series is a figure of evidence made, so that it can be drawn as it developed?

A rule whose figure is stored, and not under one of these names yet, adds a line to `FIGURES`: nothing else has to know of it.
"""

from collections.abc import Mapping

import msgspec


class Part(msgspec.Struct, frozen=True):
    """A field of a kind of sample, added up over all entities of that kind that belong to the finding's subject."""

    kind: str
    field: str
    entity: str | None = None
    """Which one, where it is always the same."""


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """`times` × what `over` adds up to, by what `per` adds up to where it is given. A counter is its rate."""

    over: tuple[Part, ...]
    per: tuple[Part, ...] = ()
    times: float = 1.0

    @property
    def parts(self) -> tuple[Part, ...]:
        return (*self.over, *self.per)


def _of(kind: str, field: str, times: float = 1.0, entity: str | None = None) -> Figure:
    return Figure(over=(Part(kind, field, entity),), times=times)


def _ratio(kind: str, field: str, per: str) -> Figure:
    return Figure(over=(Part(kind, field),), per=(Part(kind, per),))


_USED = (Part("worker", "user_ticks"), Part("worker", "system_ticks"))
_WAITED = (Part("thread_class", "delay_ns"),)

FIGURES: Mapping[str, Figure] = {
    "cores_used": Figure(over=_USED),
    "waiting_cores": Figure(over=_WAITED),
    "runnable_threads": Figure(over=(*_USED, *_WAITED)),
    "run_delay_share": Figure(over=_WAITED, per=(*_USED, *_WAITED)),
    "system_cores": _of("worker", "system_ticks"),
    "major_faults_per_second": _of("worker", "major_faults"),
    "accept_queue_p50": _of("listen", "accept_queue"),
    "accept_queue_p90": _of("listen", "accept_queue"),
    "established_connections": _of("listen", "established"),
    "throttled_ratio": _ratio("cgroup", "throttled_periods", "periods"),
    "throttled_seconds_per_second": _of("cgroup", "throttled_us"),
    "stalled_ratio": _of("cgroup", "memory_some_us"),
    "memory_charged": _of("cgroup", "memory_current_bytes"),
    "memory_limit": _of("cgroup", "memory_limit_bytes"),
    "memory_limit_hits_per_second": _of("cgroup", "memory_limit_hits"),
    "memory_some_ratio_of_node": _of("pressure", "some_us", entity="pressure:memory"),
    "io_some_ratio_of_node": _of("pressure", "some_us", entity="pressure:io"),
    "node_memory_available": _of("memory", "available_kib", entity="node"),
    "requests_per_second": _of("serving", "requests"),
    "mean_latency_seconds": _ratio("serving", "latency_sum_us", "latency_count"),
    "latency_p99": _of("serving", "latency_p99_us"),
    "server_queue": _of("serving", "queue"),
    "requests_running": _of("serving", "in_flight"),
    "mean_batch_size": _ratio("serving", "batch_size_sum", "batch_size_count"),
    "tokens_out_per_second": _of("serving", "tokens_out"),
    "kv_cache_ratio": _of("serving", "kv_cache_ppm"),
    "kv_cache_ratio_p50": _of("serving", "kv_cache_ppm"),
    "preempted_per_minute": _of("serving", "preemptions", times=60.0),
    "evictions_a_minute": _of("serving", "model_evictions", times=60.0),
    "gpu_busy": _of("gpu", "busy_ppm"),
    "gpu_busy_mean": _of("gpu", "busy_ppm"),
    "gpu_busy_p95": _of("gpu", "busy_ppm"),
    "gpu_busy_minutes_p95": _of("gpu", "busy_ppm"),
    "gpu_sm_active": _of("gpu", "sm_active_ppm"),
    "gpu_sm_active_p95": _of("gpu", "sm_active_ppm"),
    "gpu_dram_active": _of("gpu", "dram_active_ppm"),
    "gpu_tensor_active": _of("gpu", "tensor_active_ppm"),
    "gpu_memory_used": _of("gpu", "memory_used_bytes"),
    "gpu_sm_clock": _of("gpu", "sm_clock_mhz"),
    "gpu_pcie_sent": _of("gpu", "pcie_tx_bytes_per_second"),
    "gpu_pcie_received": _of("gpu", "pcie_rx_bytes_per_second"),
    "gpu_power": _of("gpu", "power_mw"),
    "gpu_temperature": _of("gpu", "temperature_celsius"),
    "gpu_power_cap_ratio": _of("gpu", "power_cap_ns"),
}
"""By the metric of the evidence. Of a percentile: what it is a percentile of."""
