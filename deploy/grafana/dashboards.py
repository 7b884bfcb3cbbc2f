"""What is on the dashboards for Grafana? `python deploy/grafana/dashboards.py` writes fleet.json and node.json beside it;
`--check` fails if they are out of date.

Every query is asked of a real Prometheus before real agents by tests/live/test_dashboards_live.py.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).resolve().parent
COLUMNS = 24
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
AGENTS = 'instance=~"$instance"'
SERVICES = 'service=~"$service"'
OWN = f"{AGENTS},{SERVICES}"


class Query(NamedTuple):
    """`legend` names a line by its labels: `{{service}}`."""

    expr: str
    legend: str = ""


class Panel(NamedTuple):
    """`unit` is Grafana's name of it; `kind` timeseries, stat or table."""

    title: str
    text: str
    unit: str
    queries: tuple[Query, ...]
    kind: str = "timeseries"
    width: int = 12
    height: int = 8


class Row(NamedTuple):
    title: str
    panels: tuple[Panel, ...]


def stat(title: str, text: str, unit: str, expr: str) -> Panel:
    return Panel(title, text, unit, (Query(expr),), "stat", 6, 4)


def lines(title: str, text: str, unit: str, *queries: Query, width: int = 12) -> Panel:
    return Panel(title, text, unit, queries, "timeseries", width)


def table(title: str, text: str, expr: str) -> Panel:
    return Panel(title, text, "short", (Query(expr),), "table", COLUMNS, 9)


FLEET = (
    Row("Fleet", (
        stat("Nodes", "Agents that answer.", "short", f"count(nodewright_build_info{{{AGENTS}}})"),
        stat("Services", "By name, over all nodes.", "short",
             f"count(count by (service) (nodewright_service_worker_processes{{{OWN}}}))"),
        stat("Open findings above medium", "One on ten nodes counts ten times.", "short",
             f'sum(nodewright_finding{{{AGENTS},severity=~"high|critical"}}) or vector(0)'),
        stat("Cores used", "Of all cores of all nodes.", "percentunit",
             f"sum(nodewright_node_used_cores{{{AGENTS}}}) / sum(nodewright_node_cores{{{AGENTS}}})"),
        table("On how many nodes is which finding?", "nodewright explain RULE says what it is, nodewright fleet where.",
              f"count by (rule, service, severity) (nodewright_finding{{{AGENTS}}})"),
    )),
    Row("Services", (
        lines("Requests", "Answered by all nodes, as the servers' metrics pages say.", "reqps",
              Query(f"sum by (service) (nodewright_service_requests_per_second{{{OWN}}})", "{{service}}")),
        lines("p99 latency, worst node", "As the servers' metrics pages say.", "s",
              Query(f"max by (service) (nodewright_service_latency_p99_seconds{{{OWN}}})", "{{service}}")),
        lines("Headroom", "What is left of what they can do, over the nodes that tell both.", "percentunit",
              Query(f"1 - sum by (service) (nodewright_service_requests_per_second{{{OWN}}} and on (instance, service) "
                    f"nodewright_service_capacity_per_second{{{OWN}}}) / sum by (service) "
                    f"(nodewright_service_capacity_per_second{{{OWN}}} and on (instance, service) "
                    f"nodewright_service_requests_per_second{{{OWN}}})", "{{service}}")),
        lines("Cores used", "Over all nodes.", "short",
              Query(f"sum by (service) (nodewright_service_used_cores{{{OWN}}})", "{{service}}")),
        lines("Cores waited for", "Time that threads could run and had no core.", "short",
              Query(f"sum by (service) (nodewright_service_waiting_cores{{{OWN}}})", "{{service}}")),
        lines("Cost per hour", "Its share of each node's price, where [prices] are set.", "short",
              Query(f"sum by (service, currency) (nodewright_service_node_share_ratio{{{OWN}}} * on (instance) "
                    f"group_left (currency) nodewright_node_price_per_hour{{{AGENTS}}})", "{{service}} {{currency}}")),
        lines("Periods in which the CPU quota ran out", "Share of the periods in which it had something to run.", "percentunit",
              Query(f"sum by (service) (rate(nodewright_cgroup_throttled_periods_total{{{OWN}}}[$__rate_interval])) / "
                    f"(sum by (service) (rate(nodewright_cgroup_periods_total{{{OWN}}}[$__rate_interval])) > 0)",
                    "{{service}}")),
        lines("Resident memory", "Over all nodes.", "bytes",
              Query(f"sum by (service) (nodewright_service_resident_bytes{{{OWN}}})", "{{service}}")),
    )),
    Row("Nodes", (
        lines("Cores used by node", "Of its cores.", "percentunit",
              Query(f"nodewright_node_used_cores{{{AGENTS}}} / nodewright_node_cores{{{AGENTS}}}", "{{instance}}")),
        lines("Memory available by node", "Without swapping.", "percentunit",
              Query(f"nodewright_memory_available_bytes{{{AGENTS}}} / nodewright_memory_total_bytes{{{AGENTS}}}",
                    "{{instance}}")),
        lines("GPU memory used by node", "Of all its GPUs.", "percentunit",
              Query(f"sum by (instance) (nodewright_gpu_memory_used_bytes{{{AGENTS}}}) / "
                    f"sum by (instance) (nodewright_gpu_memory_total_bytes{{{AGENTS}}})", "{{instance}}")),
        lines("Multiprocessors active by node", "Mean of its GPUs; a busy GPU may use few of them.", "percentunit",
              Query(f"avg by (instance) (nodewright_gpu_sm_active_ratio{{{AGENTS}}})", "{{instance}}")),
    )),
    Row("Agents", (
        lines("CPU of the agents", "Of one core.", "percentunit",
              Query(f"rate(nodewright_self_cpu_seconds_total{{{AGENTS}}}[$__rate_interval])", "{{instance}}")),
        lines("Late rounds", "A node short of CPU delays its agent too.", "percentunit",
              Query(f"rate(nodewright_self_late_ticks_total{{{AGENTS}}}[$__rate_interval]) / "
                    f"rate(nodewright_self_ticks_total{{{AGENTS}}}[$__rate_interval])", "{{instance}}")),
    )),
)  # fmt: skip

NODE = (
    Row("Node", (
        stat("Cores", "", "short", f"sum(nodewright_node_cores{{{AGENTS}}})"),
        stat("Cores used", "", "percentunit",
             f"sum(nodewright_node_used_cores{{{AGENTS}}}) / sum(nodewright_node_cores{{{AGENTS}}})"),
        stat("Memory available", "Without swapping.", "bytes", f"sum(nodewright_memory_available_bytes{{{AGENTS}}})"),
        stat("Open findings", "", "short", f"sum(nodewright_finding{{{AGENTS}}}) or vector(0)"),
        table("Findings", "The change of each is in /v1/advice of the node, and in nodewright top.",
              f"nodewright_finding{{{AGENTS}}}"),
        lines("Time of cores", "Cores' worth.", "short", *(
            Query(f"sum(rate(nodewright_core_{part}_seconds_total{{{AGENTS}}}[$__rate_interval]))", part)
            for part in ("user", "system", "steal", "idle"))),
        lines("Pressure", "Share of time in which some thread waited for the resource.", "percentunit",
              Query(f"rate(nodewright_pressure_some_seconds_total{{{AGENTS}}}[$__rate_interval])", "{{resource}}")),
    )),
    Row("Services", (
        lines("Cores used and usable", "Used by it, and what mask and quota allow.", "short",
              Query(f"nodewright_service_used_cores{{{OWN}}}", "{{service}} used"),
              Query(f"nodewright_service_usable_cores{{{OWN}}}", "{{service}} usable")),
        lines("Cores waited for", "Time that threads could run and had no core.", "short",
              Query(f"nodewright_service_waiting_cores{{{OWN}}}", "{{service}}")),
        lines("Requests and what it can do", "Capacity with its bounds, where it is known.", "reqps",
              Query(f"nodewright_service_requests_per_second{{{OWN}}}", "{{service}}"),
              Query(f"nodewright_service_capacity_per_second{{{OWN}}}", "{{service}} can"),
              Query(f"nodewright_service_capacity_low_per_second{{{OWN}}}", "{{service}} can at least"),
              Query(f"nodewright_service_capacity_high_per_second{{{OWN}}}", "{{service}} can at most")),
        lines("Latency", "Mean and p99.", "s",
              Query(f"nodewright_service_latency_seconds{{{OWN}}}", "{{service}} mean"),
              Query(f"nodewright_service_latency_p99_seconds{{{OWN}}}", "{{service}} p99")),
        lines("Connections that wait for accept()", "A queue that every server has.", "short",
              Query(f"nodewright_service_accept_queue_connections{{{OWN}}}", "{{service}}")),
        lines("Utilisation", "Of what it can do: now, and the day's 95 % point.", "percentunit",
              Query(f"nodewright_service_utilisation_ratio{{{OWN}}}", "{{service}}"),
              Query(f"nodewright_service_utilisation_peak_ratio{{{OWN}}}", "{{service}} at peak")),
    )),
    Row("Workers", (
        lines("CPU of workers", "Cores' worth. On nodes with very many workers left out (nodewright_left_out_series).", "short",
              Query(f"rate(nodewright_worker_user_seconds_total{{{OWN}}}[$__rate_interval]) + "
                    f"rate(nodewright_worker_system_seconds_total{{{OWN}}}[$__rate_interval])",
                    "{{service}} {{role}} {{slot}}")),
        lines("Resident memory of workers", "Shared pages included.", "bytes",
              Query(f"nodewright_worker_resident_bytes{{{OWN}}}", "{{service}} {{role}} {{slot}}")),
    )),
    Row("GPUs", (
        lines("Memory", "", "bytes",
              Query(f"nodewright_gpu_memory_used_bytes{{{AGENTS}}}", "{{gpu}} used"),
              Query(f"nodewright_gpu_memory_total_bytes{{{AGENTS}}}", "{{gpu}} of")),
        lines("Activity", "Busy: anything ran. Multiprocessors: how much of it was used.", "percentunit",
              Query(f"nodewright_gpu_busy_ratio{{{AGENTS}}}", "{{gpu}} busy"),
              Query(f"nodewright_gpu_sm_active_ratio{{{AGENTS}}}", "{{gpu}} multiprocessors"),
              Query(f"nodewright_gpu_dram_active_ratio{{{AGENTS}}}", "{{gpu}} memory bandwidth")),
        lines("Power", "", "watt", Query(f"nodewright_gpu_power_watts{{{AGENTS}}}", "{{gpu}}")),
        lines("Clocks held down", "Share of time, by the power limit and for heat.", "percentunit",
              Query(f"rate(nodewright_gpu_power_cap_seconds_total{{{AGENTS}}}[$__rate_interval])", "{{gpu}} power"),
              Query(f"rate(nodewright_gpu_software_thermal_seconds_total{{{AGENTS}}}[$__rate_interval])", "{{gpu}} heat"),
              Query(f"rate(nodewright_gpu_hardware_thermal_seconds_total{{{AGENTS}}}[$__rate_interval])", "{{gpu}} halved")),
        lines("Memory by service", "Of its processes on each GPU.", "bytes",
              Query(f"sum by (gpu, service) (nodewright_gpu_process_memory_bytes{{{OWN}}})", "{{gpu}} {{service}}"), width=24),
    )),
    Row("Agent", (
        lines("Duration of collectors", "Of the last run.", "s",
              Query(f"nodewright_collector_duration_seconds{{{AGENTS}}}", "{{collector}}")),
        lines("Series that are left out", "As there are too many; http.metrics_series lets more in.", "short",
              Query(f"nodewright_left_out_series{{{AGENTS}}}", "{{kind}}")),
    )),
)  # fmt: skip


def dashboard(uid: str, title: str, rows: Iterable[Row], *, one_node: bool) -> dict[str, Any]:
    return {
        "uid": uid,
        "title": title,
        "tags": ["nodewright"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_source(), *_variables(one_node)]},
        "panels": list(_panels(rows)),
    }


def dashboards() -> dict[str, str]:
    """File name to what is in it."""
    made = {
        "fleet.json": dashboard("nodewright-fleet", "nodewright: fleet", FLEET, one_node=False),
        "node.json": dashboard("nodewright-node", "nodewright: node", NODE, one_node=True),
    }
    return {name: json.dumps(body, indent=1, ensure_ascii=False) + "\n" for name, body in made.items()}


def _source() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _variables(one_node: bool) -> Iterator[dict[str, Any]]:
    yield _variable("instance", "Node", "label_values(nodewright_build_info, instance)", every=not one_node)
    query = 'label_values(nodewright_service_worker_processes{instance=~"$instance"}, service)'
    yield _variable("service", "Service", query, every=True)


def _variable(name: str, label: str, query: str, *, every: bool) -> dict[str, Any]:
    variable = {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": query,
        "refresh": 2,
        "sort": 1,
    }
    return variable | (
        {"multi": True, "includeAll": True, "allValue": ".*"} if every else {"multi": False, "includeAll": False}
    )


def _panels(rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
    number, top = 0, 0
    for row in rows:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "gridPos": _place(0, top, COLUMNS, 1),
        }
        top, left, height = top + 1, 0, 0
        for panel in row.panels:
            number += 1
            if left + panel.width > COLUMNS:
                top, left, height = top + height, 0, 0
            yield _panel(number, panel, _place(left, top, panel.width, panel.height))
            left, height = left + panel.width, max(height, panel.height)
        top += height


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    instant = panel.kind != "timeseries"
    form = {"format": "table"} if panel.kind == "table" else {}
    targets = [
        {"refId": chr(ord("A") + at), "datasource": SOURCE, "expr": query.expr, "legendFormat": query.legend,
         "instant": instant, "range": not instant, **form}
        for at, query in enumerate(panel.queries)
    ]  # fmt: skip
    ours: dict[str, Any] = {"defaults": {"unit": panel.unit}, "overrides": []}
    return {
        "id": number, "type": panel.kind, "title": panel.title, "description": panel.text, "datasource": SOURCE,
        "gridPos": place, "fieldConfig": ours, "targets": targets,
    }  # fmt: skip


def _place(left: int, top: int, width: int, height: int) -> dict[str, int]:
    return {"x": left, "y": top, "w": width, "h": height}


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the dashboards.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a dashboard would change")
    check, stale = parser.parse_args().check, False
    for name, made in dashboards().items():
        file = FOLDER / name
        if not check:
            file.write_text(made, "utf-8")
        elif not file.exists() or file.read_text("utf-8") != made:
            stale = True
            print(f"nodewright: docs: deploy/grafana/{name} is out of date (make docs)", file=sys.stderr)
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
