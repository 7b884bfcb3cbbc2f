"""Which figures of all nodes are asked for, in which words?

Each is one instant query; `max by` makes one of the copies that a highly available pair of servers scrapes. A label that
names the node is `instance`, unless somebody says otherwise.
"""

import msgspec

PER_SERVICE = {
    "samples": "count_over_time(nodewright_service_worker_processes{m}[{w}])",
    "used_cores": "avg_over_time(nodewright_service_used_cores{m}[{w}])",
    "used_cores_peak": "quantile_over_time(0.95, nodewright_service_used_cores{m}[{w}])",
    "requests": "avg_over_time(nodewright_service_requests_per_second{m}[{w}])",
    "requests_peak": "quantile_over_time(0.95, nodewright_service_requests_per_second{m}[{w}])",
    "latency_p99": "avg_over_time(nodewright_service_latency_p99_seconds{m}[{w}])",
    "waiting_cores": "avg_over_time(nodewright_service_waiting_cores{m}[{w}])",
    "resident_peak": "max_over_time(nodewright_service_resident_bytes{m}[{w}])",
    "capacity": "avg_over_time(nodewright_service_capacity_per_second{m}[{w}])",
    "capacity_low": "min_over_time(nodewright_service_capacity_low_per_second{m}[{w}])",
    "share": "avg_over_time(nodewright_service_node_share_ratio{m}[{w}])",
    "gpu_contexts": "max_over_time(nodewright_service_gpu_contexts{m}[{w}])",
}
PER_NODE = {
    "cores": "last_over_time(nodewright_node_cores{m}[{w}])",
    "memory": "last_over_time(nodewright_memory_total_bytes{m}[{w}])",
}
OTHERS = {
    "version": ("version", "last_over_time(nodewright_build_info{m}[{w}])"),
    "price": ("currency", "last_over_time(nodewright_node_price_per_hour{m}[{w}])"),
    "finding": ("rule, service, severity", "nodewright_finding{m}"),
    "missing": ("service, needs", "nodewright_service_migration_missing{m}"),
}


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """`node_label` names the node; `matchers` (`job="nodewright"`) narrow everything down."""

    since_seconds: float = 3600.0
    node_label: str = "instance"
    matchers: str = ""

    def queries(self) -> dict[str, str]:
        """By the figure's name."""
        made = {name: self._query("service", text) for name, text in PER_SERVICE.items()}
        made |= {name: self._query("", text) for name, text in PER_NODE.items()}
        return made | {name: self._query(labels, text) for name, (labels, text) in OTHERS.items()}

    def _query(self, labels: str, text: str) -> str:
        by = ", ".join((self.node_label, labels)) if labels else self.node_label
        matchers = f"{{{self.matchers}}}" if self.matchers else ""
        inner = text.replace("{m}", matchers).replace("{w}", f"{round(self.since_seconds)}s")
        return f"max by ({by}) ({inner})"
