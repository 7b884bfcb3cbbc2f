"""What do the files of a cgroup hierarchy look like, in each version?"""

from tests.hosts.table import NO_V1_LIMIT_BYTES, CgroupRow, CgroupTree

BASE = "sys/fs/cgroup"
PART_OF_A_MICROSECOND_NS = 417
"""Added to what cgroup v1 counts in nanoseconds, so that a wrong rounding shows."""


def cgroup_files(cgroups: CgroupTree) -> dict[str, str]:
    files: dict[str, str] = {}
    for level in cgroups.levels:
        files |= unified_files(level) if cgroups.version == "v2" else v1_files(cgroups, level)
    if cgroups.version == "v2":
        files[f"{BASE}/cgroup.controllers"] = "cpuset cpu io memory pids\n"
    if cgroups.version == "hybrid":
        for level in cgroups.levels:
            folder = f"{BASE}/unified{level.path.rstrip('/')}"
            files[f"{folder}/cgroup.controllers"] = "\n"
            files[f"{folder}/cpu.stat"] = "usage_usec 5\nuser_usec 3\nsystem_usec 2\n"
    names = [""] if cgroups.version == "v2" else list(dict.fromkeys(folder for _, folder in cgroups.folders))
    own = [f"{number}:{name}:{cgroups.own}\n" for number, name in zip(range(len(names), 0, -1), names, strict=True)]
    files["proc/self/cgroup"] = f"0::{cgroups.own}\n" if cgroups.version == "v2" else "".join(own)
    mounts = mount_lines(cgroups)
    files["proc/mounts"] = "".join(f"{kind} {point} {kind} {options} 0 0\n" for point, kind, options in mounts)
    files["proc/self/mountinfo"] = "".join(
        f"{31 + n} 25 0:{28 + n} {'/' if kind == 'tmpfs' else cgroups.mounted} {point} rw,relatime - {kind} {kind} {options}\n"
        for n, (point, kind, options) in enumerate(mounts)
    )
    return files


def mount_lines(cgroups: CgroupTree) -> list[tuple[str, str, str]]:
    if cgroups.version == "v2":
        return [("/sys/fs/cgroup", "cgroup2", "rw,nsdelegate")]
    folders = list(dict.fromkeys(folder for _, folder in cgroups.folders))
    mounts = [("/sys/fs/cgroup", "tmpfs", "rw,mode=755")]
    mounts += [(f"/sys/fs/cgroup/{folder}", "cgroup", f"rw,{folder}") for folder in folders]
    if cgroups.version == "hybrid":
        mounts.append(("/sys/fs/cgroup/unified", "cgroup2", "rw,nsdelegate"))
    return mounts


def v1_files(cgroups: CgroupTree, level: CgroupRow) -> dict[str, str]:
    def below(controller: str) -> str:
        return f"{BASE}/{cgroups.folder(controller)}{level.path.rstrip('/')}"

    usage = None if level.usage_us is None else level.usage_us * 1_000 + PART_OF_A_MICROSECOND_NS
    limit = NO_V1_LIMIT_BYTES if level.memory_limit_bytes == -1 else level.memory_limit_bytes
    values = {
        f"{below('cpu')}/cpu.cfs_quota_us": level.quota_us,
        f"{below('cpu')}/cpu.cfs_period_us": level.period_us,
        f"{below('cpu')}/cpu.shares": level.weight,
        f"{below('cpuacct')}/cpuacct.usage": usage,
        f"{below('cpuset')}/cpuset.effective_cpus": level.cpus,
        f"{below('memory')}/memory.limit_in_bytes": limit,
        f"{below('memory')}/memory.usage_in_bytes": level.memory_current_bytes,
        f"{below('memory')}/memory.max_usage_in_bytes": level.memory_peak_bytes,
        f"{below('memory')}/memory.failcnt": level.memory_limit_hits,
    }
    files = {path: f"{value}\n" for path, value in values.items() if value is not None}
    if level.throttled_us is not None:
        waited = level.throttled_us * 1_000 + PART_OF_A_MICROSECOND_NS
        files[f"{below('cpu')}/cpu.stat"] = (
            f"nr_periods {level.periods}\nnr_throttled {level.throttled_periods}\nthrottled_time {waited}\n"
        )
    if level.memory_limit_hits is not None:
        killed = "" if level.oom_kills is None else f"oom_kill {level.oom_kills}\n"
        files[f"{below('memory')}/memory.oom_control"] = f"oom_kill_disable 0\nunder_oom 0\n{killed}"
    return files


def unified_files(level: CgroupRow) -> dict[str, str]:
    """`cpu.stat` is in every cgroup; its throttling lines and `cpu.max` only where the cpu controller is enabled."""
    folder = f"{BASE}{level.path.rstrip('/')}"
    limit = "max" if level.memory_limit_bytes == -1 else level.memory_limit_bytes
    values = {
        f"{folder}/cpu.weight": level.weight,
        f"{folder}/cpuset.cpus.effective": level.cpus,
        f"{folder}/memory.max": limit,
        f"{folder}/memory.current": level.memory_current_bytes,
        f"{folder}/memory.peak": level.memory_peak_bytes,
    }
    files = {path: f"{value}\n" for path, value in values.items() if value is not None}
    stat = f"usage_usec {level.usage_us}\nuser_usec 101\nsystem_usec 102\n"
    if level.quota_us is not None:
        quota = "max" if level.quota_us == -1 else level.quota_us
        files[f"{folder}/cpu.max"] = f"{quota} {level.period_us}\n"
        stat += (
            f"nr_periods {level.periods}\nnr_throttled {level.throttled_periods}\nthrottled_usec {level.throttled_us}\n"
        )
    files[f"{folder}/cpu.stat"] = stat
    if level.memory_limit_hits is not None:
        files[f"{folder}/memory.events"] = (
            f"low 0\nhigh 0\nmax {level.memory_limit_hits}\noom 5\noom_kill {level.oom_kills}\noom_group_kill 0\n"
        )
    return files
