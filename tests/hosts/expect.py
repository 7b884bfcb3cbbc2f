"""What must each collector make of a host? Computed from the numbers of the table, never from the files.

`expected.json` of a host with one state holds `{collector: {status, samples}}`; of a host with two, that three times:
`t0` and `t1` each read by a new collector, and `t1 after t0` read by one that has read `t0` before.
"""

import json
from typing import Any

from tests.hosts.expect_cgroups import cgroup_rows
from tests.hosts.expect_workers import Row, earlier, living, thread_rows, worker_row
from tests.hosts.table import HostState, HostTable


def expected_json(host: HostTable) -> str:
    """The text of expected.json, one line per sample."""
    return rendered(expected(host), "") + "\n"


def rendered(thing: Any, indent: str) -> str:
    if isinstance(thing, dict) and "kind" not in thing:
        items = [f"{json.dumps(name)}: {rendered(value, indent + ' ')}" for name, value in thing.items()]
        return "{\n" + ",\n".join(f"{indent} {item}" for item in items) + f"\n{indent}}}"
    if isinstance(thing, list) and thing:
        return "[\n" + ",\n".join(f"{indent} {json.dumps(item)}" for item in thing) + f"\n{indent}]"
    return json.dumps(thing)


def expected(host: HostTable) -> dict[str, Any]:
    if len(host.states) == 1:
        return readings(host.states[""], None)
    before, after = host.states["t0"], host.states["t1"]
    return {"t0": readings(before, None), "t1": readings(after, None), "t1 after t0": readings(after, before)}


def readings(state: HostState, before: HostState | None) -> dict[str, Any]:
    """Every collector's reading of `state`, one second after it read `before`."""
    found = {
        "cgroup": ok(cgroup_rows(state)),
        "connections": NOT_HERE,
        "frequency": NOT_HERE,
        "cpu": ok([*core_rows(state), node_cpu_row(state)]),
        "memory": ok([memory_row(state)]),
        "pressure": ok(pressure_rows(state)) if state.pressure else {"status": "unsupported", "samples": []},
        "processes": ok([worker_row(p, earlier(p, before)) for p in living(state)]),
        "serving": ok([]),
        "sockets": ok([*listen_rows(state), drops_row(state)]),
        "threads": ok(thread_rows(state, before)),
        "vmstat": ok([vm_row(state)]),
        "worker-memory": NOT_HERE if living(state) else ok([]),
    }
    return dict(sorted(found.items()))


NOT_HERE = {"status": "unsupported", "samples": []}
"""Sockets are asked of the running kernel alone; these hosts show no clocks and no smaps_rollup, as many do."""


def ok(rows: list[Row]) -> dict[str, Any]:
    return {"status": "ok", "samples": sorted(rows, key=lambda row: (row["kind"], row["entity"]))}


def core_rows(state: HostState) -> list[Row]:
    return [
        {
            "kind": "core",
            "entity": f"core:{core.cpu}",
            "user_ticks": core.user + core.nice,
            "system_ticks": core.system,
            "iowait_ticks": core.iowait,
            "irq_ticks": core.irq + core.softirq,
            "steal_ticks": core.steal,
            "idle_ticks": core.idle,
        }
        for core in state.cores
    ]


def node_cpu_row(state: HostState) -> Row:
    node = state.node
    return {
        "kind": "node_cpu",
        "entity": "node",
        "forks": node.forks,
        "context_switches": node.context_switches,
        "running": node.running,
        "blocked": node.blocked,
    }


def memory_row(state: HostState) -> Row:
    names = ("total_kib", "available_kib", "free_kib", "cached_kib", "swap_total_kib", "swap_free_kib")
    return {"kind": "memory", "entity": "node", **{name: getattr(state.node, name) for name in names}}


def pressure_rows(state: HostState) -> list[Row]:
    return [
        {"kind": "pressure", "entity": f"pressure:{name}", "some_us": some, "full_us": full}
        for name, (some, full) in (state.pressure or {}).items()
    ]


def vm_row(state: HostState) -> Row:
    names = ("page_faults", "major_faults", "swap_in_pages", "swap_out_pages", "oom_kills")
    return {"kind": "vm", "entity": "node", **{name: getattr(state.node, name) for name in names}}


def listen_rows(state: HostState) -> list[Row]:
    """Every listening port of the node, and the service's port where it listens in its own network namespace."""
    views = [state.sockets]
    views += [p.own_netns for p in living(state) if p.own_netns is not None]
    queues: dict[int, int] = {}
    for view in views:
        for row in view:
            if row.state == 0x0A:
                queues[row.port] = queues.get(row.port, 0) + row.rx_queue
    return [
        {
            "kind": "listen",
            "entity": f"listen:{port}",
            "accept_queue": queue,
            "established": sum(row.port == port and row.state == 0x01 for view in views for row in view),
        }
        for port, queue in queues.items()
    ]


def drops_row(state: HostState) -> Row:
    node = state.node
    return {"kind": "listen_drops", "entity": "node", "overflows": node.listen_overflows, "drops": node.listen_drops}
