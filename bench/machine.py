"""On which machine was it measured, and does it bear the measurement?"""

import os
import platform
from pathlib import Path


def machine_line() -> str:
    """Processor, cores, memory, kernel, interpreter and present load, in one line."""
    models = {line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")}
    memory_gib = _meminfo("MemTotal") / 2**30
    load = os.getloadavg()[0]
    return (
        f"machine: {len(os.sched_getaffinity(0))} cores, {' / '.join(sorted(models)) or platform.machine()}, "
        f"{memory_gib:.0f} GiB, Linux {platform.release()}, Python {platform.python_version()}, load average {load:.2f}"
    )


def unbearable(processes: int, threads: int, memory_bytes: int) -> str | None:
    """Why this machine cannot hold so much more; None if it can."""
    pids = int(Path("/proc/sys/kernel/pid_max").read_text())
    used = int(Path("/proc/loadavg").read_text().split()[3].partition("/")[2])
    if threads + used > 0.9 * pids:
        return f"{threads} threads beside {used} exceed kernel.pid_max {pids}"
    if memory_bytes > _meminfo("MemAvailable"):
        return f"{processes} processes need about {memory_bytes / 2**30:.1f} GiB"
    return None


def _meminfo(key: str) -> int:
    """A row of /proc/meminfo in bytes."""
    return next(int(line.split()[1]) * 1024 for line in _lines("/proc/meminfo") if line.startswith(key + ":"))


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
