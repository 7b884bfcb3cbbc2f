"""What must each collector make of a host? Computed from the numbers of the table, never from the files.

`expected.json` of a host with one state holds `{collector: {status, samples}}`; of a host with two, that three times:
`t0` and `t1` each read by a new collector, and `t1 after t0` read by one that has read `t0` before.
"""

import json
import re
from dataclasses import fields
from typing import Any

from tests.hosts.table import CgroupRow, HostState, HostTable, ProcessRow, ThreadRow

PAGE_BYTES = 4096
TICK_NS = 10_000_000
SECOND_NS = 1_000_000_000
BUSY_RATIO = 0.05

Row = dict[str, Any]


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
        "cpu": ok([*core_rows(state), node_cpu_row(state)]),
        "memory": ok([memory_row(state)]),
        "pressure": ok(pressure_rows(state)) if state.pressure else {"status": "unsupported", "samples": []},
        "processes": ok([worker_row(p, earlier(p, before)) for p in living(state)]),
        "serving": ok([]),
        "sockets": ok([*listen_rows(state), drops_row(state)]),
        "threads": ok(thread_rows(state, before)),
        "vmstat": ok([vm_row(state)]),
    }
    return dict(sorted(found.items()))


def ok(rows: list[Row]) -> dict[str, Any]:
    return {"status": "ok", "samples": sorted(rows, key=lambda row: (row["kind"], row["entity"]))}


def living(state: HostState) -> list[ProcessRow]:
    return [process for process in state.members if not process.gone]


def earlier(process: ProcessRow, before: HostState | None) -> ProcessRow | None:
    """The same process in `before`: same pid and same start."""
    members = before.members if before else ()
    return next((p for p in members if (p.pid, p.started) == (process.pid, process.started)), None)


def worker_entity(process: ProcessRow) -> str:
    return f"worker:{process.pid}:{process.started}"


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


def worker_row(process: ProcessRow, before: ProcessRow | None) -> Row:
    """`before`: the values of the process's status and io files are as old as the fifth run before."""
    slow = before or process
    leader = slow.threads[0]
    return {
        "kind": "worker",
        "entity": worker_entity(process),
        "user_ticks": process.user_ticks,
        "system_ticks": process.system_ticks,
        "children_user_ticks": process.children_user_ticks,
        "children_system_ticks": process.children_system_ticks,
        "resident_bytes": process.resident_pages * PAGE_BYTES,
        "threads": len(process.threads),
        "minor_faults": process.minor_faults,
        "major_faults": process.major_faults,
        "voluntary_switches": leader.voluntary,
        "involuntary_switches": leader.involuntary,
        "read_bytes": slow.read_bytes,
        "write_bytes": slow.write_bytes,
    }


def thread_rows(state: HostState, before: HostState | None) -> list[Row]:
    rows = []
    for process in living(state):
        past = earlier(process, before)
        known = {thread.tid: thread for thread in past.threads} if past else {}
        for thread in process.threads:
            rows.append(thread_row(process, thread, known.get(thread.tid), state.schedstat))
        rows += class_rows(process, known, state.schedstat)
    return rows


def thread_row(process: ProcessRow, thread: ThreadRow, before: ThreadRow | None, schedstat: bool) -> Row:
    run_ns, delay_ns = run_and_delay(thread, schedstat)
    ran = run_ns - run_and_delay(before, schedstat)[0] if before else None
    return {
        "kind": "thread",
        "entity": f"thread:{process.pid}:{process.started}:{thread.tid}",
        "worker": worker_entity(process),
        "name": shown(thread.comm),
        "thread_class": thread.thread_class,
        "state": thread.state,
        "run_ns": run_ns,
        "delay_ns": delay_ns,
        "timeslices": thread.timeslices if schedstat else None,
        "last_cpu": thread.cpu,
        "allowed_cpus": thread.allowed,
        "busy": None if ran is None else int(ran >= BUSY_RATIO * SECOND_NS),
    }


def class_rows(process: ProcessRow, known: dict[int, ThreadRow], schedstat: bool) -> list[Row]:
    """Sums over the living threads and over those that ended since, as they were last read."""
    living_tids = {thread.tid for thread in process.threads}
    ended = [thread for tid, thread in known.items() if tid not in living_tids]
    rows = []
    for name in sorted({thread.thread_class for thread in (*process.threads, *ended)}):
        counted = [t for t in (*process.threads, *ended) if t.thread_class == name]
        times = [run_and_delay(thread, schedstat) for thread in counted]
        delays = [delay for _, delay in times if delay is not None]
        rows.append(
            {
                "kind": "thread_class",
                "entity": f"{worker_entity(process)}:{name}",
                "run_ns": sum(run for run, _ in times),
                "delay_ns": sum(delays) if schedstat else None,
                "threads": sum(t.thread_class == name for t in process.threads),
            }
        )
    return rows


def run_and_delay(thread: ThreadRow, schedstat: bool) -> tuple[int, int | None]:
    """Without schedstat only the CPU time in ticks is known."""
    if schedstat:
        return thread.run_ns, thread.delay_ns
    return (thread.user_ticks + thread.system_ticks) * TICK_NS, None


def shown(raw: bytes) -> str:
    """A name that can be stored and shown: foreign bytes and control characters as `\\xNN`."""
    pieces = re.split(rb"([^\x20-\x7e])", raw)
    return "".join(
        f"\\x{piece[0]:02x}" if re.fullmatch(rb"[^\x20-\x7e]", piece) else piece.decode() for piece in pieces
    )


def cgroup_rows(state: HostState) -> list[Row]:
    """One row per distinct cgroup of the service's processes."""
    names = {cgroup_entity(process, state): process for process in living(state)}
    return [{"kind": "cgroup", "entity": name, **cgroup_values(p, state)} for name, p in names.items()]


def cgroup_entity(process: ProcessRow, state: HostState) -> str:
    """The path of the cpu controller, and those of memory and cpuset where they differ from it."""
    paths = {name: controller_path(process, state, name) for name in ("cpu", "memory", "cpuset")}
    return "cgroup:" + paths["cpu"] + "".join(f"+{n}:{path}" for n, path in paths.items() if path != paths["cpu"])


def controller_path(process: ProcessRow, state: HostState, controller: str) -> str:
    if state.cgroups.version == "v2":
        return next(path for _, names, path in process.cgroups if names == "")
    return next(path for _, names, path in process.cgroups if controller in names.split(","))


def ancestry(process: ProcessRow, state: HostState, controller: str) -> list[CgroupRow]:
    """The levels from the process's own cgroup up to the root."""
    path = controller_path(process, state, controller)
    above = [level for level in state.cgroups.levels if f"{path}/".startswith(f"{level.path.rstrip('/')}/")]
    return sorted(above, key=lambda level: -len(level.path))


def cgroup_values(process: ProcessRow, state: HostState) -> Row:
    if not state.cgroups.reachable:
        return {field.name: None for field in fields(CgroupRow) if field.name != "path"}
    cpu = ancestry(process, state, "cpu")
    limited = [level for level in cpu if level.quota_us is not None and level.quota_us > 0]
    tight = min(limited, key=lambda level: (level.quota_us or 0) / (level.period_us or 1), default=None)
    counted = tight or cpu[0]
    memory = ancestry(process, state, "memory")
    capped = [level for level in memory if level.memory_limit_bytes is not None and level.memory_limit_bytes > 0]
    full = min(capped, key=lambda level: level.memory_limit_bytes or 0, default=memory[0])
    return {
        "quota_us": tight.quota_us if tight else None,
        "period_us": tight.period_us if tight else None,
        "weight": cpu[0].weight,
        "periods": counted.periods,
        "throttled_periods": counted.throttled_periods,
        "throttled_us": counted.throttled_us,
        "usage_us": ancestry(process, state, "cpuacct")[0].usage_us,
        "cpus": ancestry(process, state, "cpuset")[0].cpus,
        "memory_limit_bytes": full.memory_limit_bytes if capped else None,
        "memory_current_bytes": full.memory_current_bytes,
        "memory_peak_bytes": full.memory_peak_bytes,
        "memory_limit_hits": full.memory_limit_hits,
        "oom_kills": memory[0].oom_kills,
    }
