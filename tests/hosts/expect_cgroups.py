"""What must be said of the cgroups of a host's service?"""

from dataclasses import fields

from tests.hosts.expect_workers import Row, living
from tests.hosts.table import CgroupRow, HostState, ProcessRow


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
    """The levels from the process's own cgroup up to the highest that is mounted."""
    path = controller_path(process, state, controller).removeprefix(state.cgroups.mounted.rstrip("/"))
    above = [level for level in state.cgroups.levels if f"{path}/".startswith(f"{level.path.rstrip('/')}/")]
    return sorted(above, key=lambda level: -len(level.path))


def cgroup_values(process: ProcessRow, state: HostState) -> Row:
    stalls = {"memory_some_us": None, "memory_full_us": None}  # version 1, and version 2 without PSI, have none
    if not state.cgroups.reachable:
        return {field.name: None for field in fields(CgroupRow) if field.name != "path"} | stalls
    cpu = ancestry(process, state, "cpu")
    limited = [level for level in cpu if level.quota_us is not None and level.quota_us > 0]
    tight = min(limited, key=lambda level: (level.quota_us or 0) / (level.period_us or 1), default=None)
    counted = tight or cpu[0]
    memory = ancestry(process, state, "memory")
    capped = [level for level in memory if level.memory_limit_bytes is not None and level.memory_limit_bytes > 0]
    full = min(capped, key=lambda level: level.memory_limit_bytes or 0, default=memory[0])
    return {
        "quota_us": tight.quota_us if tight else None,
        "period_us": counted.period_us,
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
        **stalls,
    }
